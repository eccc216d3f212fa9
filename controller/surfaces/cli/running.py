"""A loop that runs until it is stopped, and all that is around one: log, metrics, probes, service manager, signals.

`p2 run` and `p2 operator` run one each.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event as Flag
from typing import TYPE_CHECKING, TypeVar

from controller import __version__
from controller.store.errors import HomeError
from controller.surfaces import logs, probes
from controller.surfaces.cli.app import App, settings
from controller.surfaces.cli.command import Exit, Refused
from controller.surfaces.cli.stopping import stoppable
from controller.surfaces.deadline import Deadline
from controller.surfaces.metrics import Gauges, Metrics
from controller.surfaces.notify import Notifier
from controller.wiring.lifetime import Lifetime
from controller.wiring.listeners import Listeners

if TYPE_CHECKING:
    from controller.engine.stores import Brake
    from controller.wiring.host import Host
    from controller.wiring.opened import Opened
    from resources.meta import Key

Value = TypeVar("Value")

log = logging.getLogger(__name__)

# Seconds for which a thread that computes keeps others waiting. With Python's 5 ms a change of ten requests takes 50 ms more
# when a command looks at the world meanwhile.
HANDOVER = 0.0005
LOOKS = 5  # times the longest wait for a system: so long a single look may take before the loop counts as stuck


class Supervised:
    """A loop's surroundings, entered before it is opened. `running.listeners` is what it is to be opened with."""

    def __init__(
        self, running: Running, stop: Flag, notifier: Notifier, deadline: Deadline, closing: ExitStack
    ) -> None:
        self.running = running
        self.stop = stop
        self.closing = closing  # for what is to be closed with the loop
        self._notifier = notifier
        self._deadline = deadline

    def begin(self, opened: Opened) -> None:
        """`opened` is there, and is about to run."""
        running = self.running
        running.opened = opened
        running.lifetime = Lifetime(opened.stores, opened.record, opened.poke)
        self.closing.enter_context(written_down(running.lifetime))
        self._notifier.start(opened.begun, running.dead, running.status)
        running.log_brakes()

    def ended(self) -> Exit:
        """All has ended. Returns the exit code."""
        return self._deadline.met()


@contextmanager
def supervised(app: App) -> Iterator[Supervised]:
    """Everything around a loop, while the body opens and runs it. Raises Refused for a setting that can't be read."""
    sys.setswitchinterval(HANDOVER)
    logs.configure(app.console.err, setting(logs.level_from))
    port, found = setting(probes.port_from), settings()
    running = Running(found.agent_timeout * LOOKS)
    metrics = Metrics(__version__, running.gauges())
    running.listeners = Listeners(logs.EventLog(), metrics)
    notifier = Notifier.from_environment(os.environ)
    deadline = Deadline(found.stop_timeout, running.cancel, running.changing)

    def stopping() -> None:
        deadline.begin()
        log.info("stopping after what is under way")
        notifier.stopping()
        running.ordered()

    with ExitStack() as closing:
        stop = closing.enter_context(stoppable(stopping))
        closing.callback(notifier.close)
        if page := probes.serve(port, metrics.page, alive=running.dead, ready=running.unready):
            closing.callback(page.stop)
        yield Supervised(running, stop, notifier, deadline, closing)


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
        self.opened: Opened | None = None
        self.host: Host | None = None
        self.lifetime: Lifetime | None = None
        self.listeners = Listeners()
        self._patience = patience

    def gauges(self) -> Gauges:
        from controller.surfaces.cli.holding import held_back

        def holds(opened: Opened) -> Mapping[str, int]:
            return held_back(opened.stores, [opened.parts.identity.source])

        def brakes(opened: Opened) -> Sequence[Brake]:
            return opened.stores.brakes.all()

        return Gauges(
            resources=lambda: self._ask(lambda opened: opened.stores.statuses.tally(), {}),
            queue_depth=lambda: self._ask(lambda opened: opened.queue_depth(), 0),
            agents=lambda: self._ask(lambda opened: opened.reached(), {}),
            holds=lambda: self._ask(holds, {}),
            source_ok=lambda: self._ask(lambda opened: not opened.source_trouble(), False),
            brakes=lambda: self._ask(brakes, ()),
            suspended=lambda: self._ask(lambda opened: len(opened.stores.overrides.suspended()), 0),
        )

    def ordered(self) -> None:
        """It was told to stop: whatever comes now is no crash."""
        if self.lifetime:
            self.lifetime.end()

    def cancel(self) -> None:
        """Asks the agents to break off what they are doing."""
        if self.opened:
            self.opened.cancel()
        if self.host:
            self.host.cancel()

    def changing(self) -> frozenset[Key]:
        """What is being changed just now."""
        nothing: frozenset[Key] = frozenset()
        beside = self.host.changing() if self.host else nothing
        return self._ask(lambda opened: opened.changing(), nothing) | beside

    def log_brakes(self) -> None:
        """What was on before this controller started is no event, but worth a line."""
        from controller.engine.brakes import withheld

        for brake in self.opened.stores.brakes.all()[:1] if self.opened else ():
            log.warning("observing only", extra={"reason": brake.reason, "detail": withheld(brake)})

    def dead(self) -> str:
        """What of the loop has died, or does not move; empty while all of it lives."""
        if died := self._ask(lambda opened: opened.died(), ""):
            return f"a part of the loop has died: {died}"
        stuck = self._ask(lambda opened: opened.stuck(self._patience), "")
        return f"a part of the loop does not move: {stuck}" if stuck else ""

    def status(self) -> str:
        """How things are, in one line for the service manager."""
        if self.opened is None:
            return "starting"
        from controller.engine.brakes import because, state
        from resources.conditions import Truth

        stores = self.opened.stores
        tally = stores.statuses.tally()
        ready = sum(count for (_, truth), count in tally.items() if truth is Truth.TRUE)
        said = f"{ready} of {sum(tally.values())} resources ready"
        return "; ".join([said, *(f"{state(brake)}{because(brake)}" for brake in stores.brakes.all())])

    def unready(self) -> str:
        """What is missing before the loop does its work; empty when nothing is."""
        if self.opened is None:
            return "the controller is starting"
        if trouble := self.opened.source_trouble():
            return trouble
        return "" if self.opened.begun.is_set() else "the source has not been read yet"

    def _ask(self, question: Callable[[Opened], Value], before: Value) -> Value:
        return question(self.opened) if self.opened else before
