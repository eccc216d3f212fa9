"""What moves on a terminal, drawn with rich. progress.py imports this when there is something to draw, not before."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.status import Status
from rich.table import Column
from rich.text import Text

from resources.meta import Key


class Drawing:
    """A line for the whole with a bar, and below it one for everything under way. Safe from any thread."""

    def __init__(self, stream: TextIO, total: int, width: int | None = None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            _Description("{task.description}", markup=False, table_column=Column()),
            _KnownBar(bar_width=30),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=_Console(file=stream, width=width),
            transient=True,
            redirect_stdout=False,  # in a controller those are not this person's
            redirect_stderr=False,
        )
        self._total = total
        self._done = 0
        self._whole = self._progress.add_task("applying", total=total, amount=f"0/{total}")
        self._tasks: dict[Key, TaskID] = {}
        self._progress.start()

    def begin(self, key: Key, text: str) -> None:
        self._tasks[key] = self._progress.add_task(text, total=None, amount="")

    def move(self, key: Key, fraction: float | None, text: str) -> None:
        if key in self._tasks:
            amount = "" if fraction is None else f"{fraction:.0%}"
            total = None if fraction is None else 1.0
            self._progress.update(
                self._tasks[key], description=text, completed=fraction or 0, total=total, amount=amount
            )

    def end(self, key: Key, *, done: bool) -> None:
        if key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))
        self._done += done
        self._progress.update(self._whole, completed=self._done, amount=f"{self._done}/{self._total}")

    def say(self, line: str) -> None:
        """A line, coloured already, that stays above what moves."""
        self._progress.console.print(Text.from_ansi(line), soft_wrap=True)

    def close(self) -> None:
        """Nothing of it is left."""
        self._progress.stop()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever looked at it has gone, which must not stop the work; rich would end the process here."""
        self.quiet = True


class _Description(TextColumn):
    """What gives way on a narrow terminal, so that bar and time are still seen."""

    def render(self, task: Task) -> Text:
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


class _KnownBar(BarColumn):
    """A bar where it is known how much there is."""

    def render(self, task: Task) -> Text:  # type: ignore[override]  # rich takes any renderable
        return super().render(task) if task.total is not None else Text("")  # type: ignore[return-value]


def spinner(stream: TextIO, message: str, width: int | None = None) -> Status:
    """A spinning line; to be started and stopped."""
    return _Console(file=stream, width=width).status(message)
