"""`p2 diff`: the very plan that `p2 apply` would carry out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App, chosen, load, refuse_unusable, settings, tell_elsewhere
from controller.surfaces.cli.braking import note_braked
from controller.surfaces.cli.command import Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import Only, Prune, SourcePath
from controller.surfaces.cli.views import ContextOption, KubeconfigOption, connected
from controller.surfaces.cli.words import problem_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from controller.surfaces.cli.plan_file import Scope
    from controller.wiring.outcome import Preview
    from controller.wiring.workspace import Workspace
    from resources.meta import Declared, Key, Problem


@dataclass(frozen=True)
class Diff(Command):
    """Show what apply would change. Changes nothing.

    Exit code 0: no differences. 1: differences. 2: the source is invalid, or something could not be found out.

    Examples:
      p2 diff                              what differs from ./state
      p2 diff --only container/web -v      one resource, with the fields of what would be created
      p2 diff -o json > plan.json          a plan to be applied later: p2 apply --plan plan.json
      p2 diff --revision 12                what would change if the files were as in revision 12
      p2 diff --context home               what the operator of this machine would do about a cluster's objects
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
    revision: Annotated[
        int | None,
        Option("--revision", metavar="N", min=1, help="As if the files were as in this one; see p2 history."),
    ] = None
    verbose: Annotated[bool, Option("-v", "--verbose", help="The same as -o wide.")] = False
    context: ContextOption = ""
    kubeconfig: KubeconfigOption = None
    node: Annotated[
        str,
        Option("--node", metavar="NAME", help="With --context: as the operator of this node would (default: ours)."),
    ] = ""

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.plan_file import Scope
        from controller.surfaces.cli.progress import waiting

        if self.context or self.kubeconfig:
            return self._of_cluster(app)
        if self.node:
            raise Refused("cannot use --node without --context: PEGASUS2_NODE says what this machine is called")
        with app.open(self.path, read_only=True) as workspace:
            problems = load(app, workspace, keep_going=self.keep_going, revision=self.revision)
            only = chosen(self.only, workspace)
            with waiting(app.console, "looking at the machine"):
                preview = workspace.preview(only, prune=self.prune)
            scope = Scope(self.path.resolve(), only, self.prune)
            self._show(app, workspace.declared(), preview, scope, problems)
            note_braked(app, workspace.stores)
            refuse_unusable(workspace, preview)
            if self == Diff(self.path):
                keep_look(workspace, preview)
        return _exit(preview, problems)

    def _of_cluster(self, app: App) -> Exit:
        """What the operator here would do. One object that can't be used keeps it from nothing else, so all are planned for."""
        from controller.surfaces.cli.plan_file import Scope
        from controller.surfaces.cli.progress import waiting
        from controller.wiring.reading import Reading

        if self.path != Path("state") or self.revision is not None:
            raise Refused("cannot combine PATH or --revision with --context: a cluster has neither files nor revisions")
        with (
            connected(self.context, self.kubeconfig) as cluster,
            Reading.open(cluster, settings(), self.node) as reading,
        ):
            problems = reading.load()
            app.console.note(problem_line(problem) for problem in problems)
            tell_elsewhere(app, reading)
            only = chosen(self.only, reading)
            with waiting(app.console, "looking at the machine"):
                preview = reading.preview(only, prune=self.prune)
            scope = Scope(Path(reading.source_name), only, self.prune)
            self._show(app, reading.declared(), preview, scope, problems)
            note_braked(app, reading.stores)
        return _exit(preview, problems)

    def _show(
        self,
        app: App,
        declared: Mapping[Key, Declared],
        preview: Preview,
        scope: Scope,
        problems: Collection[Problem],
    ) -> None:
        if self.output == "json":
            from controller.surfaces.cli.plan_file import document
            from controller.surfaces.cli.words import as_json

            app.console.print(as_json(document(preview, scope, declared, problems, app.now())))
        else:
            from controller.surfaces.cli.plan_view import preview_lines

            detailed = self.verbose or self.output == "wide"
            app.console.print(preview_lines(preview, app.console.paint, declared if detailed else {}))


def keep_look(workspace: Workspace, preview: Preview, end: Sequence[str] = ()) -> None:
    """Keeps a look at a whole source that has found nothing: see `looked.py`, also for `end`."""
    from controller.surfaces.cli.console import PAINTS
    from controller.surfaces.cli.plan_view import summary_line
    from controller.wiring.looked import keep

    if not workspace.elsewhere() and not workspace.stores.brakes.all():
        keep(workspace, preview, [summary_line(preview, paint) for paint in PAINTS], end)


def _exit(preview: Preview, problems: Collection[Problem]) -> Exit:
    if preview.failures or problems:
        return Exit.REFUSED
    return Exit.DIFFERENT if differs(preview) else Exit.OK


def differs(preview: Preview) -> bool:
    """Whether the machine is otherwise than the source says, be it suspended or held back."""
    from controller.surfaces.cli.holding import undecided

    return bool(preview.plans or preview.reported or undecided(preview.holds))
