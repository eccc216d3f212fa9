"""Columns of text, aligned for people and easy to cut for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.surfaces.cli.console import Paint, Style

_GAP = "   "
_LEAST = 20  # columns of the last cell that are shown however narrow the terminal is


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: Style | None = None


class Table:
    """A heading, then rows as they come; the columns are as wide as the widest cell of the first rows."""

    def __init__(self, heading: Sequence[str], paint: Paint, *, width: int | None = None) -> None:
        """The last column is cut so that lines are at most `width` long."""
        self._heading = heading
        self._paint = paint
        self._width = width
        self._sizes: list[int] = []

    def lines(self, body: Sequence[Sequence[Cell]]) -> Iterator[str]:
        """More rows; the first time under the heading."""
        rows = list(body)
        if not self._sizes:
            rows.insert(0, [Cell(text, Style.BOLD) for text in self._heading])
            self._sizes = [max(len(row[column].text) for row in rows) for column in range(len(self._heading))]
        return (self._line(row) for row in rows)

    def _line(self, row: Sequence[Cell]) -> str:
        *first, last = row
        before = "".join(self._padded(cell, size) + _GAP for cell, size in zip(first, self._sizes, strict=False))
        return (before + self._padded(Cell(self._cut(last.text), last.style), 0)).rstrip()

    def _padded(self, cell: Cell, size: int) -> str:
        padding = " " * (size - len(cell.text))
        return (self._paint(cell.text, cell.style) if cell.style else cell.text) + padding

    def _cut(self, text: str) -> str:
        line = text.replace("\n", " ")
        if self._width is None:
            return line
        used = sum(self._sizes[:-1]) + len(_GAP) * (len(self._sizes) - 1)
        room = max(self._width - used, _LEAST)
        return line if len(line) <= room else line[: room - 1] + "…"
