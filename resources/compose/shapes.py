"""What a field may be: each shape brings a value to its long form, merges two of them, and drops what says nothing.

`schema.py` is made of these and of those with parts, in `structures.py`. `form` gets what was written, variables not yet
filled in, and reports what is wrong; `merge` and `finish` see only long forms that were sound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from resources.compose.filling import Filling
from resources.compose.nodes import Path, Place, Report
from resources.compose.scalars import written

TEXT, NUMBER, TRUTH = "text", "a number", "true or false"


class Shape:
    """Any value, as it is written."""

    keep = True  # whether the long form says it even when it is empty or false
    parts = False  # whether there is anything to finish in it

    def form(self, value: Any, at: Place, path: Path, filling: Filling) -> Any:
        return filling.everything(value, at, path)

    def merge(self, base: Any, other: Any) -> Any:
        """`other` over `base`."""
        return base if other is None else other

    def finish(self, value: Any, at: Place, path: Path, report: Report) -> Any:
        """The value less what says nothing, once all files are merged; what must be there and is not is reported."""
        return value


class Text(Shape):
    """Text. `optional`: or nothing, which is handed on. `numbers`: or a number, which becomes text."""

    def __init__(
        self,
        *,
        keep: bool = False,
        choices: Iterable[str] = (),
        pattern: str = "",
        like: str = "",
        optional: bool = False,
        numbers: bool = False,
        truths: bool = False,
        then: Callable[[str, Place, Path, Filling], Any] | None = None,
    ) -> None:
        self.keep = keep
        self._choices = tuple(choices)
        self._pattern = re.compile(pattern) if pattern else None
        self._like = like or f"it must have the form {pattern}"
        self._optional = optional
        self._kinds: tuple[type, ...] = (int, float) if numbers else ()
        self._truths = truths
        self._then = then

    def form(self, value: Any, at: Place, path: Path, filling: Filling) -> Any:
        if isinstance(value, str):
            text = filling.text(value, at, path)
        elif value is None and self._optional:
            return None
        elif (self._truths and isinstance(value, bool)) or (type(value) in self._kinds):
            text = written(value)
        else:
            return filling.wrong(value, at, path, TEXT)
        if self._choices and text not in self._choices:
            known = " or ".join(filter(None, (", ".join(self._choices[:-1]), self._choices[-1])))
            filling.fail(at, path, f"cannot be {filling.named(value)}: write {known}")
        elif self._pattern and not self._pattern.search(text):
            filling.fail(at, path, f"cannot be {filling.named(value)}: {self._like}")
        return self._then(text, at, path, filling) if self._then and not filling.broken(at) else text


class Truth(Shape):
    """true or false, also as text: a variable gives no other."""

    def __init__(self, *, keep: bool = False) -> None:
        self.keep = keep

    def form(self, value: Any, at: Place, path: Path, filling: Filling) -> Any:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return filling.wrong(value, at, path, TRUTH)
        text = filling.text(value, at, path).lower()
        if text in ("true", "false"):
            return text == "true"
        if text in ("y", "yes", "on", "n", "no", "off"):
            truth = "true" if text in ("y", "yes", "on") else "false"
            filling.warn(at, path, f'"{text}" is not a truth in YAML 1.2: write {truth}')
            return truth == "true"
        return filling.wrong(value, at, path, TRUTH)


class Number(Shape):
    """A number, also as text. `whole`: without a fraction. `words`: what may stand in its place."""

    def __init__(
        self,
        *,
        whole: bool = True,
        keep: bool = False,
        low: int | None = None,
        high: int | None = None,
        base: int = 10,
        words: Mapping[str, int] | None = None,
    ) -> None:
        self.keep = keep
        self._whole, self._low, self._high, self._base = whole, low, high, base
        self._words = words or {}

    def form(self, value: Any, at: Place, path: Path, filling: Filling) -> Any:
        number = value
        if isinstance(value, str):
            text = filling.text(value, at, path)
            number = self._words[text.lower()] if text.lower() in self._words else self._read(text)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            number = None
        if isinstance(number, float) and number.is_integer() and (self._whole or abs(number) < 2**53):
            number = int(number)
        if number is None or (self._whole and isinstance(number, float)):
            return filling.wrong(value, at, path, "a whole number" if self._whole else NUMBER)
        if (self._low is not None and number < self._low) or (self._high is not None and number > self._high):
            limits = f"at least {self._low}" + (f" and at most {self._high}" if self._high is not None else "")
            filling.fail(at, path, f"cannot be {number}: it must be {limits}")
        return number

    def _read(self, text: str) -> int | float | None:
        try:
            return int(text, self._base) if self._whole else float(text)
        except ValueError:
            return None
