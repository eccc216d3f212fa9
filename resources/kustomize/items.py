"""One object on its way from a file through patches and renamings: what it says, what it was called, who wrote what of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from resources.kustomize.scripts import Path, Script
from resources.meta import API_VERSION, DEFAULT_NAMESPACE, Problem

Content = dict[str, Any]


class Id(NamedTuple):
    """What Kustomize knows an object by."""

    version: str
    kind: str
    namespace: str
    name: str

    @property
    def shown(self) -> str:
        where = "" if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/"
        other = "" if self.version == API_VERSION else f" ({self.version})"
        return f"{self.kind}/{where}{self.name}{other}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a path in a document of a text."""

    script: Script
    document: int  # the line on which it begins
    path: tuple[str | int, ...] = ()


@dataclass(slots=True)
class Item:
    """`written`: by path, which place a value comes from that does not come from where the object was declared."""

    content: Content
    declared: Place
    number: int  # of the document within its file, from 0
    before: list[Id] = field(default_factory=list)  # the oldest first
    written: dict[tuple[str | int, ...], Place] = field(default_factory=dict)
    variables: set[tuple[str | int, ...]] = field(default_factory=set)  # paths of values that were one variable

    @property
    def id(self) -> Id:
        return id_of(self.content)

    @property
    def ids(self) -> list[Id]:
        return [*self.before, self.id]

    def mark(self, path: tuple[str | int, ...], place: Place) -> None:
        """The value at `path`, with all below it, was written at `place`."""
        for older in [each for each in self.written if each[: len(path)] == path]:
            del self.written[older]
        self.written[path] = place

    def place(self, path: Path) -> Place:
        """Where the value at `path` was written."""
        for length in range(len(path), -1, -1):
            if found := self.written.get(tuple(path[:length])):
                return Place(found.script, found.document, (*found.path, *path[length:]))
        return Place(self.declared.script, self.declared.document, tuple(path))

    def problem(self, message: str, path: Path, shown: str, *, name: bool = False) -> Problem:
        found = self.place(path)
        return found.script.problem(message, found.document, found.path, shown, name=name)


def id_of(content: Content) -> Id:
    metadata = content.get("metadata") or {}
    version, kind = content.get("apiVersion") or "", content.get("kind") or ""
    return Id(version, kind, metadata.get("namespace") or DEFAULT_NAMESPACE, metadata.get("name") or "")


def lacking(content: Any) -> str:
    """Why this is no object that could be told from others; empty if it is one."""
    if not isinstance(content, dict):
        return "cannot use a document that is no mapping: write apiVersion, kind, metadata and spec"
    metadata = content.get("metadata")
    if not isinstance(content.get("kind"), str) or not content["kind"]:
        return 'cannot do without "kind": add it'
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return 'cannot do without "metadata.name": add it'
    for name in ("labels", "annotations"):
        if metadata.get(name) is not None and not isinstance(metadata[name], dict):
            return f"cannot use these {name}: write a mapping (name: value)"
    return ""
