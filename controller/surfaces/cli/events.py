"""`p2 events`: what happened, oldest first."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from controller.surfaces.cli.app import App, tell_lost
from controller.surfaces.cli.command import Argument, Command, Exit, Option
from controller.surfaces.cli.keys import Selection, complete_kinds_and_keys, selected
from controller.surfaces.cli.views import ContextOption, KubeconfigOption

if TYPE_CHECKING:
    from controller.engine.stores import Event, Stores
    from controller.surfaces.cli.table import Cell

_KEPT = 10_000  # no database keeps more
_AGAIN = 2.0  # seconds between two looks at the events of a cluster
_NEWEST = 1_000  # of which those are that are new since a quarter of a second ago


@dataclass(frozen=True)
class Events(Command):
    """Show what happened, oldest first.

    Equal events in a row are one line with a count. With -o json every event is one line.

    Examples:
      p2 events                      the last hundred
      p2 events container/web -w     of one resource, and then as they happen
      p2 events --context home       what operators have told the cluster
    """

    name = "events"

    what: Annotated[
        tuple[str, ...],
        Argument(
            metavar="KIND[/NAME]", autocompletion=complete_kinds_and_keys, help="Only about these (default: all)."
        ),
    ] = ()
    watch: Annotated[bool, Option("-w", "--watch", help="Go on, and print what happens.")] = False
    number: Annotated[int, Option("-n", "--number", metavar="N", min=1, help="How many at most (default: 100).")] = 100
    output: Annotated[Literal["table", "json"], Option("-o", "--output", help="How to print it.")] = "table"
    context: ContextOption = ""
    kubeconfig: KubeconfigOption = None

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.table import Table

        selection = selected(self.what)
        table = Table(["LAST SEEN", "LEVEL", "REASON", "RESOURCE", "MESSAGE"], app.console.paint)
        with suppress(KeyboardInterrupt):
            for some in (
                self._of_cluster(app, selection) if self.context or self.kubeconfig else self._here(app, selection)
            ):
                if self.output == "json":
                    app.console.print(json.dumps(document(event), ensure_ascii=False) for event in some)
                else:
                    app.console.print(table.lines([row(event) for event in some]))
        return Exit.OK

    def _of_cluster(self, app: App, selection: Selection) -> Iterator[list[Event]]:
        """As `_here`, of what a cluster keeps: an hour's events, unless it was told otherwise."""
        from controller.surfaces.cli.views import connected, patiently

        with connected(self.context, self.kubeconfig) as cluster:
            from controller.surfaces.cli.cluster_view import all_events

            found = _chosen(all_events(cluster), selection)
            yield found[-self.number :]
            while self.watch:
                known = frozenset(found)
                time.sleep(_AGAIN)
                found = _chosen(patiently(app, lambda: all_events(cluster)), selection)
                if new := [event for event in found if event not in known]:
                    yield new

    def _here(self, app: App, selection: Selection) -> Iterator[list[Event]]:
        """The last ones; then, to watch, what is new whenever there is something."""
        with app.kept(read_only=True) as kept:
            database = kept.home.database
            tell_lost(app, kept.home)
            before = happened(kept.stores, selection, 0.0)
        found = before[-self.number :]
        yield found
        if not self.watch:
            return
        from controller.surfaces.cli.watching import changes

        known = frozenset(before)
        for _ in changes(database):
            with app.kept(read_only=True) as kept:
                now = happened(kept.stores, selection, 0.0, limit=_NEWEST)
            # By what they say, not by when they were: somebody may set the clock back meanwhile.
            if found := [event for event in now if event not in known]:
                yield found
            known |= frozenset(now)


def happened(stores: Stores, selection: Selection, after: float, limit: int = _KEPT) -> list[Event]:
    """The events later than `after` that are about what is selected, oldest first."""
    if len(selection.keys) == 1 and not selection.kinds:
        return list(stores.events.since(after, next(iter(selection.keys)), limit=limit))
    return _chosen(stores.events.since(after, limit=limit), selection)


def _chosen(events: Sequence[Event], selection: Selection) -> list[Event]:
    return [event for event in events if selection.everything or (event.key and event.key in selection)]


def row(event: Event) -> list[Cell]:
    """One line of a table."""
    from controller.engine.stores import Level
    from controller.surfaces.cli.console import Style
    from controller.surfaces.cli.table import Cell
    from controller.surfaces.cli.words import moment

    style = Style.YELLOW if event.level is Level.WARNING else None
    times = f" (x{event.count})" if event.count > 1 else ""
    return [
        Cell(moment(event.at)),
        Cell(event.level, style),
        Cell(event.reason, style),
        Cell(event.key.short if event.key else "-"),
        Cell(event.message + times),
    ]


def document(event: Event) -> dict[str, Any]:
    """One event for programs; times are UTC."""
    from controller.surfaces.cli.words import moment

    return {
        "at": moment(event.at),
        "first": moment(event.first),
        "count": event.count,
        "level": event.level,
        "reason": event.reason,
        "key": str(event.key) if event.key else None,
        "message": event.message,
    }
