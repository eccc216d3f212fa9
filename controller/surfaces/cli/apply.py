"""`p2 apply`: carries out what `p2 diff` shows, and waits until everything is Ready."""

from __future__ import annotations

import gc
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App, chosen, load, refuse_unusable
from controller.surfaces.cli.braking import refuse_braked
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import Only, Prune, Timeout

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.surfaces.cli.plan_file import SavedPlan, Scope
    from controller.surfaces.cli.progress import Progress
    from controller.wiring.outcome import Preview, Summary
    from controller.wiring.workspace import Workspace
    from resources.meta import Key


@dataclass(frozen=True)
class Apply(Command):
    """Make the machine what the source says.

    Shows the plan, carries it out, and waits until everything is Ready. A terminal is asked before anything is
    deleted or loses data; elsewhere that needs --yes. What has left the source is deleted, unless only some files
    (-f) or resources (--only) are applied. An invalid source is refused whole.

    Exit code 0: converged. 1: not. 2: refused, and nothing was changed. 130: interrupted.

    Examples:
      p2 apply                           all of ./state
      p2 apply -f state/web.yaml         what one file declares
      p2 apply --plan plan.json          what `p2 diff -o json > plan.json` showed, if it still holds
    """

    name = "apply"
    changes = True

    path: Annotated[
        Path | None, Argument(metavar="PATH", help="Directory with the desired state (default: ./state).")
    ] = None
    file: Annotated[
        tuple[Path, ...], Option("-f", "--file", metavar="FILE", help="Only what this file declares; repeatable.")
    ] = ()
    only: Only = ()
    plan: Annotated[
        Path | None, Option("--plan", metavar="FILE", help="Only if the plan is still the one saved in FILE.")
    ] = None
    prune: Prune = True
    yes: Annotated[bool, Option("-y", "--yes", help="Delete without asking.")] = False
    keep_going: Annotated[
        bool, Option("--keep-going", help="Apply what is valid when parts of the source are not.")
    ] = False
    timeout: Timeout = 300.0

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.progress import progress_on, waiting

        saved = self._saved_plan()
        progress = progress_on(app.console)
        if not app.home(read_only=True).restoring:  # that is finished first, by whoever may write
            with app.kept(read_only=True) as kept:  # before the lock: it says more than who holds that
                refuse_braked(app, kept.stores, "apply anything")
        with app.open(self._source(saved), read_only=False, listener=progress, request=app.request()) as workspace:
            problems = load(app, workspace, keep_going=self.keep_going)
            scope = saved.scope if saved else self._scope(workspace)
            with waiting(app.console, "looking at the machine"):
                preview = workspace.preview(scope.only, prune=scope.prune)
            if saved:
                refuse_moved(saved, preview)
            show_plan(app, preview)
            refuse_unusable(workspace, preview)
            ask(app, preview, yes=self.yes, way_out=_way_out(preview))
            summary = self._converge(app, workspace, scope, progress, len(preview.plans))
            code = report(app, preview, summary, sound=not problems)
            if self == Apply(self.path, yes=self.yes):
                keep_end(app, workspace, preview, summary, code)
        return code

    def _saved_plan(self) -> SavedPlan | None:
        if self.plan is None:
            return None
        if self.only or self.file or not self.prune:
            raise Refused("cannot combine --plan with --only, -f or --no-prune: the saved plan says what it is about")
        from controller.surfaces.cli.plan_file import read_plan

        saved = read_plan(self.plan)
        if self.path is not None and self.path.resolve() != saved.scope.source:
            raise Refused(f"cannot apply {self.plan} to {self.path}: it was made for {saved.scope.source}")
        return saved

    def _source(self, saved: SavedPlan | None) -> Path:
        if saved:
            return saved.scope.source
        source = self.path or Path("state")
        for file in self.file:
            if not file.is_file():
                raise Refused(f"cannot read {file}: there is no such file")
            if not file.resolve().is_relative_to(source.resolve()):
                raise Refused(
                    f"cannot apply {file}: it is not below {source}; name the directory that it belongs to: "
                    f"p2 apply {file.parent} -f {file}"
                )
        return source

    def _scope(self, workspace: Workspace) -> Scope:
        from controller.surfaces.cli.plan_file import Scope

        source = self._source(None).resolve()
        only = chosen(self.only, workspace)
        if not self.file:
            return Scope(source, only, self.prune)
        files = {str(file.resolve()) for file in self.file}
        within = frozenset(key for key, found in workspace.declared().items() if found.origin.file in files)
        return Scope(source, within | (only or frozenset()), prune=False)

    def _converge(self, app: App, workspace: Workspace, scope: Scope, progress: Progress, actions: int) -> Summary:
        return converge(app, workspace, progress, actions, only=scope.only, prune=scope.prune, timeout=self.timeout)


