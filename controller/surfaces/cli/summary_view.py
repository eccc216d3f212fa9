"""How an apply ended: what was done, what was not, and why. `apply` shows it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from controller.surfaces.cli.console import Paint, Style
from controller.surfaces.cli.holding import undecided
from controller.surfaces.cli.plan_view import DONE, SYMBOLS, explained_lines
from controller.surfaces.cli.words import counted
from controller.wiring.outcome import settled

if TYPE_CHECKING:
    from controller.wiring.outcome import Preview, Summary


def summary_lines(preview: Preview, summary: Summary, paint: Paint) -> Iterator[str]:
    """What stands in the way, what was left undone if it was interrupted, and one line for the whole."""
    waiting = {key: status for key, status in summary.statuses.items() if not settled(status)}
    yield from explained_lines(waiting, paint)
    if summary.cancelled or summary.timed_out:
        yield from _undone_lines(preview, summary, paint)
    yield _closing_line(summary, len(waiting), paint)


def _undone_lines(preview: Preview, summary: Summary, paint: Paint) -> Iterator[str]:
    finished = {plan.key for plan in summary.done}
    for plan in preview.plans:
        if plan.key not in finished:
            symbol, style = SYMBOLS[plan.action]
            yield f"{paint(symbol, style)} {plan.key.short}  not {DONE[plan.action]}"


def _closing_line(summary: Summary, waiting: int, paint: Paint) -> str:
    counts = Counter(plan.action for plan in summary.done)
    done = ", ".join(f"{number} {DONE[action]}" for action, number in counts.items()) or "nothing done"
    total = len(summary.statuses)
    if summary.cancelled:
        return f"{paint('Interrupted:', Style.BOLD, Style.YELLOW)} {done}; run it again to go on"
    if held := undecided(summary.holds):
        done += f"; {counted(held, 'resource')} held back"
    if not (waiting or held or summary.timed_out):
        return f"{paint('Converged:', Style.BOLD, Style.GREEN)} {done if counts else 'nothing to do'}; {_how_many(summary)}"
    why = " in the time given (--timeout)" if summary.timed_out else ""
    return f"{paint(f'Not converged{why}:', Style.BOLD, Style.RED)} {done}; {counted(waiting, 'resource')} of {total} not ready"


def _how_many(summary: Summary) -> str:
    ready = sum(status.ready for status in summary.statuses.values())
    left_alone = len(summary.statuses) - ready
    return f"{ready} ready, {left_alone} suspended" if left_alone else f"{ready} ready"
