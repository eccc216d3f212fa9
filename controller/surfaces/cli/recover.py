"""`p2 recover`: rebuilds what Pegasus2 knows, from what can still be read of it and from the marks in the world."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App, load
from controller.surfaces.cli.command import Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import SourceOption
from controller.surfaces.cli.words import counted, names, place

if TYPE_CHECKING:
    from controller.store.mending import Mended, Survey
    from controller.wiring.outcome import Preview
    from controller.wiring.recovery import Recovery, Whose
    from controller.wiring.workspace import Workspace
    from resources.meta import Key

_NEW = "new"


@dataclass(frozen=True)
class Recover(Command):
    """Rebuild a lost or damaged inventory from the marks in the world.

    A damaged database is moved aside, and what can still be read of it is kept. Nothing in the world is changed:
    what carries our mark and is declared is owned again, what is declared nowhere is held back from deletion.
    Where the installation's id is lost, too, it lists whose marks there are; --id says which is this one's.

    Exit code 0: all was asked. 1: a system did not answer; the next apply asks it. 2: refused.

    Examples:
      p2 recover                     the source is ./state
      p2 recover -s /srv/state
      p2 recover --id 0123456789abcdef
    """

    name = "recover"
    changes = True
    replaces_audit = True

    id: Annotated[
        str, Option("--id", metavar="ID", help="The installation whose marks are ours; 'new' makes a new id.")
    ] = ""
    path: SourceOption = Path("state")

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.progress import waiting

        recovery = app.recovery()
        installation = self._installation(app, recovery)
        if not self.path.exists():
            raise Refused(f"cannot find the source {self.path}: say with -s which directory declares what is here")
        mended = recovery.mend(installation)
        app.console.print(mended_lines(mended))
        with app.open(self.path, read_only=False, request=app.request()) as workspace:
            load(app, workspace, keep_going=True)
            with waiting(app.console, "looking at the machine"):
                preview = workspace.take_up()
            app.console.print(taken_up_lines(workspace, preview))
            return Exit.DIFFERENT if workspace.rebuilt.unanswered else Exit.OK

    def _installation(self, app: App, recovery: Recovery) -> str:
        """The id to go on with. Raises Refused where it is for the user to say."""
        if self.id and self.id != _NEW and not re.fullmatch("[0-9a-f]{16}", self.id):
            raise Refused(f'cannot use the id "{self.id}": it has 16 hex digits; p2 recover lists those found here')
        found = recovery.survey()
        if not self.id:
            if len(found.ids) == 1:
                return next(iter(found.ids))
            raise Refused(_ask_for_id(app, recovery.whose(), found))
        if found.ids and self.id not in found.ids:
            refuse_another(recovery.whose(), found.ids)
        return _made_up() if self.id == _NEW else self.id


def refuse_another(whose: Whose, ids: Collection[str]) -> None:
    """Raises Refused when the home has an id already, by which something is known in the world."""
    from controller.wiring.recovery import carrying

    known = " or ".join(sorted(ids))
    for system, why in sorted(whose.unanswered.items()):
        raise Refused(f"cannot give this home another id than {known}: {system} may have things that carry it ({why})")
    if number := carrying(whose, ids):
        things = counted(number, "thing")
        raise Refused(f"cannot give this home another id than {known}: {things} in the world would be a stranger's")


def _ask_for_id(app: App, whose: Whose, found: Survey) -> str:
    """Lists whose marks there are. What to say then."""
    from controller.surfaces.cli.table import Cell, Table

    table = Table(["INSTALLATION", "THINGS"], app.console.paint)
    rows = [[Cell(installation), Cell(_things(kinds))] for installation, kinds in sorted(whose.installations.items())]
    app.console.print(table.lines(rows) if rows else [])
    app.console.note(f"{system} could not be asked: {why}" for system, why in sorted(whose.unanswered.items()))
    if len(found.ids) > 1:
        return (
            f"cannot tell which id is this home's: its file id says {found.in_file}, its database {found.in_database}; "
            "say which with --id"
        )
    if rows:
        return "cannot tell which of these installations this is: say it with --id"
    return "cannot tell which installation this is, and found no marks: say it with --id, or '--id new' for a new one"


def _things(kinds: Mapping[str, int]) -> str:
    return ", ".join(counted(number, kind) for kind, number in sorted(kinds.items()))


def _made_up() -> str:
    import secrets

    return secrets.token_hex(8)


def mended_lines(mended: Mended) -> Iterator[str]:
    """What became of the files of the home."""
    yield f"installation {mended.installation}"
    if mended.aside and mended.salvaged:
        salvaged = mended.salvaged
        yield f"the damaged database is {mended.aside}"
        yield (
            f"read from it: {counted(len(salvaged.records), 'record')}, {counted(len(salvaged.events), 'event')}, "
            f"{len(salvaged.suspended)} suspended"
        )


def taken_up_lines(workspace: Workspace, preview: Preview) -> Iterator[str]:
    """What is owned again, and what waits for the user."""
    declared = workspace.declared()
    inventory = workspace.stores.inventory
    owned = [key for key in declared if inventory.find(key)]
    yield f"{counted(len(owned), 'declared resource')} owned, {len(declared) - len(owned)} not yet: p2 diff shows them"
    if held := recovered(workspace):
        yield f"{counted(len(held), 'resource')} declared nowhere in {place(workspace.source.name)}, held back: {names(held)}"
        yield "declare them again, or remove them with p2 delete; p2 confirm lists them"


def recovered(workspace: Workspace) -> list[Key]:
    """What is owned, was found by its mark or salvaged, and is declared nowhere that is known."""
    records = workspace.stores.inventory.records(workspace.source.name).values()
    return [record.key for record in records if record.recovered and record.key not in workspace.declared()]