def converge(
    app: App,
    workspace: Workspace,
    progress: Progress,
    actions: int,
    *,
    only: Collection[Key] | None = None,
    prune: bool = True,
    timeout: float,
) -> Summary:
    """Works until all is settled, with its progress shown. Ctrl-C stops it, after what is under way."""
    if not gc.isenabled():  # `main.py` has the start do without; now work begins, and may take long
        gc.freeze()
        gc.enable()
    with app.stoppable() as cancelled:
        progress.begin(actions)
        try:
            return workspace.converge(only, prune=prune, timeout=timeout, cancelled=cancelled)
        finally:
            progress.end()


def keep_end(app: App, workspace: Workspace, preview: Preview, summary: Summary, code: Exit) -> None:
    """Keeps how an apply of a whole source ended, where the next one would end so, too: see `unchanged.py`."""
    from controller.surfaces.cli.console import PAINTS
    from controller.surfaces.cli.diff import keep_look
    from controller.surfaces.cli.summary_view import summary_lines
    from controller.wiring.looked import changed_nothing

    if changed_nothing(workspace, summary):
        app.ended(workspace.stores.audit, code)  # after which the database says no more
        with suppress(KeyboardInterrupt):  # it is done
            keep_look(workspace, preview, ["\n".join(summary_lines(preview, summary, paint)) for paint in PAINTS])


def ask(app: App, preview: Preview, *, yes: bool, way_out: str) -> None:
    """Has a person agree to what would be gone. Raises Refused when nobody does; `way_out` is what to do where nobody can."""
    question = destruction(preview)
    if not question or yes:
        return
    if not app.console.asks:
        raise Refused(f"cannot {question} without being told: {way_out}")
    if not app.console.ask(f"{question}?".capitalize()):
        raise Refused("cannot go on without your consent; nothing was changed")


def refuse_moved(saved: SavedPlan, preview: Preview) -> None:
    """Raises Refused, saying what is different, when the saved plan is no longer the one to be made now."""
    if saved.digest == preview.digest:
        return
    from controller.surfaces.cli.plan_file import moved

    raise Refused(
        "\n  ".join(["cannot apply the saved plan: things have moved since; make a new one", *moved(saved, preview)])
    )


def show_plan(app: App, preview: Preview) -> None:
    from controller.surfaces.cli.plan_view import preview_lines

    app.console.print(preview_lines(preview, app.console.paint, {}))


def _way_out(preview: Preview) -> str:
    from resources.plan import Action

    leaving = any(plan.action is Action.DELETE for plan in preview.plans)
    return "add --yes, or keep what has left with --no-prune" if leaving else "add --yes, or put the old values back"


def destruction(preview: Preview) -> str:
    """What would be gone afterwards, as `delete 2 resources`; empty when nothing would be."""
    from controller.surfaces.cli.words import counted
    from resources.plan import Action

    deletes = sum(plan.action is Action.DELETE for plan in preview.plans)
    losses = sum(plan.action is not Action.DELETE and plan.loses_data for plan in preview.plans)
    parts = [f"delete {counted(deletes, 'resource')}"] if deletes else []
    if losses:
        parts.append(f"replace {counted(losses, 'resource')} whose data is lost")
    return " and ".join(parts)


def report(app: App, preview: Preview, summary: Summary, *, sound: bool) -> Exit:
    """Shows how an apply ended. Returns the exit code."""
    from controller.surfaces.cli.holding import undecided
    from controller.surfaces.cli.summary_view import summary_lines

    app.console.print(summary_lines(preview, summary, app.console.paint))
    if summary.cancelled:
        return Exit.INTERRUPTED
    if not sound:
        app.console.note("not all of the source was applied: correct what is named above")
    complete = summary.converged and sound and not undecided(summary.holds)
    return Exit.OK if complete else Exit.DIFFERENT
