"""`p2 get`: how the resources are, as the last pass over each found them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import Selection, complete_kinds_and_keys, selected
from controller.surfaces.cli.parameters import SourceOption
from controller.surfaces.cli.views import ContextOption, KubeconfigOption, View, view_of

if TYPE_CHECKING:
    from controller.surfaces.cli.listing import Listed
    from resources.meta import Key


@dataclass(frozen=True)
class Get(Command):
    """List resources, and how they are.

    That is what the source declares, and what Pegasus2 owns or reports on; with --context, what a cluster has. Watching (-w)
    looks at the database's file four times a second, or has the cluster tell, and prints what has changed since, a line each.

    Examples:
      p2 get                                all resources
      p2 get containers -w                  those of one kind, and from then on whatever changes
      p2 get container/web -o yaml          one, whole
      p2 get --context home -o wide         what the cluster has, and on which machines
    """

    name = "get"

    what: Annotated[
        tuple[str, ...],
        Argument(
            metavar="KIND[/NAME]",
            autocompletion=complete_kinds_and_keys,
            help="Kinds and names to list (default: all).",
        ),
    ] = ()
    path: SourceOption = Path("state")
    output: Annotated[
        Literal["table", "wide", "yaml", "json", "name"], Option("-o", "--output", help="How to print it.")
    ] = "table"
    watch: Annotated[bool, Option("-w", "--watch", help="Go on, and print what changes.")] = False
    context: ContextOption = ""
    kubeconfig: KubeconfigOption = None

    def run(self, app: App) -> Exit:
        selection = selected(self.what)
        with view_of(app, self.path, self.context, self.kubeconfig) as view:
            found = view.look(selection)
            for key in sorted(selection.keys - {each.key for each in found}):
                raise Refused(view.absent(key))
            if self.watch:
                self._watch(app, view, selection)
            elif self.output in ("json", "yaml"):
                self._document(app, found, single=not selection.kinds and len(selection.keys) == 1)
            elif found:
                self._shower(app, found, clustered=view.clustered)(found)
            else:
                app.console.note(view.nothing)
        return Exit.OK

    def _document(self, app: App, found: Sequence[Listed], *, single: bool) -> None:
        from controller.surfaces.cli.listing_view import as_list
        from controller.surfaces.cli.words import as_json, as_yaml

        if self.output == "yaml":
            app.console.print(as_yaml(each.document() for each in found))
        else:
            app.console.print(as_json(found[0].document() if single else as_list(found)))

    def _shower(self, app: App, first: Sequence[Listed], *, clustered: bool) -> Callable[[Sequence[Listed]], None]:
        """Prints some resources each time it is called, in columns that fit `first`."""
        from controller.surfaces.cli.listing_view import columns_of, heading, row
        from controller.surfaces.cli.table import Table
        from controller.surfaces.cli.words import as_yaml

        console, wide = app.console, self.output == "wide"
        columns = columns_of(first) if wide else ()
        table = Table(
            heading(columns, wide=wide, clustered=clustered), console.paint, width=None if wide else console.width
        )

        def show(some: Sequence[Listed]) -> None:
            match self.output:
                case "name":
                    console.print(each.key.short for each in some)
                case "json":
                    console.print(json.dumps(each.document(), ensure_ascii=False, default=str) for each in some)
                case "yaml":
                    console.print(f"---\n{as_yaml(each.document() for each in some)}")
                case _:
                    rows = [row(each, columns, app.now(), wide=wide, clustered=clustered) for each in some]
                    console.print(table.lines(rows))

        return show

    def _watch(self, app: App, view: View, selection: Selection) -> None:
        """Prints all, then whatever has changed, until Ctrl-C. What is gone is shown once more, as gone."""
        from controller.surfaces.cli.listing import gone

        before: dict[Key, Listed] = {}
        show = None
        with suppress(KeyboardInterrupt):
            for looked in view.looks(selection):
                now = {each.key: each for each in looked}
                news = [each for each in now.values() if not each.looks_like(before.get(each.key))]
                news += [gone(each) for key, each in before.items() if key not in now]
                show = show or self._shower(app, news, clustered=view.clustered)
                if news:
                    show(news)
                before = now
