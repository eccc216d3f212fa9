"""YAML text -> resources, or problems that name file, line, column and field. Sources call it; it opens no files.

Every document goes through JSON, as it does under kubectl: what JSON can't hold can't be declared, and a text is never
taken for a number or the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from resources import kinds
from resources.documents import read
from resources.meta import API_VERSION, DEFAULT_NAMESPACE, SUBSTITUTE, Declared, Key, Origin, Problem, Resource
from resources.parsed import Parsed, digest_of, validated
from resources.positions import Places
from resources.values import Document
from resources.wording import Mistake, nearest, spec_mistakes


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's resources, and what is wrong with it. `parsed` stands beside `documents`, one for one."""

    documents: tuple[Declared, ...]
    problems: tuple[Problem, ...]
    parsed: tuple[Parsed, ...] = ()


def load_text(text: bytes, file: str, base: Path | None) -> Loaded:
    """All resources of a file and all its problems. `base`: where relative paths in it start; None allows none."""
    reading = read(text, file)
    problems, declared, parsed = list(reading.problems), [], []
    places = Places(text)
    for document in reading.documents:
        found = _resource(document, base)
        if isinstance(found, Faulty):
            problems += _problems(found, document, file, places)
        elif document.sound:
            resource, written = found
            digest = digest_of(resource)
            declared.append(Declared(resource, Origin(file, document.number), digest))
            parsed.append(Parsed(document.number, resource.kind, digest, written))
    problems.sort(key=lambda problem: (problem.line, problem.column))
    return Loaded(tuple(declared), tuple(problems), tuple(parsed))


def locate(problems: Iterable[Problem], texts: Callable[[str], bytes]) -> list[Problem]:
    """`problems` that were found later, with line and column. `texts` reads a file.

    They are those of the field, where it is one of the spec, else of the resource's name.
    """
    placed: list[Problem] = []
    for file, group in groupby(problems, key=lambda problem: problem.file):
        of_file = list(group)
        if any(problem.document is not None for problem in of_file):
            of_file = _located(of_file, texts(file), file)
        placed += of_file
    return placed


def _located(problems: list[Problem], text: bytes, file: str) -> list[Problem]:
    lines, places = {document.number: document.line for document in read(text, file).documents}, Places(text)
    found = []
    for problem in problems:
        if problem.document in lines:
            path = _path(problem.field) if problem.field.startswith("spec") else ("metadata", "name")
            line, column = places.find(lines[problem.document], path)
            problem = replace(problem, line=line, column=column)
        found.append(problem)
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def _path(field: str) -> list[str | int]:
    """`spec.files[0]` -> its parts."""
    return [int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", field)]


@dataclass(frozen=True, slots=True)
class Faulty:
    """Why a document is no resource, and whose it would be."""

    key: Key | None
    mistakes: list[Mistake]


def _resource(document: Document, base: Path | None) -> tuple[Resource, bytes] | Faulty:
    content = document.content
    metadata = content.get("metadata") if isinstance(content, dict) else None
    if isinstance(metadata, dict) and SUBSTITUTE in (metadata.get("annotations") or ()):
        needed = "list this file in a kustomization.yaml, which has it done"
        mistake = Mistake(("metadata", "annotations", SUBSTITUTE), f"cannot fill in variables here: {needed}")
        return Faulty(_key(content), [mistake])
    return resource_of(content, base)


def resource_of(content: Any, base: Path | None) -> tuple[Resource, bytes] | Faulty:
    """The resource that plain values make, and the same as JSON. An overlay comes here by itself, past the text."""
    if not isinstance(content, dict):
        what = "a list" if isinstance(content, list) else "a single value"
        needed = "write apiVersion, kind, metadata and spec"
        return Faulty(None, [Mistake((), f"cannot use a document that is {what}: {needed}")])
    if mistakes := list(_wrong_head(content)):
        return Faulty(_key(content), mistakes)
    model = kinds.model_of(content["kind"])
    assert model is not None
    written = to_json(content)
    try:
        return validated(model, written, base), written
    except ValidationError as error:
        return Faulty(_key(content), spec_mistakes(error, model, content))


def _wrong_head(content: dict[str, Any]) -> Iterator[Mistake]:
    """Why a document can't even be given to a model."""
    version, kind = content.get("apiVersion"), content.get("kind")
    if version is None:
        yield Mistake(("apiVersion",), f'cannot do without "apiVersion": write apiVersion: {API_VERSION}')
    elif version != API_VERSION:
        foreign = str(version).partition("/")[0] != API_VERSION.partition("/")[0]
        way_out = ", or keep what is not for Pegasus2 elsewhere" if foreign else ""
        yield Mistake(("apiVersion",), f'cannot use apiVersion "{version}": write {API_VERSION}{way_out}')
        if foreign:
            return  # its kind is nothing that we could know
    if kind is None:
        yield Mistake(("kind",), f'cannot do without "kind": write one of {", ".join(kinds.names())}')
    elif not isinstance(kind, str) or kinds.model_of(kind) is None:
        meant = kinds.resolve(kind) if isinstance(kind, str) else None
        hint = f'; did you mean "{meant}"?' if meant else nearest(str(kind), kinds.names())
        yield Mistake(("kind",), f'unknown kind "{kind}"{hint}')


def _key(content: dict[str, Any]) -> Key | None:
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        return None
    kind, name, namespace = content.get("kind"), metadata.get("name"), metadata.get("namespace", DEFAULT_NAMESPACE)
    if isinstance(kind, str) and isinstance(name, str) and isinstance(namespace, str):
        return Key(kind, namespace, name)
    return None


def _problems(faulty: Faulty, document: Document, file: str, places: Places) -> Iterator[Problem]:
    for mistake in faulty.mistakes:
        line, column = places.find(document.line, mistake.path, name=mistake.name)
        yield Problem(file, mistake.message, line, column, mistake.field, faulty.key)
