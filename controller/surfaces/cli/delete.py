"""`p2 delete`: removes what we own and nobody declares: retained, held back or orphaned things."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App, tell_news
from controller.surfaces.cli.braking import refuse_braked
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import complete_keys
from controller.surfaces.cli.parameters import Timeout
from controller.surfaces.cli.suspend import named
from controller.surfaces.cli.words import counted, names, place

if TYPE_CHECKING:
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Origin


@dataclass(frozen=True)
class Delete(Command):
    """Remove what is owned and no longer declared.

    That is what was retained, held back or orphaned. What is still declared is refused, naming the file: remove it
    there, and apply. Without a terminal it needs --yes.

    Example:
      p2 delete volume/old
    """

    name = "delete"
    changes = True

    keys: Annotated[
        tuple[str, ...], Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="What to remove.")
    ] = ()
    yes: Annotated[bool, Option("-y", "--yes", help="Do not ask.")] = False
    timeout: Timeout = 300.0

    def run(self, app: App) -> Exit:
        keys = named(self.keys)
        by_source = owned(app, keys)
        for source, of_source in by_source.items():
            with app.open(Path(source), read_only=True) as workspace:
                workspace.load()
                refuse_declared(workspace, of_source)
        self._ask(app, keys)
        deleted = [self._delete(app, Path(source), of_source) for source, of_source in by_source.items()]
        return Exit.OK if all(deleted) else Exit.DIFFERENT

    def _ask(self, app: App, keys: list[Key]) -> None:
        if self.yes:
            return
        if not app.console.asks:
            raise Refused(f"cannot delete {names(keys)} without being told: add --yes")
        if not app.console.ask(f"Delete {names(keys)}?"):
            raise Refused("cannot go on without your consent; nothing was changed")

    def _delete(self, app: App, source: Path, keys: frozenset[Key]) -> bool:
        """Whether all of them are gone."""
        from controller.surfaces.cli.plan_view import explained_lines
        from controller.surfaces.cli.progress import progress_on

        progress = progress_on(app.console)
        from controller.engine.requests import Cause

        with app.open(source, read_only=False, listener=progress, request=app.request(Cause.DELETE)) as workspace:
            tell_news(app, workspace.news)
            workspace.load()
            refuse_declared(workspace, keys)  # once more, for it was not locked while it was asked
            with app.stoppable() as cancelled:
                progress.begin(len(keys))
                try:
                    summary = workspace.delete(keys, timeout=self.timeout, cancelled=cancelled)
                finally:
                    progress.end()
            left = {key for key in keys if workspace.stores.inventory.find(key)}
        app.console.print(explained_lines({k: s for k, s in summary.statuses.items() if k in left}, app.console.paint))
        app.console.print(f"{len(keys) - len(left)} deleted, {counted(len(left), 'resource')} left")
        return not left


def owned(app: App, keys: Collection[Key]) -> dict[str, frozenset[Key]]:
    """The sources that own `keys`, with which of them. Raises Refused for a key that nobody owns."""
    by_source: dict[str, frozenset[Key]] = {}
    with app.kept(read_only=True) as kept:
        refuse_braked(app, kept.stores, "delete anything")
        inventory = kept.stores.inventory
        for key in keys:
            record = inventory.find(key)
            if record is None and kept.home.lacks_database:
                raise Refused(f"cannot delete {key.short}: {kept.home.database} is gone; 'p2 recover' rebuilds it")
            if record is None:
                raise Refused(f"cannot delete {key.short}: Pegasus2 owns no such thing; p2 get lists what it owns")
            by_source[record.source] = by_source.get(record.source, frozenset()) | {key}
    return by_source


def refuse_declared(workspace: Workspace, keys: Collection[Key]) -> None:
    """Raises Refused, naming file and line, when one of `keys` is declared."""
    declared, source = workspace.declared(), place(workspace.source.name)
    command = "p2 apply" if source == "state" else f"p2 apply {source}"
    for key in sorted(keys):
        if found := declared.get(key):
            raise Refused(
                f"cannot delete {key.short}: {location(found.origin)} declares it; remove it there, then {command}"
            )


def location(origin: Origin) -> str:
    """`file:line` of a declaration; the file alone when the line can't be told any more."""
    from resources.documents import read

    try:
        documents = read(Path(origin.file).read_bytes(), origin.file).documents
    except OSError:
        return place(origin.file)
    line = next((each.line for each in documents if each.number == origin.document), 0)
    return f"{place(origin.file)}:{line}" if line else place(origin.file)
