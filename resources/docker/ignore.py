"""What a `.dockerignore` file keeps out of a build. Pure; `controller/trees.py` walks with it.

The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files, in the detail of the program that
Docker itself uses for them (https://github.com/moby/patternmatcher): the last pattern that matches a path, or a directory
that it is in, decides.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_TO_ESCAPE = frozenset(".+()|{}$^")
_WILD = frozenset("*?[\\")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. `exception`: it began with an exclamation mark, and brings back in what others have kept out."""

    text: str
    exception: bool
    expression: re.Pattern[str]

    def matches(self, path: str) -> bool:
        return self.expression.fullmatch(path) is not None

    def may_match_below(self, directory: str) -> bool:
        """Whether something in `directory` could match. Errs on the side of yes."""
        wanted, there = self.text.split("/"), directory.split("/")
        for part, name in zip(wanted, there, strict=False):
            if "**" in part:
                return True
            if part != name and (_WILD.isdisjoint(part) or not _part(part).fullmatch(name)):
                return False
        return True


class Ignore:
    """The patterns of one file, in their order."""

    def __init__(self, patterns: Sequence[Pattern] = ()) -> None:
        self._patterns = patterns
        self._exceptions = [pattern for pattern in patterns if pattern.exception]

    @classmethod
    def parse(cls, text: str) -> Ignore:
        """Raises ValueError for a pattern that can't be read."""
        return cls([pattern for line in text.removeprefix("\ufeff").splitlines() if (pattern := _pattern(line))])

    def ignores(self, path: str) -> bool:
        """Whether `path`, relative to the context and without a slash at its ends, is kept out."""
        if not self._patterns:
            return False
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts))]
        ignored = False
        for pattern in self._patterns:
            if pattern.exception is ignored and (pattern.matches(path) or any(map(pattern.matches, above))):
                ignored = not pattern.exception
        return ignored

    def prunes(self, directory: str) -> bool:
        """Whether everything in a directory that is kept out is kept out, too."""
        return not any(pattern.may_match_below(directory) for pattern in self._exceptions)


def _pattern(line: str) -> Pattern | None:
    if line.startswith("#") or not (text := line.strip()):
        return None
    exception = text.startswith("!")
    text = text[1:].strip() if exception else text
    if not text:
        raise ValueError('cannot read the pattern "!": write what is not to be ignored behind it')
    text = posixpath.normpath(text)
    text = text.lstrip("/") or "/"
    try:
        return Pattern(text, exception, re.compile(_expression(text), re.DOTALL))
    except re.error:
        raise ValueError(f'cannot read the pattern "{line.strip()}": close the bracket') from None


@lru_cache(1024)
def _part(text: str) -> re.Pattern[str]:
    return re.compile(_expression(text), re.DOTALL)


def _expression(text: str) -> str:
    """A pattern as a regular expression: `*` stays within a name, `**` goes through any number of directories."""
    if text.startswith("**") and _WILD.isdisjoint(rest := text[2:]):  # the end of the path is all that counts
        return f"(?:.*/)?{re.escape(rest[1:])}" if rest.startswith("/") else f".*{re.escape(rest)}"
    found, at, within_class = list[str](), 0, False
    while at < len(text):
        char = text[at]
        if text.startswith("**", at):
            at += 3 if text.startswith("**/", at) else 2
            found.append(".*" if at >= len(text) else "(?:.*/)?")
            continue
        if char == "*":
            found.append("[^/]*")
        elif char == "?":
            found.append("[^/]")
        elif char == "\\" and at + 1 < len(text):
            at += 1
            found.append(re.escape(text[at]))
        elif char in "[]" or (within_class and char == "^"):
            within_class = char != "]"
            found.append(char)
        else:
            found.append(f"\\{char}" if char in _TO_ESCAPE or char == "\\" else char)
        at += 1
    return "".join(found)
