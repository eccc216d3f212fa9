"""How a plan looks: fields, not blobs. `diff`, `apply` and `delete` show plans with it. Pure.

~ Container/web  update (restart)
    env.TZ: "UTC" -> "Europe/Berlin"   edited
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from controller.surfaces.cli.console import Paint, Style
from controller.surfaces.cli.words import LONG_VALUE, counted, names, printable, value
from resources.meta import Key
from resources.plan import Action, Change, Disruption, Plan, Why

if TYPE_CHECKING:
    from controller.engine.agent import Failure
    from controller.engine.stores import Hold
    from controller.wiring.outcome import Preview
    from resources.meta import Declared, Spec

SYMBOLS = {
    Action.CREATE: ("+", Style.GREEN),
    Action.ADOPT: (">", Style.CYAN),
    Action.UPDATE: ("~", Style.YELLOW),
    Action.REPLACE: ("-/+", Style.MAGENTA),
    Action.DELETE: ("-", Style.RED),
    Action.NONE: (" ", Style.DIM),
}
DONE = {
    Action.NONE: "left as it is",
    Action.CREATE: "created",
    Action.ADOPT: "adopted",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
}
_DIFF_LINES = 30  # of a multi-line text that are shown
# What the action says by itself.
_OBVIOUS = {(Action.REPLACE, Disruption.RECREATE), (Action.DELETE, Disruption.DELETE)}


def preview_lines(preview: Preview, paint: Paint, detailed: Mapping[Key, Declared]) -> Iterator[str]:
    """The whole preview: actions in order, what is held back, what could not be found out, and the summary.

    Of creates of what is in `detailed` the fields are shown.
    """
    for plan in preview.plans:
        shown = detailed.get(plan.key) if plan.action is Action.CREATE else None
        yield from plan_lines(plan, paint, declared_fields(shown.resource.spec) if shown else ())
    for plan in preview.reported:
        yield from plan_lines(plan, paint, planned=False)
    yield from hold_lines(preview.holds, paint)
    yield from explained_lines(preview.failures, paint)
    if preview.plans or preview.reported or preview.holds or preview.failures:
        yield ""
    yield summary_line(preview, paint)


def plan_lines(
    plan: Plan, paint: Paint, fields: Iterable[tuple[str, Any]] = (), *, planned: bool = True
) -> Iterator[str]:
    """One resource: what happens to it, or what differs although nothing is `planned`, then a line for each field."""
    symbol, style = SYMBOLS[plan.action] if planned else ("=", Style.DIM)
    line = f"{paint(symbol, Style.BOLD, style)} {paint(plan.key.short, Style.BOLD)}  {paint(plan.action, style)}"
    if plan.disruption is not Disruption.NOTHING and (plan.action, plan.disruption) not in _OBVIOUS:
        line += f" ({plan.disruption})"
    if plan.loses_data:
        line += "  " + paint("loses data", Style.BOLD, Style.RED)
    yield line
    for path, set_to in fields:
        yield from _indented(_field_lines(path, set_to, paint))
    for change in plan.changes:
        yield from _indented(change_lines(change, paint))
    for note in plan.notes:
        yield from _indented([paint(f"note: {note}", Style.DIM)])


def change_lines(change: Change, paint: Paint) -> Iterator[str]:
    """One field: old -> new and why. Texts of several lines as a diff, long lists by what came and went."""
    why = paint(str(change.why), Style.MAGENTA if change.why is Why.DRIFTED else Style.DIM)
    details = _difference(change.observed, change.desired)
    if details:
        yield f"{change.path}:   {why}"
        yield from _indented(_coloured(details, paint))
    else:
        old, new = paint(value(change.observed), Style.RED), paint(value(change.desired), Style.GREEN)
        yield f"{change.path}: {old} -> {new}   {why}"


def hold_lines(holds: Iterable[Hold], paint: Paint) -> Iterator[str]:
    """What is not deleted although nobody declares it, and why; the message says what lets it go."""
    for hold in holds:
        yield f"{paint('!', Style.BOLD, Style.YELLOW)} held back ({hold.reason}): {counted(len(hold.keys), 'resource')}"
        yield f"    {names(hold.keys)}"
        yield f"    {hold.message}"


class Explained(Protocol):
    """A failure, or a status: it has a reason and a message."""

    @property
    def reason(self) -> str: ...

    @property
    def message(self) -> str: ...


def explained_lines(troubles: Mapping[Key, Explained], paint: Paint) -> Iterator[str]:
    """What does not go as it should, once for each reason: one missing engine stops many resources."""
    alike: dict[tuple[str, str], list[Key]] = {}
    for key, trouble in troubles.items():
        alike.setdefault((trouble.reason, trouble.message), []).append(key)
    for (reason, message), keys in alike.items():
        yield f"{paint('!', Style.BOLD, Style.RED)} {names(keys)}  {paint(reason, Style.RED)}"
        yield from _indented(message.splitlines())


def summary_line(preview: Preview, paint: Paint) -> str:
    """`Plan: 2 to create, 1 to update, 0 to delete; 197 unchanged`."""
    counts = Counter(plan.action for plan in preview.plans)
    always = (Action.CREATE, Action.UPDATE, Action.DELETE)
    shown = (Action.CREATE, Action.ADOPT, Action.UPDATE, Action.REPLACE, Action.DELETE)
    actions = ", ".join(f"{counts[action]} to {action}" for action in shown if action in always or counts[action])
    parts = [f"{actions}", f"{len(preview.unchanged)} unchanged"]
    if preview.reported:
        parts.append(f"{len(preview.reported)} only reported")
    if held := len({key for hold in preview.holds for key in hold.keys}):
        parts.append(f"{held} held back")
    parts += (paint(f"{count} {what}", Style.RED) for what, count in _in_trouble(preview.failures).items())
    return f"{paint('Plan:', Style.BOLD)} {'; '.join(parts)}"


def _in_trouble(failures: Mapping[Key, Failure]) -> Counter[str]:
    """What passes by itself, most of it a system that does not answer, and what waits for somebody."""
    if not failures:
        return Counter()
    from controller.engine.agent import Retry

    return Counter("not known" if isinstance(each, Retry) else "not possible" for each in failures.values())


def declared_fields(spec: Spec) -> Iterator[tuple[str, Any]]:
    """What a spec says, as (path, value); maps entry by entry, as in changes."""
    for name, told in spec.model_dump(mode="json", exclude_unset=True).items():
        if isinstance(told, dict):
            yield from ((f"{name}.{entry}", inner) for entry, inner in told.items())
        else:
            yield name, told


def _field_lines(path: str, set_to: Any, paint: Paint) -> Iterator[str]:
    if isinstance(set_to, str) and "\n" in set_to:
        yield f"{path}:"
        yield from _indented(_coloured(_shortened([f"+{line}" for line in set_to.splitlines()]), paint))
    else:
        yield f"{path}: {paint(value(set_to), Style.GREEN)}"


def _difference(old: Any, new: Any) -> list[str]:
    """Lines of a difference that one line can't show; empty where it can."""
    if isinstance(old, str | None) and isinstance(new, str | None) and "\n" in f"{old or ''}{new or ''}":
        import difflib

        unified = difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), n=2, lineterm="")
        lines = list(unified)[2:]  # the two headings would name files; there are none
        return _shortened(lines or ["\\ only the newline at the end differs"])
    if isinstance(old, list) and isinstance(new, list) and len(value(old)) + len(value(new)) > LONG_VALUE:
        gone, come = [item for item in old if item not in new], [item for item in new if item not in old]
        lines = [*(f"-{value(item)}" for item in gone), *(f"+{value(item)}" for item in come)]
        return _shortened(lines or ["\\ the order differs"])
    return []


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _DIFF_LINES:
        return lines
    return [*lines[:_DIFF_LINES], f"\\ and {counted(len(lines) - _DIFF_LINES, 'more line')}"]


def _coloured(lines: Iterable[str], paint: Paint) -> Iterator[str]:
    styles = {"-": Style.RED, "+": Style.GREEN, "@": Style.CYAN, "\\": Style.DIM}
    for line in map(printable, lines):
        style = styles.get(line[:1])
        yield paint(line, style) if style else line


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
