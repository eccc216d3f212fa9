"""Waits until a container works that was started beside the one that it is to replace. `replacement.py` calls it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, Json
from controller.agents.docker.failures import explained
from controller.agents.docker.health import health_of, running_for
from controller.agents.docker.last_words import last_words
from controller.engine.agent import Context, Health, Retry, Stalled
from resources.conditions import Reason
from resources.kinds.container import Container
from resources.notation import duration_text

GLANCE = 0.3  # seconds between looks
# Seconds that a program must have been running where nothing else says whether it works: many exit at once.
STEADY = 1.0
STARTS = 3  # of a program that exits each time, before nothing more is expected of it


@dataclass(frozen=True, slots=True)
class Times:
    """`now` in seconds since the epoch, `monotonic` in seconds."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


def prove(engine: Engine, container: Container, identity: str, ctx: Context, times: Times) -> None:
    """Returns when the new container is Ready. Raises Stalled when it will not be, Retry when it is not wanted any more."""
    name, within = container.container_name, container.ready_within()
    assert within is not None, "nothing that is to complete is started first"
    give_up = times.monotonic() + within
    ctx.progress(container.key, None, f"waits for the new container {name} to be Ready")
    while True:
        live = _look(engine, container, identity)
        health = _health(container, live, times.now())
        if health.ready:
            return
        if ctx.cancelled.wait(min(health.again or GLANCE, GLANCE)):
            raise Retry("Cancelled", f"cannot wait for the new container {name} any longer: that was broken off")
        if ctx.overtaken(container.key):
            why = "it was edited, or Pegasus2 is being stopped"
            raise Retry("Overtaken", f"cannot go on waiting for the new container {name}: {why}", after=0)
        if health.stalled or times.monotonic() >= give_up:
            what = "did not become Ready" if health.stalled else f"was not Ready within {duration_text(within)}"
            trouble = f"{health.reason}: {health.message}{last_words(engine, live)}"
            raise Stalled(
                Reason.NOT_READY_IN_TIME, f"the new container {what} ({trouble}); the former one has served all along"
            )


def _look(engine: Engine, container: Container, identity: str) -> Json:
    with explained(f"look at the new container {container.container_name}"):
        live = engine.read_each([paths.container(identity)])[0]
    if live is None:
        raise Retry(
            "Removed", f"cannot go on with the new container {container.container_name}: somebody has removed it"
        )
    return live


def _health(container: Container, live: Json, now: float) -> Health:
    """As it is judged in its place, and more strictly: while the other one serves there is no hurry."""
    state = live["State"]
    if not (state["Running"] or state.get("Restarting")):
        return Health(False, "Exited", f"it has exited with code {state['ExitCode']}", stalled=True)
    health = health_of(container.spec, live, now)
    if live.get("RestartCount", 0) >= STARTS:
        return Health(False, "CrashLoop", f"it exits at each start, last with code {state['ExitCode']}", stalled=True)
    unproven = not (state.get("Health") or container.spec.minReadySeconds)
    if health.ready and unproven and (left := STEADY - running_for(live, now)) > 0:
        return Health(False, Reason.PROGRESSING, "it has just been started", again=left)
    return health
