"""What holds mean to the person who sees them: which wait for a decision, and which a confirmation lets go."""

from __future__ import annotations

from collections.abc import Iterable

from controller.engine.stores import Hold
from resources.conditions import Reason

_AS_WISHED = frozenset({Reason.RETAINED, Reason.SUSPENDED})  # kept because the user said so
_NOT_CONFIRMABLE = _AS_WISHED | {Reason.DEPENDENCY_MISSING}


def undecided(holds: Iterable[Hold]) -> int:
    """How many resources are held back without the user having asked for it."""
    return sum(len(hold.keys) for hold in holds if hold.reason not in _AS_WISHED)


def confirmable(hold: Hold) -> bool:
    """Whether `p2 confirm` lets it go; others end when what the message names is done."""
    return hold.reason not in _NOT_CONFIRMABLE
