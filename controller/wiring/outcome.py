"""What a command gets to show: what would be done, and how it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.engine.agent import Failure
from controller.engine.diff import plain
from controller.engine.stores import Hold
from resources.conditions import Reason, Status
from resources.meta import Key
from resources.plan import Plan


@dataclass(frozen=True, slots=True)
class Preview:
    """What `apply` would do, in the order it would do it. `digest` identifies it: a saved plan carries it."""

    plans: tuple[Plan, ...]
    unchanged: tuple[Key, ...]
    failures: Mapping[Key, Failure]  # keys whose plan can't be made or carried out, and why
    holds: tuple[Hold, ...]  # deletions that are held back
    digest: str
    reported: tuple[Plan, ...] = ()  # differences that are only shown (suspended, driftPolicy Report); a note says why


@dataclass(frozen=True, slots=True)
class Summary:
    """How an apply ended."""

    statuses: Mapping[Key, Status]  # of every key that was to converge
    done: tuple[Plan, ...]  # carried out, in order
    holds: tuple[Hold, ...]
    timed_out: bool = False
    cancelled: bool = False
    goes_on: bool = False  # a controller does what is left, though nobody waits for it any more

    @property
    def converged(self) -> bool:
        """Everything is Ready as declared, suspended, or only reported (driftPolicy: Report)."""
        return not (self.timed_out or self.cancelled) and all(settled(status) for status in self.statuses.values())


def settled(status: Status) -> bool:
    """Whether nothing more is wanted of this resource: it is Ready as declared, or its user said to leave it alone."""
    return (status.ready and status.reason != Reason.ROLLED_BACK) or status.reason == Reason.SUSPENDED


def digest_of(plans: Sequence[Plan]) -> str:
    """Identifies what is to be done, field by field; the order in which plans were made does not count."""
    lines = sorted(
        json.dumps([str(plan.key), plan.action, [[c.path, plain(c.observed), plain(c.desired)] for c in plan.changes]])
        for plan in plans
    )
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
