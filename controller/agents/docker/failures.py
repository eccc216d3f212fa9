"""What an answer of the engine means for the user: wait and try again, or edit something, and what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from controller.agents.docker.client import EngineError
from controller.engine.agent import Retry, Stalled
from resources.conditions import Reason

TASK_LEFT_BEHIND = "TaskLeftBehind"  # by an engine that was killed while it started this container
_PORT_TAKEN = ("port is already allocated", "address already in use")
# What the engine and its runtime say when a container can't run as it is declared.
_BAD_COMMAND = ("executable file not found", "exec: ")
_BAD_SPEC = (
    "OCI runtime create failed",
    "unable to find user",
    "unable to find group",
    "Unable to find group",
    "gathering device information",
)
_DOUBLES = "remove one of the two; a Network that is declared sees to that itself"


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turns what the engine refuses within into Retry or Stalled. `doing` says what could not be done."""
    try:
        yield
    except EngineError as error:
        raise failure(doing, error) from None


def failure(doing: str, error: EngineError) -> Retry | Stalled:
    message = f"cannot {doing}: {error.message}"
    if "bind source path does not exist" in error.message:
        return Retry("BindSourceMissing", f"{message}; create it, or declare it as a File of type directory")
    if is_ambiguous(error):
        return Retry("NetworkAmbiguous", f"{message}; {_DOUBLES}")
    if error.status == 400:
        return Stalled("Refused", f"{message}; correct the spec")
    return Retry(Reason.APPLY_FAILED, message)


def disk_full(doing: str, message: str) -> Retry | None:
    """What the engine says of a full disk, as Retry; None where it is something else."""
    if "no space left on device" not in message and "disk quota exceeded" not in message:
        return None
    return Retry("DiskFull", f"cannot {doing}: the engine's disk is full; make room: 'p2 images' shows what there is")


def start_failure(name: str, error: EngineError) -> Retry | Stalled:
    """Why a container that exists does not start."""
    message = f"cannot start the container {name}: {error.message}"
    if any(text in error.message for text in _PORT_TAKEN):
        return Retry("PortTaken", f"{message}; free the port, or publish another one in ports")
    if _left_behind(error.message):
        return Retry(TASK_LEFT_BEHIND, f"{message}; remove the container, so that it is made anew")
    if is_ambiguous(error):
        return Retry("NetworkAmbiguous", f"{message}; {_DOUBLES}")
    if error.status == 404 and "network" in error.message:
        return Retry("NetworkMissing", f"{message}; create the network, or declare it as a Network")
    if any(text in error.message for text in _BAD_COMMAND):
        return Stalled("StartFailed", f"{message}; correct command or entrypoint")
    if error.status == 400 or any(text in error.message for text in _BAD_SPEC):
        return Stalled("StartFailed", f"{message}; correct the spec")
    return Retry("StartFailed", message)


def is_ambiguous(error: EngineError) -> bool:
    """Whether there are two networks of one name, as a process leaves them that was killed while one was made."""
    return "network" in error.message and "is ambiguous" in error.message


def _left_behind(message: str) -> bool:
    """Whether the runtime still has the task, or the directory of the shim, of a start that was broken off."""
    has_task = ("task " in message and message.endswith("already exists")) or "id already in use" in message
    return has_task or ("failed to start shim" in message and "file exists" in message)


@contextmanager
def tolerated(*statuses: int) -> Iterator[None]:
    """Passes over refusals with these statuses: what was to be done is done already."""
    try:
        yield
    except EngineError as error:
        if error.status not in statuses:
            raise
