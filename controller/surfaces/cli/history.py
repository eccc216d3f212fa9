"""`p2 history`: every applied revision, newest first, and what one of them was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App, tell_lost
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import complete_kinds_and_keys, selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.engine.history import Entry
    from controller.surfaces.cli.app import Kept


@dataclass(frozen=True)
class History(Command):
    """Show every applied revision, newest first.

    What was changed, why, by whom, from which git commit, and how it came out. What somebody else changed and was put
    right is an entry too (drift). Of fields the names are kept, never the values.

    Examples:
      p2 history                     the last twenty
      p2 history container/web       those that changed one resource
      p2 history --revision 12       all that is known of one
    """

    name = "history"

    what: Annotated[
        tuple[str, ...],
        Argument(
            metavar="KIND[/NAME]",
            autocompletion=complete_kinds_and_keys,
            help="Only what changed these (default: all).",
        ),
    ] = ()
    revision: Annotated[int | None, Option("--revision", metavar="N", min=1, help="All about this one.")] = None
    limit: Annotated[int, Option("-n", "--limit", metavar="N", min=1, help="How many at most (default: 20).")] = 20
    source: Annotated[
        Path | None, Option("-s", "--source", metavar="PATH", help="Only of this source (default: of all).")
    ] = None
    output: Annotated[Literal["table", "json"], Option("-o", "--output", help="How to print it.")] = "table"

    def run(self, app: App) -> Exit:
        with app.kept(read_only=True) as kept:
            tell_lost(app, kept.home)
            if self.revision is not None:
                self._show_one(app, kept, self.revision)
            else:
                self._show_all(app, kept)
        return Exit.OK

    def _show_one(self, app: App, kept: Kept, number: int) -> None:
        from controller.surfaces.cli.history_view import detail_lines, document
        from controller.surfaces.cli.words import as_json

        if self.what:
            raise Refused("cannot combine --revision with KIND or KIND/NAME: a revision is shown whole")
        history = kept.stores.history
        found = history.find(number)
        if found is None:
            low, high = history.range()
            there = f"there is {low} to {high}" if high else "none was recorded yet; p2 apply records one"
            raise Refused(f"cannot find revision {number}: {there}")
        entry = _as_it_stands([found], kept)[0]
        texts = history.texts(number)
        if self.output == "json":
            app.console.print(as_json(document(entry, texts)))
        else:
            app.console.print(detail_lines(entry, texts, app.console.paint))

    def _show_all(self, app: App, kept: Kept) -> None:
        from controller.surfaces.cli.history_view import HEADING, document, row
        from controller.surfaces.cli.table import Table
        from controller.surfaces.cli.words import as_json

        selection = selected(self.what)
        source = str(self.source.resolve()) if self.source else ""
        entries = kept.stores.history.entries(
            limit=self.limit, source=source, kinds=selection.kinds, keys=selection.keys
        )
        found = _as_it_stands(entries, kept)
        if self.output == "json":
            app.console.print(as_json([document(entry) for entry in found]))
        elif found:
            table = Table(HEADING, app.console.paint, width=app.console.width)
            several = len({entry.source for entry in found}) > 1
            app.console.print(table.lines([row(entry, selection, with_source=several) for entry in found]))
        else:
            nothing = "nothing was recorded of that" if self.what or self.source else "nothing was recorded yet"
            app.console.note(f"{nothing}; p2 apply and p2 run record what they do")


def _as_it_stands(entries: Sequence[Entry], kept: Kept) -> list[Entry]:
    """What nobody works on any more is interrupted, whether or not that was written down yet."""
    from dataclasses import replace

    from controller.engine.history import Ending

    if kept.home.holder() or not any(entry.ending is Ending.OPEN for entry in entries):
        return list(entries)
    return [
        replace(entry, ending=Ending.INTERRUPTED, message="the process ended before all was done")
        if entry.ending is Ending.OPEN
        else entry
        for entry in entries
    ]
