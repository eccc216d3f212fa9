"""Listeners that show an apply at work: moving lines on a terminal, one line after the other in a pipe.

`apply` and `delete` hand one to the workspace. All is written to stderr. The engine calls from its own threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from typing import TYPE_CHECKING

from controller.engine.stores import Silent
from controller.surfaces.cli.console import Console, Paint, Style
from controller.surfaces.cli.plan_view import DONE, SYMBOLS
from controller.surfaces.cli.words import took
from resources.conditions import Reason, Status
from resources.meta import Key
from resources.plan import Plan

if TYPE_CHECKING:
    from controller.surfaces.cli.drawing import Drawing

# Not Ready for these reasons is on the way, or as wanted: nothing to report while it lasts.
_QUIET = frozenset(
    {
        Reason.CONVERGED,
        Reason.PENDING,
        Reason.PROGRESSING,
        Reason.DEPENDENCY_NOT_READY,
        Reason.SUSPENDED,
        Reason.DRIFTED,
        Reason.DELETING,
        Reason.RETAINED,
    }
)
_PAUSE = 5.0  # seconds between two lines about one key in a pipe
_PATIENCE = 0.5  # seconds of waiting that need no explanation


class Progress(Silent):
    """Says what was done and what went wrong, each thing once, through `_say`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = Lock()
        self._said: set[tuple[str, str]] = set()

    def begin(self, total: int) -> None:
        """Work on `total` actions begins."""

    def end(self) -> None:
        """No more will be shown."""

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        if outcome == "done":
            self._say(done_line(plan, seconds, self._console.paint_err))

    def settled(self, key: Key, status: Status) -> None:
        if status.ready or status.reason in _QUIET:
            return
        with self._lock:
            if (status.reason, status.message) in self._said:
                return
            self._said.add((status.reason, status.message))
        self._say(trouble_line(key, status, self._console.paint_err))

    def _say(self, line: str) -> None:
        # Whoever read it may be gone: that must not stop the work.
        with suppress(OSError, ValueError), self._lock:
            self._console.note(line)


class PlainProgress(Progress):
    """For a pipe or a log: now and then a line about what takes long."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console)
        self._clock = clock
        self._last: dict[Key, float] = {}

    def progressed(self, key: Key, fraction: float | None, message: str) -> None:
        now = self._clock()
        with self._lock:
            if now - self._last.setdefault(key, now) < _PAUSE:
                return
            self._last[key] = now
        self._say(f"  {key.short}: {_share(fraction)}{message}")


class LiveProgress(Progress):
    """For a terminal: a bar for the whole, and a line for everything under way."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._drawing: Drawing | None = None

    def begin(self, total: int) -> None:
        if total:
            from controller.surfaces.cli.drawing import Drawing

            self._drawing = Drawing(self._console.err, total, self._console.err_width)

    def end(self) -> None:
        if self._drawing:
            self._drawing.close()
            self._drawing = None

    def started(self, plan: Plan) -> None:
        if self._drawing:
            self._drawing.begin(plan.key, f"{plan.action} {plan.key.short}")

    def progressed(self, key: Key, fraction: float | None, message: str) -> None:
        if self._drawing:
            self._drawing.move(key, fraction, f"{key.short}: {message}")

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        if self._drawing:
            self._drawing.end(plan.key, done=outcome == "done")
        super().finished(plan, outcome, seconds)

    def _say(self, line: str) -> None:
        if self._drawing:
            self._drawing.say(line)
        else:
            super()._say(line)


def progress_on(console: Console) -> Progress:
    """The listener that suits where stderr goes."""
    return LiveProgress(console) if console.live else PlainProgress(console)


@contextmanager
def waiting(console: Console, message: str) -> Iterator[None]:
    """Shows a spinner while the body runs, if a person watches and it takes long enough to wonder."""
    if not console.live:
        yield
        return
    spinner = _Spinner(console, message)
    timer = Timer(_PATIENCE, spinner.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        spinner.stop()


class _Spinner:
    def __init__(self, console: Console, message: str) -> None:
        self._console = console
        self._message = message
        self._lock = Lock()
        self._stopped = False
        self._stop: Callable[[], None] = lambda: None

    def start(self) -> None:
        from controller.surfaces.cli.drawing import spinner

        status = spinner(self._console.err, self._message, self._console.err_width)
        with self._lock:
            if not self._stopped:
                status.start()
                self._stop = status.stop

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._stop()


def done_line(plan: Plan, seconds: float, paint: Paint) -> str:
    """`+ created Container/web in 0.4 s`."""
    symbol, style = SYMBOLS[plan.action]
    return f"{paint(symbol, Style.BOLD, style)} {DONE[plan.action]} {plan.key.short} in {took(seconds)}"


def trouble_line(key: Key, status: Status, paint: Paint) -> str:
    """`! Container/web: ApplyFailed: cannot ...`."""
    return f"{paint('!', Style.BOLD, Style.RED)} {key.short}: {paint(status.reason, Style.RED)}: {status.message}"


def _share(fraction: float | None) -> str:
    return "" if fraction is None else f"{fraction:.0%} "
