"""`p2 diff`: the very plan that `p2 apply` would carry out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App, chosen, load, refuse_unusable
from controller.surfaces.cli.command import Command, Exit, Option
from controller.surfaces.cli.parameters import Only, Prune, SourcePath

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.wiring.outcome import Preview
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Problem


@dataclass(frozen=True)
class Diff(Command):
    """Show what apply would change. Changes nothing.

    Exit code 0: no differences. 1: differences. 2: the source is invalid, or something could not be found out.

    Examples:
      p2 diff                              what differs from ./state
      p2 diff --only container/web -v      one resource, with the fields of what would be created
      p2 diff -o json > plan.json          a plan to be applied later: p2 apply --plan plan.json
    """

    name = "diff"

    path: SourcePath = Path("state")
    only: Only = ()
    prune: Prune = True
    keep_going: Annotated[
        bool, Option("--keep-going", help="Plan for what is valid when parts of the source are not.")
    ] = False
    output: Annotated[
        Literal["text", "wide", "json"], Option("-o", "--output", help="wide shows the fields of creates, too.")
    ] = "text"
    verbose: Annotated[bool, Option("-v", "--verbose", help="The same as -o wide.")] = False

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.progress import waiting

        with app.open(self.path, read_only=True) as workspace:
            problems = load(app, workspace, keep_going=self.keep_going)
            only = chosen(self.only, workspace)
            with waiting(app.console, "looking at the machine"):
                preview = workspace.preview(only, prune=self.prune)
            self._show(app, workspace, preview, only, problems)
            refuse_unusable(workspace, preview)
        if preview.failures or problems:
            return Exit.REFUSED
        return Exit.DIFFERENT if differs(preview) else Exit.OK

    def _show(
        self,
        app: App,
        workspace: Workspace,
        preview: Preview,
        only: Collection[Key] | None,
        problems: Collection[Problem],
    ) -> None:
        declared = workspace.declared()
        if self.output == "json":
            from controller.surfaces.cli.plan_file import Scope, document
            from controller.surfaces.cli.words import as_json

            scope = Scope(self.path.resolve(), frozenset(only) if only is not None else None, self.prune)
            app.console.print(as_json(document(preview, scope, declared, problems, app.now())))
        else:
            from controller.surfaces.cli.plan_view import preview_lines

            detailed = self.verbose or self.output == "wide"
            app.console.print(preview_lines(preview, app.console.paint, declared if detailed else {}))


def differs(preview: Preview) -> bool:
    """Whether the machine is otherwise than the source says, be it suspended or held back."""
    from controller.surfaces.cli.holding import undecided

    return bool(preview.plans or preview.reported or undecided(preview.holds))
