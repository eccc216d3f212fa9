"""`p2 describe`: all that is known of single resources, for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import complete_kinds_and_keys, selected
from controller.surfaces.cli.parameters import SourceOption
from controller.surfaces.cli.views import EVERYTHING, ContextOption, KubeconfigOption, view_of

_EVENTS = 10  # of one resource that are shown


@dataclass(frozen=True)
class Describe(Command):
    """Show all that is known of a resource.

    Its spec, conditions, differences from the spec, what it needs and what needs it, and its last events.

    Examples:
      p2 describe container/web
      p2 describe volumes
      p2 describe container/web --context home      as a cluster has it
    """

    name = "describe"

    what: Annotated[
        tuple[str, ...],
        Argument(metavar="KIND[/NAME]", autocompletion=complete_kinds_and_keys, help="What to describe."),
    ] = ()
    path: SourceOption = Path("state")
    context: ContextOption = ""
    kubeconfig: KubeconfigOption = None
    output: Annotated[Literal["text", "json"], Option("-o", "--output", help="How to print it.")] = "text"

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.description import Description, described

        selection = selected(self.what)
        if selection.everything:
            raise Refused("cannot tell what is meant: name a KIND or KIND/NAME; p2 get lists them")
        with view_of(app, self.path, self.context, self.kubeconfig) as view:
            everything = view.look(EVERYTHING)
            chosen = [each for each in everything if each.key in selection]
            for key in sorted(selection.keys - {each.key for each in chosen}):
                raise Refused(view.absent(key))
            events = view.events([each.key for each in chosen], _EVENTS)
        found = [Description.of(each, everything, events[each.key]) for each in chosen]
        if self.output == "json":
            from controller.surfaces.cli.words import as_json

            app.console.print(as_json([each.document() for each in found]))
        else:
            for number, each in enumerate(found):
                app.console.print([""] if number else [])
                app.console.print(described(each, app.console.paint, app.now()))
        return Exit.OK
