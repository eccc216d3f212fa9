"""One run of `p2 deploy`: its steps, and the way back. `deploy.py` reads the command line and makes one.

What is done again and again is in settling.py, which images there are in rollout.py, the overlay's files in environment.py, tests
and smoke checks in trial_run.py and smoke.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, TypeVar

from controller.store.errors import HomeError
from controller.surfaces.cli.app import App, load, refuse_unusable
from controller.surfaces.cli.command import Exit, Refused
from controller.surfaces.cli.console import Style
from controller.surfaces.cli.environment import (
    Environment,
    commit,
    going_back,
    refuse_uncommitted,
)
from controller.surfaces.cli.pinning import Written
from controller.surfaces.cli.words import place

Value = TypeVar("Value")

if TYPE_CHECKING:
    from controller.engine.by_hand import Pinned
    from controller.engine.history import Ending
    from controller.engine.requests import Cause
    from controller.surfaces.cli.deploy import Deploy
    from controller.surfaces.cli.pinning import Wanted
    from controller.surfaces.cli.progress import Progress
    from controller.wiring.outcome import Preview, Summary
    from controller.wiring.workspace import Workspace
    from resources.meta import Key


class _Failed(Exception):
    """A step has failed; the message says how."""


class _Interrupted(Exception):
    """Somebody has broken it off."""


@dataclass
class Deploying:
    """One deployment, from the images to the smoke checks. `run` once."""

    app: App
    order: Deploy
    environment: Environment
    stop: Flag
    former: Written = field(default_factory=lambda: Written(""))  # its files, as they were
    images: Sequence[Wanted] = ()
    pins: Mapping[str, Pinned] = field(default_factory=dict)
    unsaid: Sequence[Wanted] = ()  # where the files did not say what runs
    before: Mapping[str, Pinned] = field(default_factory=dict)  # what ran there
    tests: str = ""
    committed: str = ""  # the newest commit of ours
    deployed: str = ""  # the one that rolls out

    def run(self) -> Exit:
        from controller.engine.history import Ending

        began = time.monotonic()
        self.former = self.environment.written
        try:
            self._bring_images()
            if self.order.run_tests:
                self._run_tests()
            self._roll_out()
            self._check()
        except (_Failed, Refused, HomeError) as failure:
            if not isinstance(failure, _Failed) and not self.committed:
                raise
            self._complain(str(failure))
            self.deployed = self.committed
            self._record(began, Ending.FAILED, f"{failure}; {self._taken_back()}")
            return Exit.DIFFERENT
        except _Interrupted:
            self._tell_how_to_go_on()
            self._record(began, Ending.INTERRUPTED, "somebody broke it off")
            return Exit.INTERRUPTED
        self._record(began, Ending.CONVERGED, "")
        where = f", in commit {self.committed}" if self.committed else ""
        self._step(f"deployed to {self.environment.name}{where}", Style.GREEN)
        return Exit.OK

    # -- the steps -------------------------------------------------------------------------------------------------

    def _bring_images(self) -> None:
        """Builds or pulls them. Containers whose images are pinned go on with what they have."""
        from controller.surfaces.cli import rollout, smoke

        with self._opened() as (workspace, progress):
            load(self.app, workspace, keep_going=False)
            entries = workspace.entries()
            resources = [entry.resource for entry in entries.values()]
            files = {str(self.environment.kustomization), *rollout.files(entries.values())}
            places = [self.environment.root, *rollout.contexts(resources)]
            refuse_uncommitted(places, files, files | rollout.made_from(self.environment))
            smoke.checks(resources)
            self.images = rollout.wanted(entries, self.environment, self.order.image)
            self.unsaid = [unsaid for image in self.images for unsaid in self.former.unsaid(image)]
            self.before = self._asked(lambda: rollout.pinned(workspace, self.unsaid, bring=False))
            if keys := frozenset(key for key in entries if key.kind == rollout.IMAGE):
                self._step(f"bringing the images of {self.environment.name}")
                preview = workspace.preview(keys)
                self._agree(preview)
                summary = self._settled(workspace, progress, preview, keys)
                self._go_on(summary)
                if not summary.converged:
                    raise _Failed("an image could not be brought; nothing that runs was changed")
            self.pins = self._asked(lambda: rollout.pinned(workspace, self.images, bring=True))
            if not self.order.force:
                self._asked(lambda: rollout.refuse_again(workspace, self.environment, self.images, self.pins))
        for name, pin in sorted(self.pins.items()):
            self.app.console.print(f"  {name}: {pin.reference}")

    def _run_tests(self) -> None:
        from controller.surfaces.cli.trial_run import TrialRun

        self._step(f"running the tests of {self.environment.name}")
        summary = TrialRun(self.app, self.environment, self.images, self.pins, self.order.timeout).run()
        self._go_on(summary)
        self.tests = "passed" if summary.converged else "failed"
        if not summary.converged:
            raise _Failed(f"the tests of {self.environment.name} failed; nothing that runs was changed")

    def _roll_out(self) -> None:
        """Writes the images down, commits that, and makes the machine so."""
        self._go_on()
        with self.app.open(self.environment.overlay, read_only=True) as workspace:
            load(self.app, workspace, keep_going=False)
            preview = workspace.preview()
            refuse_unusable(workspace, preview)
            self._agree(preview)  # before anything is committed
        subject = self.order.message or f"Deploy to {self.environment.name}"
        images = [f"{name}: {pin.reference} ({pin.identity})" for name, pin in sorted(self.pins.items())]
        self._apply(self.former.with_pins(self.images, self.pins), "\n".join([subject, "", *images]).rstrip())

    def _check(self) -> None:
        """Asks what says that it answers."""
        from controller.surfaces.cli import smoke
        from controller.surfaces.cli.settling import tell_logs
        from controller.surfaces.cli.written import without_secrets

        with self.app.open(self.environment.overlay, read_only=True) as workspace:
            workspace.load()
            resources = {key: entry.resource for key, entry in workspace.entries().items()}
            for key, address in smoke.checks(resources.values()):
                shown = without_secrets(address)
                self._step(f"asking {shown}")
                wrong = smoke.answers(address, self.order.smoke_timeout, self.stop)
                self._go_on()
                if wrong:
                    tell_logs(self.app, workspace, [resources[key]])
                    raise _Failed(f"the smoke check {shown} of {key.short} failed: {wrong}")

    def _taken_back(self) -> str:
        """Puts the files back, and makes the machine so. Returns what became of that, for people."""
        from controller.engine.requests import Cause

        if not self.deployed:
            return "nothing was committed"
        old = self._as_before()
        if old == self.environment.written:
            self.app.console.note("there is nothing to go back to: the same images ran before")
            return "there was nothing to go back to"
        self._step(f"taking the deployment to {self.environment.name} back")
        self.stop.clear()
        subject = self.order.message or f"Deploy to {self.environment.name}"
        try:
            self._apply(old, f'Take back "{subject}"\n\n{going_back(self.deployed)}', Cause.ROLLBACK)
        except (_Failed, _Interrupted, Refused, HomeError) as error:
            self._complain(f"going back did not succeed, too: {str(error) or 'somebody broke it off'}")
            self._tell_how_to_go_on()
            return "going back did not succeed, too"
        self._step(f"{self.environment.name} is as it was before, in commit {self.committed}")
        return f"taken back in commit {self.committed}"

    def _as_before(self) -> Written:
        return self.former.with_pins(self.unsaid, self.before)

    def _apply(self, written: Written, message: str, cause: Cause | None = None) -> None:
        """Writes the files, commits them, and applies the overlay. A running controller sees both as one."""
        from controller.surfaces.cli import rollout
        from controller.surfaces.cli.holding import undecided
        from controller.surfaces.cli.settling import tell_logs_of_failed

        environment = self.environment
        with self._opened(cause) as (workspace, progress), workspace.asking():
            if written != environment.written:
                with workspace.source.still():
                    changed, self.committed = _committed(environment, written, message)
                files = " and ".join(place(str(path)) for path in changed)
                self._step(f"committed {files} as {self.committed}")
            self._step(f"applying {environment.name}")
            load(self.app, workspace, keep_going=False)
            summary = self._settled(workspace, progress, workspace.preview())
            self._go_on(summary)
            if not summary.converged or undecided(summary.holds):
                tell_logs_of_failed(self.app, workspace, summary)
                raise _Failed(f"not all of {environment.name} became Ready")
            # Of what was rolled out before, and is rolled out now, the names stay.
            kept = self._as_before().tags() | written.tags()
            self._asked(lambda: rollout.unpin(workspace, self.images, self.pins, kept))

    # -- parts of them -----------------------------------------------------------------------------------------------

    @contextmanager
    def _opened(self, cause: Cause | None = None) -> Iterator[tuple[Workspace, Progress]]:
        from controller.surfaces.cli.progress import progress_on

        progress, request = progress_on(self.app.console), self.app.request(cause)
        with self.app.open(self.environment.overlay, read_only=False, listener=progress, request=request) as workspace:
            yield workspace, progress

    def _settled(
        self, workspace: Workspace, progress: Progress, preview: Preview, only: frozenset[Key] | None = None
    ) -> Summary:
        from controller.surfaces.cli.settling import settled

        return settled(self.app, workspace, progress, preview, self.order.timeout, only)

    def _asked(self, ask: Callable[[], Value]) -> Value:
        """What the agent of images says. Raises _Failed."""
        from controller.engine.agent import Retry, Stalled

        try:
            return ask()
        except (Retry, Stalled) as failure:
            raise _Failed(failure.message) from None

    def _agree(self, preview: Preview) -> None:
        from controller.surfaces.cli.apply import ask

        ask(self.app, preview, yes=self.order.yes, way_out="add --yes")

    def _go_on(self, summary: Summary | None = None) -> None:
        if self.stop.is_set() or (summary and summary.cancelled):
            raise _Interrupted

    def _step(self, text: str, *styles: Style) -> None:
        self.app.console.print(self.app.console.paint(f"=> {text}", Style.BOLD, *styles))

    def _complain(self, text: str) -> None:
        self.app.console.note(f"{self.app.console.paint_err('error:', Style.BOLD, Style.RED)} {text}")

    def _tell_how_to_go_on(self) -> None:
        overlay = place(str(self.environment.overlay))
        if not self.committed:
            self.app.console.note(
                "nothing was committed, and nothing that runs was changed; the same command begins anew"
            )
            return
        self.app.console.note(
            f"commit {self.committed} is made, and may be applied in part; p2 apply {overlay} goes on with it, "
            f"p2 rollback -s {overlay} goes back"
        )

    def _record(self, began: float, ending: Ending, message: str) -> None:
        """The history has an entry for the whole, beside those of what was applied."""
        from controller.engine.history import Deployment, Entry, Rolled
        from controller.engine.requests import Cause
        from controller.surfaces.cli.written import without_secrets

        app = self.app
        images = tuple(Rolled(name, pin.reference, pin.identity) for name, pin in sorted(self.pins.items()))
        seconds = time.monotonic() - began
        entry = Entry(
            str(self.environment.overlay.resolve()),
            app.now() - seconds,
            Cause.DEPLOY,
            app.user,
            without_secrets(app.typed),
            commit=self.deployed or self.committed,
            ending=ending,
            message=message,
            seconds=round(seconds, 3),
            deployment=Deployment(self.environment.name, images, self.tests),
        )
        with app.kept(read_only=False) as kept:
            kept.stores.history.open(entry, ())


def _committed(environment: Environment, written: Written, message: str) -> tuple[list[Path], str]:
    """Writes the files and commits them; where that is refused, they are as before. Returns the files, and the commit."""
    before = environment.written
    try:
        changed = environment.write(written)
        return changed, commit(changed, message, [environment.root])
    except BaseException:
        environment.write(before)
        raise
