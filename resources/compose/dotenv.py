"""Env files in Compose's dialect -> variables. `.env` beside a project, `env_file` of includes and of services.

https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from resources.compose.nodes import Report, Stop
from resources.compose.variables import Unfit, substituted
from resources.meta import Read

_SPACE = " \t\v\f\r\x85\xa0"
_EXPORT = re.compile(r"export[ \t]+")
_NAME = re.compile(r"[\w.\-\[\]]+")
_ESCAPE = re.compile(r"\\([abcfnrtv$\"\\]|0[0-7]{0,3})")
_ESCAPED = {
    "a": "\a",
    "b": "\b",
    "c": "\\c",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    '"': '"',
    "\\": "\\",
}


def read_env(
    path: Path, *, read: Read, variables: Mapping[str, str], report: Report, raw: bool = False
) -> dict[str, str]:
    """The variables of one env file; `variables` win where it refers to them, and give those it only names.

    Raises OSError, and Stop when its text is at fault. `raw`: values stand for themselves, quotes and all.
    """
    text = read(path).decode("utf-8-sig", errors="replace")
    if raw:
        return _raw(text)
    return _Reader(text.replace("\r\n", "\n"), str(path), variables, report).all()


def _raw(text: str) -> dict[str, str]:
    lines = (line.lstrip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value for name, _, value in pairs}


class _Reader:
    def __init__(self, text: str, file: str, variables: Mapping[str, str], report: Report) -> None:
        self._text = text
        self._file = file
        self._variables = variables
        self._report = report
        self._at = 0
        self._found: dict[str, str] = {}

    def all(self) -> dict[str, str]:
        while self._next_statement():
            start = self._at
            if export := _EXPORT.match(self._text, self._at):
                self._at = export.end()
            self._statement(start)
        return self._found

    def _next_statement(self) -> bool:
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                self._at = self._end_of_line()
            elif self._text[self._at].isspace():
                self._at += 1
            else:
                return True
        return False

    def _statement(self, start: int) -> None:
        found = _NAME.match(self._text, self._at)
        if found is None:
            self._stop(start, "cannot read this line: write NAME=value, or # before a comment")
        name, self._at = found[0], found.end()
        self._skip_space()
        sign = self._text[self._at : self._at + 1]
        if sign in ("", "\n"):
            if name in self._variables:
                self._found[name] = self._variables[name]
            return
        if sign not in "=:":
            self._stop(start, "cannot read the name in this line: write NAME=value, the name without spaces")
        self._at += 1
        self._skip_space()
        self._found[name] = self._value(start)

    def _value(self, start: int) -> str:
        quote = self._text[self._at : self._at + 1]
        if quote not in ("'", '"') or not quote:
            end = self._end_of_line()
            value = self._text[self._at : end].split(" #", 1)[0].rstrip()
            self._at = end
            return self._expanded(value, start)
        value = self._quoted(quote, start)
        if quote == "'":
            return value
        return self._expanded(_ESCAPE.sub(_unescaped, value), start)

    def _quoted(self, quote: str, start: int) -> str:
        characters: list[str] = []
        at = self._at + 1
        while at < len(self._text) and (character := self._text[at]) != quote:
            if character == "\\" and self._text[at + 1 : at + 2] == quote:
                characters.append(quote)
                at += 2
            elif character == "\\" and at + 1 < len(self._text):
                characters.append(self._text[at : at + 2])
                at += 2
            else:
                characters.append(character)
                at += 1
        if at >= len(self._text):
            self._stop(start, f"cannot find the end of the text in quotes that begins here: close it with {quote}")
        self._at = at + 1
        return "".join(characters)

    def _expanded(self, value: str, start: int) -> str:
        try:
            return substituted(value, {**self._found, **self._variables}, lambda name: None)
        except Unfit:  # what it says quotes the value, which may be secret
            self._stop(start, "cannot fill in the variables of this value: close its braces, or write $$ for a $")

    def _skip_space(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1

    def _end_of_line(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _stop(self, at: int, message: str) -> NoReturn:
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        self._report.fail((self._file, line, column), (), message)
        raise Stop


def _unescaped(found: re.Match[str]) -> str:
    what = found[1]
    if what == "$":
        return "$$"
    return chr(int(what, 8)) if what[0] == "0" else _ESCAPED[what]
