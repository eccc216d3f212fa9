"""`p2 health`: whether everything that Pegasus2 needs is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Option
from controller.surfaces.cli.parameters import SourcePath
from controller.surfaces.cli.words import counted, moment, names, place

if TYPE_CHECKING:
    from controller.store.home import Home
    from controller.surfaces.cli.app import Kept
    from controller.surfaces.cli.table import Cell
    from controller.wiring.workspace import Workspace


class Mark(StrEnum):
    OK = "ok"
    NOTE = "note"  # nothing broken, but worth a look
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer."""

    mark: Mark
    part: str
    message: str


@dataclass(frozen=True)
class Health(Command):
    """Check the home, the source, and the systems behind the agents.

    Exit code 0: all is well. 1: something is not, and the line says what to do.

    Example:
      p2 health -o json
    """

    name = "health"

    path: SourcePath = Path("state")
    output: Annotated[Literal["table", "json"], Option("-o", "--output", help="How to print it.")] = "table"

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.words import as_json

        findings = list(examined(app, self.path))
        if self.output == "json":
            app.console.print(as_json([asdict(finding) for finding in findings]))
        else:
            from controller.surfaces.cli.table import Table

            table = Table(["", "PART", "FINDING"], app.console.paint)
            app.console.print(table.lines([row(finding) for finding in findings]))
        return Exit.DIFFERENT if any(finding.mark is Mark.FAIL for finding in findings) else Exit.OK


def examined(app: App, path: Path) -> Iterator[Finding]:
    """What was found, part by part. A home that can't be used ends it: nothing else can be known."""
    from controller.store.errors import HomeError

    try:
        with app.kept(read_only=True) as kept:
            yield from _home(kept)
        with app.open(path, read_only=True) as workspace:
            yield from _source(workspace)
            yield from _agents(workspace)
            yield from _resources(workspace)
    except HomeError as error:
        yield Finding(Mark.FAIL, "home", str(error))


def _home(kept: Kept) -> Iterator[Finding]:
    home = kept.home
    if not home.path.exists():
        yield Finding(Mark.NOTE, "home", f"{home.path} is not there yet; the first p2 apply makes it")
        return
    yield Finding(Mark.OK, "home", str(home.path))
    if home.database.exists():
        kept.examine()
        sources = kept.stores.inventory.sources()
        owned = sum(len(kept.stores.inventory.records(source)) for source in sources)
        message = f"{home.database.name}: {counted(owned, 'resource')} of {counted(len(sources), 'source')} owned"
        yield Finding(Mark.OK, "database", message)
    elif home.lacks_database:
        gone = f"{home.database} is gone; the next p2 apply or p2 run rebuilds it from the marks in the world"
        yield Finding(Mark.FAIL, "database", gone)
    yield from _brakes(kept)
    yield _controller(home)


def _controller(home: Home) -> Finding:
    from controller.surfaces.cli.sending import answers

    holder = home.holder()
    if not holder:
        return Finding(Mark.NOTE, "controller", "not running; p2 run (or p2 operator) starts it")
    asked = holder.is_controller and holder.pid != os.getpid() and home.socket.exists()
    if not asked or answers(str(home.socket)):
        return Finding(Mark.OK, "controller", str(holder))
    how = f"does not answer: it hangs, was stopped, or is of another version; look at its log, or end it: kill -9 {holder.pid}"
    return Finding(Mark.FAIL, "controller", f"{holder} {how}")


def _brakes(kept: Kept) -> Iterator[Finding]:
    """What keeps things from being changed because somebody, or the controller itself, has said so."""
    from controller.engine.brakes import because, state
    from resources.conditions import Reason

    brakes = kept.stores.brakes.all()
    for brake in brakes:
        mark = Mark.FAIL if brake.reason == Reason.SAFE_MODE else Mark.NOTE
        message = f"{state(brake)} since {moment(brake.at)}{because(brake)}; p2 unpause ends that"
        yield Finding(mark, "brakes", message)
    if not brakes:
        yield Finding(Mark.OK, "brakes", "none is on")
    if suspended := kept.stores.overrides.suspended():
        message = f"{counted(len(suspended), 'resource')} left alone: {names(suspended)}; p2 resume takes them up again"
        yield Finding(Mark.NOTE, "suspended", message)


def _source(workspace: Workspace) -> Iterator[Finding]:
    problems = workspace.load()
    name = place(workspace.source.name)
    if trouble := workspace.source_trouble():
        yield Finding(Mark.FAIL, "source", f"{name}: {trouble}")
    elif problems:
        yield Finding(Mark.FAIL, "source", f"{name}: {counted(len(problems), 'problem')}; see p2 validate")
    else:
        yield Finding(Mark.OK, "source", f"{name}: {counted(len(workspace.declared()), 'resource')}")


def _agents(workspace: Workspace) -> Iterator[Finding]:
    for system, health in workspace.agents().items():
        limits = "".join(f", {name} {limit}" for name, limit in health.limits.items())
        said = f"{health.version}{limits}" if health.available else health.message
        yield Finding(Mark.OK if health.available else Mark.FAIL, system, said or "available")


def _resources(workspace: Workspace) -> Iterator[Finding]:
    """Not a matter of health in itself: what is not Ready, and what waits for a decision."""
    from controller.surfaces.cli.holding import NO_DELETIONS, held_back

    statuses = workspace.stores.statuses.all()
    if not statuses:
        return
    ready = sum(status.ready for status in statuses.values())
    mark = Mark.OK if ready == len(statuses) else Mark.NOTE
    yield Finding(mark, "resources", f"{ready} of {len(statuses)} ready at the last look; p2 get lists them")
    sources = {workspace.source.name, *workspace.stores.inventory.sources()}
    for reason, number in held_back(workspace.stores, sources).items():
        what = "resource" if reason in NO_DELETIONS else "deletion"
        message = f"{counted(number, what)} held back ({reason}); p2 confirm lists what and why"
        yield Finding(Mark.NOTE, "holds", message)


def row(finding: Finding) -> list[Cell]:
    """One line of a table."""
    from controller.surfaces.cli.console import Style
    from controller.surfaces.cli.table import Cell

    styles = {Mark.OK: Style.GREEN, Mark.NOTE: Style.YELLOW, Mark.FAIL: Style.RED}
    return [Cell(finding.mark, styles[finding.mark]), Cell(finding.part), Cell(finding.message)]
