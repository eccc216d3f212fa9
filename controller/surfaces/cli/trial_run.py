"""The tests of an environment: resources that a deployment makes, waits for, and takes away again. `deploying.py` calls it.

They lie in PATH/overlays/NAME/tests, a kustomization of its own, which no apply of the environment looks at. What is tested is
given to them by a kustomization around theirs, in the home: so nothing of the source is changed before they have passed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.surfaces.cli.app import App, load
from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.environment import Environment
from controller.surfaces.cli.pinning import with_images
from controller.surfaces.cli.words import place

if TYPE_CHECKING:
    from controller.engine.by_hand import Pinned
    from controller.surfaces.cli.pinning import Wanted
    from controller.wiring.outcome import Summary

_LINES = 200  # of the log of a test that has failed


def refuse_without(environment: Environment) -> None:
    """Raises Refused where an environment has no tests."""
    if not any(environment.tests.glob("*ustomization*")):
        raise Refused(
            f"cannot run the tests of {environment.name}: there is no {place(str(environment.tests))}/kustomization.yaml; "
            "list there what tests it, such as containers with 'state: completed'"
        )


@dataclass(frozen=True)
class TrialRun:
    app: App
    environment: Environment
    images: Sequence[Wanted]
    pins: Mapping[str, Pinned]
    timeout: float  # seconds

    def run(self) -> Summary:
        """Makes what is declared there, and takes it away afterwards; what said Retain stays."""
        from controller.surfaces.cli.progress import progress_on
        from controller.surfaces.cli.settling import settled, tell_logs_of_failed

        app = self.app
        around = self._around()
        directory = around.overlay
        listener = progress_on(app.console)
        self._take_away(directory)  # of an earlier run that was killed
        try:
            self._patch(around)
            with app.open(directory, read_only=False, listener=listener, request=app.request()) as workspace:
                load(app, workspace, keep_going=False)
                summary = settled(app, workspace, listener, workspace.preview(), self.timeout)
                if not summary.converged:
                    tell_logs_of_failed(app, workspace, summary, _LINES)
        finally:
            self._take_away(directory)
        return summary

    def _around(self) -> Environment:
        """The kustomization around that of the tests, which sets the images."""
        directory = self.app.home(read_only=True).path / "deploy" / self.environment.name
        directory.mkdir(parents=True, exist_ok=True)
        tests = os.path.relpath(self.environment.tests.resolve(), directory.resolve())
        text = with_images(f"resources:\n- {json.dumps(tests)}\n", self.pins)
        around = Environment(self.environment.name, directory, directory, directory / "kustomization.yaml")
        around.kustomization.write_text(text, encoding="utf-8")
        around.patch.unlink(missing_ok=True)
        return around

    def _patch(self, around: Environment) -> None:
        """Sets the images of services of Compose resources, too."""
        from controller.surfaces.cli import rollout

        with self.app.open(around.overlay, read_only=True) as workspace:
            load(self.app, workspace, keep_going=False)
            services = rollout.in_tests(workspace.entries(), around, self.images)
        around.write(around.written.with_pins(services, self.pins))

    def _take_away(self, directory: Path) -> None:
        from controller.engine.requests import Cause

        app = self.app
        with app.open(directory, read_only=False, request=app.request(Cause.DELETE)) as workspace:
            records = workspace.stores.inventory.records(workspace.source.name)
            keys = [key for key, record in records.items() if not record.retain]
            if keys:
                workspace.delete(keys)
