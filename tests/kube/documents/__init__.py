"""Documents with what becomes of them: a table for each kind, read as kubectl reads YAML.

A case gives a `spec` (and `metadata`), to which the table's own required field is added, or a whole `document`. `valid` is the
verdict of both the loader and an API server; where they differ `loader` and `server` say so, and `reason` why.
`repeat` writes a text so often where it says REPEAT, `times` all entries of the lists in the spec.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.documents import read
from resources.meta import API_VERSION, COMMON_FIELDS

TABLES: dict[str, dict[str, Any]] = {
    "Compose": {},
    "Container": {"image": "x"},
    "ContainerSet": {"template": {"image": "x"}},
    "File": {"path": "/x"},
    "Image": {"image": "x"},
    "Network": {},
    "Volume": {},
}
NOT_IN_A_TEMPLATE = {*COMMON_FIELDS, "containerName"}


@dataclass(frozen=True)
class Case:
    """One document, and whether it is taken."""

    kind: str
    name: str
    document: Any
    loader: bool
    server: bool
    reason: str  # why the two differ; empty where they do not

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def cases() -> list[Case]:
    """All tables. What a container may be, the template of a set may be, too."""
    tables = {kind: _table(kind) for kind in TABLES}
    tables["ContainerSet"] += [_template(case) for case in tables["Container"] if case.loader and case.server]
    return [case for kind in TABLES for case in tables[kind]]


def _table(kind: str) -> list[Case]:
    path = Path(__file__).parent / f"{re.sub('(?<=[a-z])(?=[A-Z])', '_', kind).lower()}.yaml"
    reading = read(path.read_bytes(), path.name)
    assert reading.problems == (), reading.problems
    return [_case(kind, written) for written in reading.documents[0].content]


def _case(kind: str, written: dict[str, Any]) -> Case:
    document = written.get("document") or {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": written.get("metadata", {"name": "x"}),
        "spec": {**TABLES[kind], **_enlarged(written["spec"], written)},
    }
    valid = written.get("valid")
    loader, server = written.get("loader"), written.get("server")
    return Case(
        kind,
        written["name"],
        document,
        loader=valid if loader is None else loader == "valid",
        server=valid if server is None else server == "valid",
        reason=written.get("reason", ""),
    )


def _template(case: Case) -> Case:
    spec = {name: value for name, value in case.document["spec"].items() if name not in NOT_IN_A_TEMPLATE}
    document = {**case.document, "kind": "ContainerSet", "spec": {"template": spec}}
    return Case("ContainerSet", f"template: {case.name}", document, loader=True, server=True, reason="")


def _enlarged(value: Any, how: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _enlarged(each, how) for name, each in value.items()}
    if isinstance(value, list):
        return [_enlarged(each, how) for each in value] * how.get("times", 1)
    return value.replace("REPEAT", "a" * how["repeat"]) if "repeat" in how and isinstance(value, str) else value
