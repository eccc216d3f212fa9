"""YAML text -> plain documents, or problems with line and column. `load.py` calls `read` for every file.

The whole file is read at a stretch. Only when that fails it is read document by document, so that one which is no YAML
takes none of the others with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from resources.meta import Problem
from resources.values import Builder, Document, Hopeless
from resources.wording import syntax_problem

LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SEPARATOR = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    documents: tuple[Document, ...]  # empty ones left out
    problems: tuple[Problem, ...]


def read(text: bytes, file: str) -> Reading:
    """All documents of a file. One that can't be read takes none of the others with it."""
    if problem := _undecodable(text, file):
        return Reading((), (problem,))
    try:
        builders = [_built(text, file, 0)]
    except (yaml.YAMLError, Hopeless):
        builders = list(_one_by_one(text, file))
    documents, problems, before = [], [], 0
    for builder in builders:
        documents += [found._replace(number=found.number + before) for found in builder.documents]
        problems += builder.problems
        before += builder.count
    return Reading(tuple(documents), tuple(problems))


def chunks(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The text of each document with the number of lines before it."""
    starts = [0, *(found.start() for found in _SEPARATOR.finditer(text) if found.start())]
    line = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield line, text[start:end]
        line += text.count(b"\n", start, end)


def _undecodable(text: bytes, file: str) -> Problem | None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        start = text.rfind(b"\n", 0, error.start) + 1
        column = len(text[start : error.start].decode()) + 1
        return Problem(file, "cannot read this as text: save the file as UTF-8", _line_of(text, error.start), column)
    return None


def _line_of(text: bytes, offset: int) -> int:
    return text.count(b"\n", 0, offset) + 1


def _one_by_one(text: bytes, file: str) -> Iterator[Builder]:
    for line, chunk in chunks(text):
        try:
            yield _built(chunk, file, line)
        except yaml.YAMLError as error:
            builder = Builder(file, line)
            builder.fail(syntax_problem(error, chunk, file, line))
            yield builder
        except Hopeless as hopeless:
            yield hopeless.builder


def _built(text: bytes, file: str, line: int) -> Builder:
    builder = Builder(file, line)
    loader = LOADER(text)
    try:
        builder.build(loader.get_event)
    finally:
        loader.dispose()
    return builder
