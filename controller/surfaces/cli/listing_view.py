"""How lists of resources look: a table, YAML, JSON. `get` shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from controller.surfaces.cli.console import Style
from controller.surfaces.cli.listing import Listed
from controller.surfaces.cli.table import Cell
from controller.surfaces.cli.words import age, place
from resources.conditions import Truth
from resources.kinds import model_of
from resources.meta import API_VERSION

_LONG_ID = re.compile("[0-9a-f]{32,}")
_SHORT_ID = 12  # characters of an id that tell one thing from another, as `docker ps` shows them
_READY_STYLES = {Truth.TRUE: Style.GREEN, Truth.FALSE: Style.RED, Truth.UNKNOWN: Style.YELLOW}

# (heading, dotted path below the resource), as a kind says them
Columns = Sequence[tuple[str, str]]


def columns_of(found: Iterable[Listed]) -> Columns:
    """The columns of the kind that all of `found` are of; none when they are of several."""
    kinds = {each.key.kind for each in found}
    model = model_of(kinds.pop()) if len(kinds) == 1 else None
    return model.about.columns if model else ()


def heading(columns: Columns, *, wide: bool, clustered: bool = False) -> list[str]:
    """`clustered`: of what a cluster has, which is on a machine and in no file."""
    own = [name.upper() for name, _ in columns]
    more = ["GENERATION", "HANDLE", "NODE" if clustered else "FILE"] if wide else []
    return ["NAME", "READY", "REASON", "AGE", *own, *more, "MESSAGE"]


def row(each: Listed, columns: Columns, now: float, *, wide: bool, clustered: bool = False) -> list[Cell]:
    """One line of a table, under `heading` with the same arguments."""
    ready = Truth(each.ready)
    cells = [
        Cell(each.key.short),
        Cell(ready, _READY_STYLES[ready]),
        Cell(each.reason),
        Cell(age(each.since, now)),
    ]
    if wide:
        manifest = each.manifest()
        cells += [Cell(_at(manifest, path)) for _, path in columns]
        done = each.status.observed_generation if each.status else 0
        where = (each.node or "-") if clustered else place(each.file)
        cells += [Cell(f"{done}/{each.generation}"), Cell(_short(each.handle)), Cell(where)]
    return [*cells, Cell(each.message)]


def as_list(found: Iterable[Listed]) -> dict[str, Any]:
    """Several resources as one document, as kubectl has it."""
    return {"apiVersion": API_VERSION, "kind": "List", "items": [each.document() for each in found]}


def _short(handle: str) -> str:
    return _LONG_ID.sub(lambda found: found[0][:_SHORT_ID], handle)


def _at(manifest: Any, path: str) -> str:
    """The value at a dotted path, as short text."""
    for name in path.split("."):
        manifest = manifest.get(name) if isinstance(manifest, dict) else None
    if manifest is None:
        return "-"
    if isinstance(manifest, list):
        return ",".join(map(str, manifest)) or "-"
    return str(manifest)
