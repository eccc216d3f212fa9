"""What holds mean to the person who sees them: which wait for a decision, and which a confirmation lets go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from controller.engine.stores import Hold, Stores
from resources.conditions import Reason

_AS_WISHED = frozenset({Reason.RETAINED, Reason.SUSPENDED})  # kept because the user said so
_NOT_CONFIRMABLE = _AS_WISHED | {Reason.DEPENDENCY_MISSING}

# Held back as well, and let go by p2 confirm, but nothing that is to be deleted: statuses tell of these.
NO_DELETIONS = frozenset({Reason.IMMUTABLE, Reason.SOURCE_MOVED})


def held_back(stores: Stores, sources: Iterable[str]) -> Mapping[str, int]:
    """How many resources something is held back of, by reason, as of the last look. `health` and the metrics show it."""
    found: Counter[str] = Counter()
    for source in sources:
        for hold in stores.holds.all(source):
            found[hold.reason] += len(hold.keys)
    found.update({reason: n for reason, n in stores.statuses.unready().items() if reason in NO_DELETIONS})
    return dict(sorted(found.items()))


def undecided(holds: Iterable[Hold]) -> int:
    """How many resources are held back without the user having asked for it."""
    return sum(len(hold.keys) for hold in holds if hold.reason not in _AS_WISHED)


def confirmable(hold: Hold) -> bool:
    """Whether `p2 confirm` lets it go; others end when what the message names is done."""
    return hold.reason not in _NOT_CONFIRMABLE
