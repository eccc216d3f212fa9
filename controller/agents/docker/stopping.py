"""Stops containers, each within the time that it asks for."""

from __future__ import annotations

from controller.agents.docker.client import Json, WritableEngine
from controller.agents.docker.creation import restart_policy
from controller.agents.docker.translation import restart_text

GRACE = 10  # seconds, where a container does not say


def halt(engine: WritableEngine, live: Json) -> None:
    """Stops a container that is not at rest."""
    if live["State"]["Running"] or live["State"].get("Restarting"):
        engine.stop(live["Id"], grace(live))


def retire(engine: WritableEngine, live: Json) -> None:
    """Stops a container for good: the engine does not start it again, not even after a restart of its own."""
    if _would_come_back(live):
        restore_policy(engine, live["Id"], "no")
    halt(engine, live)


def _would_come_back(live: Json) -> bool:
    """Whether the engine, when it is started, would start this one once it has been stopped.

    It writes down, before it sends the signal, that a container was stopped by hand, and heeds that for `unless-stopped`
    alone: https://github.com/moby/moby/blob/v20.10.24/restartmanager/restartmanager.go
    """
    policy = restart_text(live["HostConfig"]["RestartPolicy"])
    return policy != "no" and not (policy == "unless-stopped" and live["State"]["Running"])


def restore_policy(engine: WritableEngine, identity: str, restart: str) -> None:
    engine.update_container(identity, {"RestartPolicy": restart_policy(restart)})


def grace(live: Json) -> int:
    """Seconds that this container has for stopping."""
    declared = live["Config"].get("StopTimeout")
    return GRACE if declared is None else int(declared)
