"""`p2 run`: the controller in the foreground, its log on stderr and its metrics on loopback."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from controller import __version__
from controller.surfaces.cli.app import App, settings
from controller.surfaces.cli.command import Command, Exit, Refused
from controller.surfaces.cli.parameters import SourcePath
from controller.surfaces.cli.words import place

if TYPE_CHECKING:
    from controller.engine.stores import Hold
    from controller.surfaces.metrics import Gauges
    from controller.wiring.workspace import Workspace

Value = TypeVar("Value")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run(Command):
    """Watch the source and the machine, and keep them equal.

    This is the controller; it runs until it is stopped. Ctrl-C or SIGTERM finishes what is under way. Logs go to
    stderr (PEGASUS2_LOG_LEVEL), metrics to http://127.0.0.1:9460/metrics (PEGASUS2_METRICS_PORT).

    Examples:
      p2 run                         ./state
      p2 run /srv/state
    """

    name = "run"

    path: SourcePath = Path("state")

    def run(self, app: App) -> Exit:
        from controller.surfaces import logs, probes
        from controller.surfaces.cli.serving import Server
        from controller.surfaces.cli.stopping import stoppable
        from controller.surfaces.metrics import Metrics
        from controller.wiring.host import Host
        from controller.wiring.listeners import Listeners

        logs.configure(app.console.err, setting(logs.level_from))
        port = setting(probes.port_from)
        running = Running()
        metrics = Metrics(__version__, running.gauges())
        with ExitStack() as closing:
            stop = closing.enter_context(stoppable(lambda: log.info("stopping after what is under way")))
            listeners = Listeners(logs.EventLog(), metrics)
            workspace = closing.enter_context(app.open(self.path, read_only=False, listener=listeners))
            running.workspace = workspace
            server = Server(Host(workspace, listeners, settings()))
            closing.callback(server.close)
            if page := probes.serve(port, metrics.page, alive=running.dead, ready=running.unready):
                closing.callback(page.stop)
            log.info("watching; Ctrl-C stops", extra={"source": place(workspace.source.name)})
            workspace.run(stop)
        return Exit.OK


def setting(read: Callable[[Mapping[str, str]], Value]) -> Value:
    """What the environment says, read by the module it is for. Raises Refused."""
    try:
        return read(os.environ)
    except ValueError as error:
        raise Refused(str(error)) from error


class Running:
    """What metrics and probes ask of the controller. They are made before it, for it tells the metrics what it does."""

    workspace: Workspace | None = None

    def gauges(self) -> Gauges:
        from controller.surfaces.metrics import Gauges

        def holds(workspace: Workspace) -> Sequence[Hold]:
            return workspace.stores.holds.all(workspace.source.name)

        return Gauges(
            resources=lambda: self._ask(lambda workspace: workspace.stores.statuses.tally(), {}),
            queue_depth=lambda: self._ask(lambda workspace: workspace.queue_depth(), 0),
            agents=lambda: self._ask(lambda workspace: workspace.reached(), {}),
            holds=lambda: self._ask(holds, ()),
            source_ok=lambda: self._ask(lambda workspace: not workspace.source_trouble(), False),
        )

    def dead(self) -> str:
        """What of the loop has died; empty while all of it lives."""
        return self._ask(lambda workspace: workspace.died(), "")

    def unready(self) -> str:
        """What is missing before the loop does its work; empty when nothing is."""
        if self.workspace is None:
            return "the controller is starting"
        if trouble := self.workspace.source_trouble():
            return trouble
        return "" if self.workspace.declared() else "the source has not been read yet"

    def _ask(self, question: Callable[[Workspace], Value], before: Value) -> Value:
        return question(self.workspace) if self.workspace else before
