"""`p2 images`: the images on this machine, and on the other engines that there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Command, Exit, Option
from controller.surfaces.cli.parameters import SourcePath
from controller.surfaces.cli.words import age, moment

if TYPE_CHECKING:
    from controller.engine.agent import Stocked
    from controller.surfaces.cli.places import Answers
    from controller.surfaces.cli.table import Cell
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Resource

_HEADING = ("IMAGE", "ID", "DIGEST", "SIZE", "CREATED", "OWNER", "NEWER", "USED BY")
_SHORT = 12  # characters of an id
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Images(Command):
    """Show the images on this machine, and who uses them.

    Those of the engines in agents/docker.yaml are shown, too, with the name of their ENGINE. OWNER is the resource that
    declares the name, in PATH or wherever it was applied from. NEWER tells, for an Image that follows its registry, what there is
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
        from controller.surfaces.cli.places import left_out
        from controller.surfaces.cli.words import as_json

        with app.open(self.path, read_only=True) as workspace:
            workspace.load()  # what is wrong with the source is no reason not to show what is there
            resources = _resources(workspace)
            stock = _stock(workspace, resources)
            containers = _by_handle(workspace)
        for reason in left_out(stock.away):
            tell(app, reason)
        owners = _owners(resources)
        found = [
            _Image(each, place, owners.get((place, _canonical(each)), ""), containers)
            for place, stocked in stock.found.items()
            for each in stocked
            if self.everything or each.name or each.users or each.ours
        ]
        if self.output == "json":
            app.console.print(as_json([_document(each) for each in found]))
            return Exit.OK
        from controller.surfaces.cli.table import Table

        several = len(stock.found) + len(stock.away) > 1
        table = Table(["ENGINE", *_HEADING] if several else _HEADING, app.console.paint, width=app.console.width)
        app.console.print(table.lines([_row(each, app.now())[0 if several else 1 :] for each in found]))
        return Exit.OK


@dataclass(frozen=True)
class _Image:
    stocked: Stocked
    place: str
    owner: str
    containers: Mapping[str, str]  # resources by the ids of their things

    @property
    def users(self) -> list[str]:
        """Resources where they are ours, else the names of the containers."""
        return [self.containers.get(handle, name) for handle, name in self.stocked.users]


def _resources(workspace: Workspace) -> Mapping[Key, Resource]:
    """All that may own images: what is declared, and what was applied from anywhere else."""
    from controller.engine.agent import Stocks
    from controller.engine.ledger import recorded

    inventory = workspace.stores.inventory
    records = (record for source in inventory.sources() for record in inventory.records(source).values())
    applied = {
        record.key: resource
        for record in records
        if isinstance(workspace.parts.agent_of(record.key.kind), Stocks) and (resource := recorded(record))
    }
    declared = {key: entry.resource for key, entry in workspace.parts.index.entries().items()}
    return {**applied, **declared}


def _stock(workspace: Workspace, resources: Mapping[Key, Resource]) -> Answers[Stocked]:
    """Raises Refused when a system can't be reached."""
    from controller.engine.agent import Stocks
    from controller.surfaces.cli.places import agents_of, ask_all

    def ask(agent: Any, place: str) -> list[Stocked]:
        wanted = [
            each for each in resources.values() if isinstance(each, agent.model) and _place(workspace, each) == place
        ]
        return list(agent.stock(wanted))

    return ask_all(agents_of(workspace, Stocks), ask, {})


def _place(workspace: Workspace, resource: Resource) -> str:
    agent: Any = workspace.parts.agent_of(resource.kind)
    return str(agent.place(resource))


def _owners(resources: Mapping[Key, Resource]) -> Mapping[tuple[str, str], str]:
    """Resources by engine and canonical name of the images that they claim."""
    return {
        (claim.place, claim.value): key.short
        for key, resource in resources.items()
        for claim in resource.claims()
        if claim.what == "image"
    }


def _by_handle(workspace: Workspace) -> Mapping[str, str]:
    """Resources by the ids of their things."""
    inventory = workspace.stores.inventory
    records = (record for source in inventory.sources() for record in inventory.records(source).values())
    return {record.handle: record.key.short for record in records if record.handle}


def _canonical(each: Stocked) -> str:
    from resources.notation import canonical_image

    return canonical_image(each.name) if each.name else ""


def _row(each: _Image, now: float) -> list[Cell]:
    from controller.surfaces.cli.table import Cell

    stocked = each.stocked
    texts = (
        each.place or "-",
        stocked.name or ("(former)" if stocked.ours else "(no name)"),
        _short(stocked.handle),
        _short(stocked.digest) or "-",
        _size(stocked.size),
        age(stocked.created, now),
        each.owner or "-",
        _short(stocked.newer) or "-",
        ", ".join(each.users) or "-",
    )
    return [Cell(text) for text in texts]


def _document(each: _Image) -> dict[str, Any]:
    stocked = each.stocked
    return {
        "engine": each.place or None,
        "image": stocked.name or None,
        "id": stocked.handle,
        "digest": stocked.digest or None,
        "size": stocked.size,
        "created": moment(stocked.created),
        "owner": each.owner or None,
        "ours": stocked.ours,
        "newer": stocked.newer or None,
        "usedBy": each.users,
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
