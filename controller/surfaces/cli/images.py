"""`p2 images`: the images on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import SourcePath
from controller.surfaces.cli.words import age, moment

if TYPE_CHECKING:
    from controller.engine.agent import Stocked
    from controller.surfaces.cli.table import Cell
    from controller.wiring.workspace import Workspace

_HEADING = ("IMAGE", "ID", "DIGEST", "SIZE", "CREATED", "OWNER", "NEWER", "USED BY")
_SHORT = 12  # characters of an id
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Images(Command):
    """Show the images on this machine, and who uses them.

    OWNER is the resource that declares the name. NEWER tells, for an Image that follows its registry, what there is
    that is not here yet. Images without a name are shown where Pegasus2 has brought them or a container uses them.

    Examples:
      p2 images
      p2 images -a -o json            with all that have no name, for programs
    """

    name = "images"

    path: SourcePath = Path("state")
    everything: Annotated[bool, Option("-a", "--all", help="Also what has no name and nobody uses.")] = False
    output: Annotated[Literal["table", "json"], Option("-o", "--output", help="How to print it.")] = "table"

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.words import as_json

        with app.open(self.path, read_only=True) as workspace:
            workspace.load()  # what is wrong with the source is no reason not to show what is there
            found = [each for each in _stock(workspace) if self.everything or each.name or each.users or each.ours]
            owners, containers = _owners(workspace), _by_handle(workspace)
        if self.output == "json":
            app.console.print(as_json([_document(each, owners, containers) for each in found]))
            return Exit.OK
        from controller.surfaces.cli.table import Table

        table = Table(_HEADING, app.console.paint, width=app.console.width)
        app.console.print(table.lines([_row(each, owners, containers, app.now()) for each in found]))
        return Exit.OK


def _stock(workspace: Workspace) -> list[Stocked]:
    """Raises Refused when a system can't be reached."""
    from controller.engine.agent import Retry, Stalled, Stocks
    from resources import kinds

    found: list[Stocked] = []
    for kind in kinds.names():
        agent: Any = workspace.parts.agent_of(kind)
        if isinstance(agent, Stocks):
            declared = [entry.resource for key, entry in workspace.parts.index.entries().items() if key.kind == kind]
            try:
                found += agent.stock(declared)
            except (Retry, Stalled) as failure:
                raise Refused(failure.message) from None
    return found


def _owners(workspace: Workspace) -> Mapping[str, str]:
    """Resources by the canonical names of the images that they claim."""
    found = {}
    for key, entry in workspace.parts.index.entries().items():
        for claim in entry.resource.claims():
            if claim.what == "image":
                found[claim.value] = key.short
    return found


def _by_handle(workspace: Workspace) -> Mapping[str, str]:
    """Resources by the ids of their things."""
    inventory = workspace.stores.inventory
    records = (record for source in inventory.sources() for record in inventory.records(source).values())
    return {record.handle: record.key.short for record in records if record.handle}


def _users(each: Stocked, containers: Mapping[str, str]) -> list[str]:
    """Resources where they are ours, else the names of the containers."""
    return [containers.get(handle, name) for handle, name in each.users]


def _owner(each: Stocked, owners: Mapping[str, str]) -> str:
    from resources.notation import canonical_image

    return owners.get(canonical_image(each.name), "") if each.name else ""


def _row(each: Stocked, owners: Mapping[str, str], containers: Mapping[str, str], now: float) -> list[Cell]:
    from controller.surfaces.cli.table import Cell

    texts = (
        each.name or ("(former)" if each.ours else "(no name)"),
        _short(each.handle),
        _short(each.digest) or "-",
        _size(each.size),
        age(each.created, now),
        _owner(each, owners) or "-",
        _short(each.newer) or "-",
        ", ".join(_users(each, containers)) or "-",
    )
    return [Cell(text) for text in texts]


def _document(each: Stocked, owners: Mapping[str, str], containers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "image": each.name or None,
        "id": each.handle,
        "digest": each.digest or None,
        "size": each.size,
        "created": moment(each.created),
        "owner": _owner(each, owners) or None,
        "ours": each.ours,
        "newer": each.newer or None,
        "usedBy": _users(each, containers),
    }


def _short(text: str) -> str:
    return re.sub(r"sha256:([0-9a-f]+)", lambda found: found[1][:_SHORT], text)


def _size(count: float) -> str:
    """As Docker counts: in powers of 1000."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f}{unit}" if unit == "B" else f"{count:.1f}{unit}"
        count /= 1000
    raise AssertionError("unreachable")
