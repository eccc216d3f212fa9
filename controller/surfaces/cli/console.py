"""Where a command reads and writes: data to `out`, everything else to `err`, colour only where a person looks.

Colours are plain escape codes: importing rich takes longer than a whole `p2 diff`. Rich draws what moves (progress.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.written import unwritable


class Style(StrEnum):
    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    MAGENTA = "35"
    CYAN = "36"


class Paint:
    """Colours text, or leaves it as it is."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, *styles: Style) -> str:
        if not self.colour or not styles or not text:
            return text
        return f"\033[{';'.join(styles)}m{text}\033[0m"


PLAIN = Paint(False)
PAINTS = (PLAIN, Paint(True))  # by whether there are colours


@dataclass(frozen=True)
class Console:
    """The streams of one command. `live`: a person watches `err`, so what is shown there may move."""

    out: TextIO
    err: TextIO
    paint: Paint = PLAIN  # for `out`
    paint_err: Paint = PLAIN
    live: bool = False
    asks: bool = False  # a person can be asked
    width: int | None = None  # columns of the terminal behind `out`, None in a pipe
    err_width: int | None = None  # of the one behind `err`, where that can't be found out from the stream itself

    @classmethod
    def standard(cls, environment: Mapping[str, str] = os.environ) -> Console:
        """The process's own streams. NO_COLOR (https://no-color.org) and TERM=dumb are obeyed."""
        out, err = sys.stdout, sys.stderr
        dumb = environment.get("TERM") == "dumb"
        colour = not environment.get("NO_COLOR") and not dumb
        return cls(
            out,
            err,
            paint=Paint(colour and out.isatty()),
            paint_err=Paint(colour and err.isatty()),
            live=err.isatty() and not dumb,
            asks=sys.stdin is not None and sys.stdin.isatty() and err.isatty(),
            width=_columns() if out.isatty() else None,
        )

    def print(self, lines: Iterable[str] | str) -> None:
        """Lines of data."""
        _write(self.out, lines)

    def note(self, lines: Iterable[str] | str) -> None:
        """Lines beside the data: progress, warnings, errors."""
        _write(self.err, lines)

    def ask(self, question: str) -> bool:
        """Whether the person says yes. Only where `asks`."""
        from controller.surfaces.cli.typed import typed_line

        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        return typed_line().strip().lower() in ("y", "yes")


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _write(stream: TextIO, lines: Iterable[str] | str) -> None:
    """Each call arrives at once: somebody may be reading line by line."""
    text = lines if isinstance(lines, str) else "\n".join(lines)
    if not text and not isinstance(lines, str):
        return
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused(unwritable(error)) from error
