"""Keeps deletions back until no more of them come, so that those of one `kubectl delete` go together. `source.py` asks.

kubectl deletes one object after the other, in the order of its file; the loop, of what it is told of at once, first deletes what
needs others. Told of them one by one it would find a directory that is not empty yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from controller.sources.kube.arrivals import DELETED, Arrival
from controller.sources.kube.objects import Object

QUIET = 0.5  # seconds without another one; kubectl sends at most five requests a second when it has many
LONGEST = 10.0  # seconds that the first one waits at most


class Deletions:
    """`is_new` says whether a deleted object is one that was to stay until now."""

    def __init__(self, is_new: Callable[[Object], bool]) -> None:
        self._is_new = is_new
        self._kept: list[Arrival] = []
        self._first = math.inf  # monotonic seconds
        self.due = math.inf  # monotonic seconds, when those that are kept back are to go

    def sift(self, arrivals: Sequence[Arrival], at: float) -> list[Arrival]:
        """What is to be taken in now: all but new deletions, and those too when their time has come."""
        new = {found.key for what, found in arrivals if _is_deletion(what, found) and self._is_new(found)}
        if new:
            self._first = min(self._first, at)
            self.due = min(at + QUIET, self._first + LONGEST)
        keys = new | {found.key for _, found in self._kept}
        self._kept += [each for each in arrivals if each[1].key in keys]
        now = [each for each in arrivals if each[1].key not in keys]
        return [*self._released(), *now] if at >= self.due else now

    def forget(self) -> None:
        """All objects were looked at: what is kept back was seen with them."""
        self._released()

    def _released(self) -> Collection[Arrival]:
        kept, self._kept = self._kept, []
        self._first = self.due = math.inf
        return kept


def _is_deletion(what: str, found: Object) -> bool:
    return what == DELETED or found.deleting
