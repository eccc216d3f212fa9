"""What a brake is called, in statuses, events and answers. The reconciler, the manager and the surfaces say it with these."""

from __future__ import annotations

from collections.abc import Sequence

from controller.engine.stores import Brake, Event, Level
from resources.conditions import Reason

RELEASED = "Released"  # the reason of the event of p2 unpause

_STATES = {Reason.PAUSED: "paused", Reason.SAFE_MODE: "in safe mode", Reason.STOPPED: "stopped"}

BRAKED = frozenset(_STATES)  # why a thing that differs is left as it is, in its status


def state(brake: Brake) -> str:
    """`paused by ada`, `in safe mode`."""
    by = f" by {brake.by}" if brake.by else ""
    return f"{_STATES[Reason(brake.reason)]}{by}"


def because(brake: Brake) -> str:
    """`: moving the disks`, or nothing where no reason was given."""
    return f": {brake.why}" if brake.why else ""


def withheld(brake: Brake) -> str:
    """Why nothing was done about a difference. Without times: it is the message of a status, which changes only with it."""
    return f"this machine is {state(brake)}, so nothing is changed{because(brake)}; 'p2 unpause' ends that"


def put_on(brake: Brake) -> Event:
    message = f"observing only from now on, {state(brake)}{because(brake)}; 'p2 unpause' ends that"
    return Event(brake.at, None, Level.WARNING, brake.reason, message, first=brake.at)


def released(brakes: Sequence[Brake], by: str, at: float) -> Event:
    what = ", ".join(state(brake) for brake in brakes)
    message = f"changes are made again{f', says {by}' if by else ''}; this machine was {what}"
    return Event(at, None, Level.NORMAL, RELEASED, message, first=at)
