"""How values, times, places and numbers are written in what the command line shows. All pure."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resources.meta import Key, Problem

LONG_VALUE = 72  # characters of a value shown on one line
_MANY_NAMES = 8  # of a set of keys that are named


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def value(thing: Any) -> str:
    """A field's value on one line, as JSON has it; too long ones are cut, and closed all the same."""
    if thing is None:
        return "(none)"
    text = json.dumps(thing, ensure_ascii=False, default=str)
    return text if len(text) <= LONG_VALUE else f"{text[: LONG_VALUE - 2]}…{text[-1]}"


def as_json(document: Any) -> str:
    """A document for programs, indented for the people who look at it all the same."""
    return json.dumps(document, indent=2, ensure_ascii=False, default=str)


def as_yaml(documents: Iterable[Any]) -> str:
    """Documents as YAML for people: in the given order, texts of several lines as blocks. Without the last newline."""
    from resources.writing import yaml_text

    return yaml_text(documents).removesuffix("\n")


def took(seconds: float) -> str:
    """How long something took: `4 ms`, `0.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.1f} s"


def printable(text: str) -> str:
    """A line without control characters: the content of a file must not drive the terminal that shows it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)


def names(keys: Iterable[Key]) -> str:
    """The first of some keys, and how many more there are."""
    ordered = sorted(keys)
    shown = ", ".join(key.short for key in ordered[:_MANY_NAMES])
    return shown if len(ordered) <= _MANY_NAMES else f"{shown} and {len(ordered) - _MANY_NAMES} more"


def span(seconds: float) -> str:
    """A length of time as kubectl shows ages: `8s`, `5m12s`, `3h4m`, `2d`."""
    whole = max(0, int(seconds))
    minutes, secs = divmod(whole, 60)
    hours, mins = divmod(minutes, 60)
    days = hours // 24
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{secs}s" if secs else f"{minutes}m"
    if minutes < 120:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{mins}m" if mins else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"


def age(at: float, now: float) -> str:
    """How long ago; `at` 0 is unknown."""
    return span(now - at) if at else "-"


def moment(at: float) -> str:
    """A time in UTC to the second, as RFC 3339 writes it; empty when unknown, or no time at all (a damaged row)."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""
    except (OverflowError, ValueError, OSError):
        return ""


def place(file: str) -> str:
    """A path as seen from the working directory when it lies below it."""
    here = f"{Path.cwd()}{os.sep}"
    return file.removeprefix(here)


def problem_line(problem: Problem) -> str:
    """`file:line:column: field: message`, the form that editors jump to."""
    return str(problem).replace(problem.file, place(problem.file), 1)
