"""Env files as a container has them: NAME=value lines, the value plain or in quotes. Its agent reads by this."""

from __future__ import annotations

import re

_QUOTED = re.compile(r"""(["'])(.*?)\1(?:\s+#.*)?""", re.DOTALL)


class Unreadable(ValueError):
    """A line that is none. Its text is not told: it may be secret."""

    def __init__(self, line: int) -> None:
        super().__init__(f"cannot read line {line}")
        self.line = line  # from 1


def variables_in(text: str) -> dict[str, str]:
    """The variables, later lines first. Raises Unreadable."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            name, separator, value = line.removeprefix("export ").partition("=")
            if not separator or not name.strip():
                raise Unreadable(number)
            found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    """Less quotes around it, and a comment behind it: what follows a space and #."""
    if found := _QUOTED.fullmatch(value):
        return found[2]
    return value.partition(" #")[0].rstrip()
