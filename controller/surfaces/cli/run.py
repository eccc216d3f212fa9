"""`p2 run`: the controller in the foreground, its log on stderr and its metrics on loopback."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from controller import __version__
from controller.store.errors import HomeError
from controller.surfaces.cli.app import App, settings
from controller.surfaces.cli.command import Command, Exit, Refused
from controller.surfaces.cli.parameters import SourcePath
from controller.surfaces.cli.words import place

if TYPE_CHECKING:
    from controller.engine.stores import Brake
    from controller.surfaces.metrics import Gauges
    from controller.wiring.host import Host
    from controller.wiring.lifetime import Lifetime
    from controller.wiring.workspace import Workspace
    from resources.meta import Key

Value = TypeVar("Value")

log = logging.getLogger(__name__)

LOOKS = 5  # times the longest wait for a system: so long a single look may take before the loop counts as stuck


@dataclass(frozen=True)
class Run(Command):
    """Watch the source and the machine, and keep them equal.

    This is the controller; it runs until it is stopped. Ctrl-C or SIGTERM finishes what is under way, for at most
    PEGASUS2_STOP_TIMEOUT seconds (25). Logs go to stderr (PEGASUS2_LOG_LEVEL), metrics to
    http://127.0.0.1:9460/metrics (PEGASUS2_METRICS_PORT). As a service: p2 install-service.

    Exit code 0: stopped when told, and all that was under way is finished. 3: some of it was broken off after the
    deadline. 4: that did not help, and the next start finds out how far it got. 2: it could not start, or go on.

    Examples:
      p2 run                         ./state
      p2 run /srv/state
    """

    name = "run"
    changes = True
    lasts = True

    path: SourcePath = Path("state")

    def run(self, app: App) -> Exit:
        from controller.surfaces import logs, probes
        from controller.surfaces.cli.serving import Server
        from controller.surfaces.cli.stopping import stoppable
        from controller.surfaces.deadline import Deadline
        from controller.surfaces.metrics import Metrics
        from controller.surfaces.notify import Notifier
        from controller.wiring.host import Host
        from controller.wiring.lifetime import Lifetime
        from controller.wiring.listeners import Listeners

        logs.configure(app.console.err, setting(logs.level_from))
        port, found = setting(probes.port_from), settings()
        running = Running(found.agent_timeout * LOOKS)
        metrics = Metrics(__version__, running.gauges())
        notifier = Notifier.from_environment(os.environ)
        deadline = Deadline(found.stop_timeout, running.cancel, running.changing)

        def stopping() -> None:
            deadline.begin()
            log.info("stopping after what is under way")
            notifier.stopping()
            running.ordered()

        with ExitStack() as closing:
            stop = closing.enter_context(stoppable(stopping))
            listeners = Listeners(logs.EventLog(), metrics)
            workspace = closing.enter_context(app.open(self.path, read_only=False, listener=listeners))
            running.workspace = workspace
            running.lifetime = Lifetime(workspace.stores, workspace.record, workspace.poke)
            closing.enter_context(written_down(running.lifetime))
            running.host = Host(workspace, listeners, found)
            server = Server(running.host)
            closing.callback(server.close)
            if page := probes.serve(port, metrics.page, alive=running.dead, ready=running.unready):
                closing.callback(page.stop)
            closing.callback(notifier.close)
            notifier.start(workspace.begun, running.dead, running.status)
            log.info("watching; Ctrl-C stops", extra={"source": place(workspace.source.name)})
            running.log_brakes()
            workspace.run(stop)
        return deadline.met()


@contextmanager
def written_down(lifetime: Lifetime) -> Iterator[None]:
    """What the body does is one run of the controller. An error that says what a person is to do is no crash."""
    lifetime.begin()
    try:
        yield
    except (HomeError, Refused):
        lifetime.end()
        raise
    lifetime.end()


def setting(read: Callable[[Mapping[str, str]], Value]) -> Value:
    """What the environment says, read by the module it is for. Raises Refused."""
    try:
        return read(os.environ)
    except ValueError as error:
        raise Refused(str(error)) from error


class Running:
    """What metrics, probes and the service manager ask of the controller, and what ends it.

    They are made before it, for it tells the metrics what it does.
    """

    def __init__(self, patience: float) -> None:
        """`patience`: seconds for which a lane may have work and begin none of it."""
        self.workspace: Workspace | None = None
        self.host: Host | None = None
        self.lifetime: Lifetime | None = None
        self._patience = patience

    def gauges(self) -> Gauges:
        from controller.surfaces.cli.holding import held_back
        from controller.surfaces.metrics import Gauges

        def holds(workspace: Workspace) -> Mapping[str, int]:
            return held_back(workspace.stores, [workspace.source.name])

        def brakes(workspace: Workspace) -> Sequence[Brake]:
            return workspace.stores.brakes.all()

        return Gauges(
            resources=lambda: self._ask(lambda workspace: workspace.stores.statuses.tally(), {}),
            queue_depth=lambda: self._ask(lambda workspace: workspace.queue_depth(), 0),
            agents=lambda: self._ask(lambda workspace: workspace.reached(), {}),
            holds=lambda: self._ask(holds, {}),
            source_ok=lambda: self._ask(lambda workspace: not workspace.source_trouble(), False),
            brakes=lambda: self._ask(brakes, ()),
            suspended=lambda: self._ask(lambda workspace: len(workspace.stores.overrides.suspended()), 0),
        )

    def ordered(self) -> None:
        """It was told to stop: whatever comes now is no crash."""
        if self.lifetime:
            self.lifetime.end()

    def cancel(self) -> None:
        """Asks the agents to break off what they are doing."""
        if self.workspace:
            self.workspace.cancel()
        if self.host:
            self.host.cancel()

    def changing(self) -> frozenset[Key]:
        """What is being changed just now."""
        nothing: frozenset[Key] = frozenset()
        beside = self.host.changing() if self.host else nothing
        return self._ask(lambda workspace: workspace.changing(), nothing) | beside

    def log_brakes(self) -> None:
        """What was on before this controller started is no event, but worth a line."""
        from controller.engine.brakes import withheld

        for brake in self.workspace.stores.brakes.all()[:1] if self.workspace else ():
            log.warning("observing only", extra={"reason": brake.reason, "detail": withheld(brake)})

    def dead(self) -> str:
        """What of the loop has died, or does not move; empty while all of it lives."""
        if died := self._ask(lambda workspace: workspace.died(), ""):
            return f"a part of the loop has died: {died}"
        stuck = self._ask(lambda workspace: workspace.stuck(self._patience), "")
        return f"a part of the loop does not move: {stuck}" if stuck else ""

    def status(self) -> str:
        """How things are, in one line for the service manager."""
        if self.workspace is None:
            return "starting"
        from controller.engine.brakes import because, state
        from resources.conditions import Truth

        stores = self.workspace.stores
        tally = stores.statuses.tally()
        ready = sum(count for (_, truth), count in tally.items() if truth is Truth.TRUE)
        said = f"{ready} of {sum(tally.values())} resources ready"
        return "; ".join([said, *(f"{state(brake)}{because(brake)}" for brake in stores.brakes.all())])

    def unready(self) -> str:
        """What is missing before the loop does its work; empty when nothing is."""
        if self.workspace is None:
            return "the controller is starting"
        if trouble := self.workspace.source_trouble():
            return trouble
        return "" if self.workspace.declared() else "the source has not been read yet"

    def _ask(self, question: Callable[[Workspace], Value], before: Value) -> Value:
        return question(self.workspace) if self.workspace else before
