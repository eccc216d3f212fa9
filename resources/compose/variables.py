"""`$NAME`, `${NAME:-default}` and their like within a text. Shapes call it for values, `dotenv.py` for env files.

https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Warn = Callable[[str], None]  # is told the name of a variable that is not set and has no default
Used = Callable[[str, str], None]  # is told name and value of each variable that goes into a text

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FORM = re.compile(r":?[-?+]")


class Unfit(ValueError):
    """A text that can't be filled in; the message says why and what to do."""


def substituted(text: str, variables: Mapping[str, str], warn: Warn, used: Used | None = None) -> str:
    """`text` with its variables filled in, `$$` being a `$`. Raises Unfit.

    `warn` hears of unset variables, which then are empty; it raises to refuse them.
    """
    return _Filling(variables, warn, used).filled(text) if "$" in text else text


class _Filling:
    def __init__(self, variables: Mapping[str, str], warn: Warn, used: Used | None) -> None:
        self._variables = variables
        self._warn = warn
        self._used = used

    def filled(self, text: str) -> str:
        parts, at = [], 0
        while (found := text.find("$", at)) >= 0:
            parts.append(text[at:found])
            value, at = self._one(text, found)
            parts.append(value)
        parts.append(text[at:])
        return "".join(parts)

    def _one(self, text: str, at: int) -> tuple[str, int]:
        """What the `$` at `at` stands for, and where the text goes on."""
        follows = text[at + 1 : at + 2]
        if follows == "$":
            return "$", at + 2
        if follows == "{":
            end = _closing(text, at + 1)
            if end < 0:
                raise Unfit(f'cannot find the end of "{_short(text[at:])}": close it with }}, or write $$ for a $')
            return self._braced(text[at + 2 : end], text[at : end + 1]), end + 1
        if name := _NAME.match(text, at + 1):
            return self._plain(name[0]), name.end()
        return "$", at + 1  # before anything else it is an ordinary character

    def _braced(self, inner: str, whole: str) -> str:
        name = _NAME.match(inner)
        if name and name.end() == len(inner):
            return self._plain(name[0])
        form = _FORM.match(inner, name.end()) if name else None
        if name is None or form is None:
            raise Unfit(f'cannot read "{_short(whole)}": write ${{NAME}}, ${{NAME:-default}}, or $$ for a $')
        return self._with(name[0], form[0], inner[form.end() :])

    def _with(self, name: str, form: str, word: str) -> str:
        value = self._variables.get(name)
        there = value is not None and (value != "" or form[0] != ":")
        match form[-1]:
            case "-":
                return self._taken(name, value or "") if there else self.filled(word)
            case "+":
                return self.filled(word) if there else ""
        if there:
            return self._taken(name, value or "")
        reason = word or "give it a value in an env file, or among the variables"
        raise Unfit(f"cannot do without the variable {name}: {reason}")

    def _plain(self, name: str) -> str:
        value = self._variables.get(name)
        if value is None:
            self._warn(name)
            return ""
        return self._taken(name, value)

    def _taken(self, name: str, value: str) -> str:
        if self._used is not None:
            self._used(name, value)
        return value


def _closing(text: str, at: int) -> int:
    """Where the brace that opens at `at` is closed, braces in it balanced; -1 when it is not."""
    depth = 0
    for place in range(at, len(text)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return place
    return -1


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
