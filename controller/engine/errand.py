"""Keys that somebody waits for until nothing more can be done about them: what `p2 apply` is, alone or beside a controller.

The manager makes one for each `converge` and tells it of every pass that ends. Guarded by the manager's lock.
"""

from __future__ import annotations

from collections.abc import Collection
from threading import Event as Flag

from controller.engine.passes import Pass, Verdict
from controller.engine.stores import NotKept
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Plan

# What nothing more is to be done about for now.
_FINAL = {Verdict.READY, Verdict.REPORTED, Verdict.SUSPENDED, Verdict.HELD, Verdict.STALLED, Verdict.GONE}


class Errand:
    """`settled_before` were found as declared: they are looked at again only when their system was lost meanwhile."""

    def __init__(self, keys: Collection[Key], cancelled: Flag, settled_before: Collection[Key] = ()) -> None:
        self.cancelled = cancelled
        self.done: list[Plan] = []  # carried out, in order
        self.not_kept: NotKept | None = None  # what ended it
        self.everything = frozenset({*keys, *settled_before})
        self._open = set(keys)  # not settled for good
        self._shaken: set[str] = set()  # lanes whose system was lost after it had answered

    def begun(self) -> frozenset[Key]:
        """The keys to begin with."""
        return frozenset(self._open)

    def unsettled(self, blocked: Collection[Key]) -> bool:
        """Whether more can come of waiting: keys that wait for one another alone will wait for ever."""
        return any(key not in blocked for key in self._open)

    def settle(self, each: Pass, lane: str, *, given_up: bool) -> None:
        """A pass has ended. `given_up`: it failed, and so often, or so thoroughly, that waiting for the next try is vain."""
        if each.key not in self.everything:
            return
        if each.verdict in _FINAL or given_up:
            self._open.discard(each.key)
        elif each.reason == Reason.AGENT_UNAVAILABLE:
            self._shaken.add(lane)

    def carried(self, plan: Plan) -> None:
        if plan.key in self.everything:
            self.done.append(plan)

    def shaken(self) -> frozenset[str]:
        """Lanes of which all is to be looked at again; asking forgets them."""
        shaken, self._shaken = frozenset(self._shaken), set()
        return shaken

    def reopen(self, keys: Collection[Key]) -> None:
        """They are to be looked at again."""
        self._open |= self.everything.intersection(keys)
