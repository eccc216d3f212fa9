"""`p2 confirm`: lets go what is held back, once."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import complete_keys, key_named
from controller.surfaces.cli.parameters import SourceOption
from controller.surfaces.cli.suspend import effect
from controller.surfaces.cli.words import counted, place

if TYPE_CHECKING:
    from controller.engine.stores import Hold, Stores
    from controller.surfaces.cli.app import Kept
    from controller.wiring.workspace import Workspace
    from resources.meta import Key


@dataclass(frozen=True)
class Confirm(Command):
    """Allow what is held back, such as many deletions at once.

    Also replacements that lose data, and a source that moved. Without arguments it lists what is held back, and why.
    A confirmation serves once.

    Examples:
      p2 confirm                     what waits for a decision
      p2 confirm volume/old          let this one go
      p2 confirm --all               let all of it go
    """

    name = "confirm"
    changes = True

    keys: Annotated[
        tuple[str, ...], Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="What to allow.")
    ] = ()
    all: Annotated[bool, Option("--all", help="Everything that can be allowed.")] = False
    path: SourceOption = Path("state")
    output: Annotated[Literal["text", "json"], Option("-o", "--output", help="How to print the list.")] = "text"

    def asks_for_change(self) -> bool:
        return bool(self.keys or self.all)

    def run(self, app: App) -> Exit:
        held = list(waiting(app, self.path))
        if not self.keys and not self.all:
            show(app, [each.hold for each in held], self.output)
            return Exit.OK
        keys = self._chosen(each.hold for each in held)
        with app.kept(read_only=False) as kept:
            for each in held:
                kept.stores.overrides.confirm(keys & each.hold.keys, each.source)
            kept.home.poke()
            when = {key: _when(each, kept) for each in held for key in each.hold.keys}
        app.console.print([f"{key.short} is allowed {when[key]}" for key in sorted(keys)] or _nothing(held))
        return Exit.OK

    def _chosen(self, holds: Iterable[Hold]) -> frozenset[Key]:
        from controller.surfaces.cli.holding import confirmable

        held = {key: hold for hold in holds for key in hold.keys}
        if self.all:
            return frozenset(key for key, hold in held.items() if confirmable(hold))
        keys = frozenset(key_named(text) for text in self.keys)
        for key in sorted(keys):
            if key not in held:
                raise Refused(f"cannot confirm {key.short}: nothing about it is held back; p2 confirm lists what is")
            if not confirmable(held[key]):
                raise Refused(f"cannot confirm {key.short} ({held[key].reason}): {held[key].message}")
        return keys


@dataclass(frozen=True)
class Waiting:
    """A hold, and the source that is held back by it. Only that one is let go on: the same key may wait in two."""

    source: str
    hold: Hold
    attended: bool = False


def waiting(app: App, path: Path) -> Iterator[Waiting]:
    """What is held back now, in this source and in the others as they stand; of one that is gone, as of its last pass.

    Of a cluster, too, it is as of the operator's last pass.
    """
    found = list(_waiting_in_files(app, path))
    yield from found
    with app.kept(read_only=True) as kept:
        yield from _held_by_operator(kept.stores, {key for each in found for key in each.hold.keys})


def _held_by_operator(stores: Stores, told: Container[Key]) -> Iterator[Waiting]:
    """What its statuses say is not done without leave. For whichever source asks: the operator is the only one."""
    from controller.engine.stores import Hold
    from controller.surfaces.cli.holding import NO_DELETIONS

    for key, status in sorted(stores.statuses.all().items()):
        if status.reason in NO_DELETIONS and key not in told:
            yield Waiting("", Hold(status.reason, status.message, frozenset((key,))))


def _waiting_in_files(app: App, path: Path) -> Iterator[Waiting]:
    with app.open(path, read_only=True) as workspace:
        workspace.load()
        sources = workspace.stores.inventory.sources()
        moved: frozenset[Key] = frozenset()
        if workspace.source.name in sources or workspace.declared():
            held = list(_held_now(workspace))
            moved = _moved(held)
            yield from held
        others = [Path(source) for source in sources if source != workspace.source.name]
        for gone in (source for source in others if not source.exists()):
            yield from _held_where_it_was(workspace, str(gone), moved)
    for source in others:
        if source.exists():
            with app.open(source, read_only=True) as workspace:
                workspace.load()
                yield from _held_now(workspace)


def _held_now(workspace: Workspace) -> Iterator[Waiting]:
    from controller.engine.stores import Hold
    from controller.surfaces.cli.holding import NO_DELETIONS

    preview, source, attended = workspace.preview(), workspace.source.name, workspace.attended
    for hold in preview.holds:
        yield Waiting(source, hold, attended)
    for key, failure in preview.failures.items():
        if failure.reason in NO_DELETIONS:
            yield Waiting(source, Hold(failure.reason, failure.message, frozenset((key,))), attended)


def _moved(held: Iterable[Waiting]) -> frozenset[Key]:
    from resources.conditions import Reason

    return frozenset(key for each in held if each.hold.reason == Reason.SOURCE_MOVED for key in each.hold.keys)


def _held_where_it_was(workspace: Workspace, gone: str, moved: frozenset[Key]) -> Iterator[Waiting]:
    """Holds of a source that is gone, but not of what is declared elsewhere now: who takes it over means no deletion."""
    for hold in workspace.stores.holds.all(gone):
        if keys := hold.keys - moved:
            yield Waiting(gone, replace(hold, keys=keys))


def _when(each: Waiting, kept: Kept) -> str:
    """A controller acts on its own source only; whether it is this one, it knows where it carries out the command."""
    holder = kept.home.holder()
    if each.source and holder and holder.pid == os.getpid() and not each.attended:
        return f"from the next p2 apply {place(each.source)} on"
    return effect(kept)


def _nothing(held: Iterable[Waiting]) -> str:
    count = sum(len(each.hold.keys) for each in held)
    if not count:
        return "nothing is held back"
    return f"nothing can be allowed; {counted(count, 'resource')} held back for other reasons: p2 confirm lists them"


def show(app: App, holds: Iterable[Hold], output: str) -> None:
    """Lists what is held back."""
    from controller.surfaces.cli.holding import confirmable
    from controller.surfaces.cli.plan_file import hold_document
    from controller.surfaces.cli.plan_view import hold_lines
    from controller.surfaces.cli.words import as_json

    found = list(holds)
    if output == "json":
        app.console.print(as_json([hold_document(hold) for hold in found]))
        return
    app.console.print(hold_lines(found, app.console.paint))
    count = sum(len(hold.keys) for hold in found if confirmable(hold))
    note = f"{counted(count, 'resource')} can be allowed: p2 confirm KIND/NAME, or p2 confirm --all"
    app.console.note(note if count else "nothing waits for a confirmation")
