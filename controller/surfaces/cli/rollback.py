"""`p2 rollback`: puts the files of a source back as they were in a revision, and makes the machine so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App, load, refuse_unusable
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import SourceOption, Timeout

if TYPE_CHECKING:
    from controller.sources.restoring import Restored, Restoring
    from controller.wiring.outcome import Preview
    from controller.wiring.workspace import Workspace


@dataclass(frozen=True)
class Rollback(Command):
    """Put the files back as they were in a revision, then apply them.

    Without a number: the newest revision whose files are others than now, so it undoes the last edit, and a second
    rollback undoes the first. In a git work tree it makes one commit, of the source's own files only. Elsewhere the
    newer files are kept in $PEGASUS2_HOME/aside. Shows the plan first, asks like apply, and has its exit codes.

    Examples:
      p2 rollback                    undo the last edit
      p2 diff --revision 12          what this would change:
      p2 rollback 12                 go back to revision 12
    """

    name = "rollback"
    changes = True

    revision: Annotated[int | None, Argument(metavar="N", min=1, help="Which revision; p2 history lists them.")] = None
    path: SourceOption = Path("state")
    yes: Annotated[bool, Option("-y", "--yes", help="Delete without asking.")] = False
    timeout: Timeout = 300.0

    def run(self, app: App) -> Exit:
        from controller.engine.requests import Cause
        from controller.surfaces.cli.apply import ask, converge, report
        from controller.surfaces.cli.braking import refuse_braked
        from controller.surfaces.cli.progress import progress_on

        progress = progress_on(app.console)
        with app.open(self.path, read_only=True) as past:
            number = self._number(past)
            _warn(app, past, number)
            _restoring(app, past, number)  # refused before anybody is asked anything
            request = replace(app.request(Cause.ROLLBACK), revision=number)
            with app.open(self.path, read_only=False, listener=progress, request=request) as workspace:
                refuse_braked(app, workspace.stores, "roll back anything")
                preview = _preview(app, past, number)
                _note_taken_as_now(app, past, number)
                ask(app, preview, yes=self.yes, way_out="add --yes")
                with workspace.asking():
                    self._put_back(app, workspace, number)
                    problems = load(app, workspace, keep_going=False)
                    summary = converge(app, workspace, progress, len(preview.plans), timeout=self.timeout)
        return report(app, preview, summary, sound=not problems)

    def _number(self, workspace: Workspace) -> int:
        root = workspace.revisions.root
        if root != self.path.resolve():
            if not self.path.exists():
                raise Refused(f"cannot find the source {self.path}: say which one with -s, such as -s {root}")
            raise Refused(f"cannot roll back {self.path} alone: it is a part of {root}; p2 rollback -s {root}")
        with _refusing():
            if self.revision is None:
                return workspace.revisions.last_other()
            return workspace.revisions.find(self.revision).number

    def _put_back(self, app: App, workspace: Workspace, number: int) -> None:
        restoring = _restoring(app, workspace, number)  # anew: things may have moved while somebody thought
        if restoring is None:
            app.console.note(f"the files are as in revision {number} already")
            return
        with _refusing():
            restored = restoring.run(workspace.source.still())
        app.console.note(_said(restored, number))


def _warn(app: App, past: Workspace, number: int) -> None:
    """Says so where what is gone back to did not come about when it was new."""
    from controller.engine.history import Ending
    from controller.surfaces.cli.app import tell

    with _refusing():
        entry = past.revisions.find(number)
    if entry.ending is Ending.FAILED:
        tell(
            app, f"revision {number} failed when it was applied ({entry.message}); p2 history lists those that did not"
        )


def _restoring(app: App, workspace: Workspace, number: int) -> Restoring | None:
    with _refusing():
        return workspace.revisions.restoring(number, app.now())


def _preview(app: App, past: Workspace, number: int) -> Preview:
    from controller.surfaces.cli.apply import show_plan
    from controller.surfaces.cli.progress import waiting

    if load(app, past, keep_going=True, revision=number):
        raise Refused(f"cannot roll back to revision {number}: this Pegasus2 finds wrong in it what is named above")
    with waiting(app.console, "looking at the machine"):
        preview = past.preview()
    show_plan(app, preview)
    refuse_unusable(past, preview)
    return preview


def _note_taken_as_now(app: App, past: Workspace, number: int) -> None:
    """What a rollback does not put back."""
    for each in past.revisions.taken_as_now(number, past.declared().values()):
        app.console.note(f"left as it is: {each}")


def _said(restored: Restored, number: int) -> str:
    from controller.surfaces.cli.words import counted

    files = f"{counted(restored.files, 'file')} put back as in revision {number}"
    if restored.commit:
        return f"{files}, in commit {restored.commit}"
    return f"{files}; the newer ones are in {restored.aside}" if restored.aside else files


@contextmanager
def _refusing() -> Iterator[None]:
    from controller.sources.worktree import CannotRestore
    from controller.wiring.revisions import UnknownRevision

    try:
        yield
    except (CannotRestore, UnknownRevision) as error:
        raise Refused(str(error)) from error
