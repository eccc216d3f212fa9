"""Keeps track of what has left the desired state, and decides with `prune.decide` what of it may go.

The manager tells it of every revision; the preview asks it once. Work is proportional to what has left, not to what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from queue import Empty, SimpleQueue

from controller.engine.index import Edits
from controller.engine.parts import Parts
from controller.engine.prune import Pruning, SourceHealth, decide
from controller.engine.stores import Hold, Record
from resources.conditions import Reason
from resources.meta import DeletionPolicy, Key


class Pruner:
    """Used by one thread at a time, but for `gone`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stale: set[Key] | None = None  # None: not worked out yet
        self._orders: dict[Key, DeletionPolicy] = {}  # deleted by an order, and not declared since
        self._holds: tuple[Hold, ...] = ()
        self._gone: SimpleQueue[Key] = SimpleQueue()  # in the order of passes; taken in before a revision is

    @property
    def ordered(self) -> Set[Key]:
        """What was deleted by an order, and is not to wait for anything."""
        return self._orders.keys()

    def note(self, edits: Edits, orders: Mapping[Key, DeletionPolicy], *, keep: bool = True) -> None:
        """Takes in what a revision changed, and what was deleted in it by an order, which has the last word on each.

        Without `keep` nothing of it is written into the inventory.
        """
        self._forget()
        given = {**self._orders, **orders}
        self._orders = {key: policy for key, policy in given.items() if self._parts.index.find(key) is None}
        if keep:
            self._obey(orders)
        if self._stale is not None:
            self._stale -= edits.edited | edits.moved
            self._stale |= edits.removed

    def gone(self, keys: Iterable[Key]) -> None:
        """Nothing is left of them, and nothing of them is being made. From any thread."""
        for key in keys:
            self._gone.put(key)

    def _forget(self) -> None:
        """What has gone is remembered no longer, unless there is something of it again."""
        try:
            while True:
                key = self._gone.get_nowait()
                if self._stale is not None and self._parts.stores.inventory.find(key) is None:
                    self._stale.discard(key)
                    self._orders.pop(key, None)
        except Empty:
            return

    def _obey(self, orders: Mapping[Key, DeletionPolicy]) -> None:
        found = ((self._parts.stores.inventory.find(key), policy) for key, policy in orders.items())
        retain = ((record, policy is DeletionPolicy.RETAIN) for record, policy in found if record)
        if changed := [replace(record, retain=keep) for record, keep in retain if record.retain is not keep]:
            self._parts.stores.inventory.confirm(changed)

    def decide(self) -> tuple[Pruning, tuple[Hold, ...]]:
        """What may be deleted and what is held, and those holds that are new since the last time."""
        inventory, source = self._parts.stores.inventory, self._parts.identity.source
        index, covers = self._parts.index, self._parts.identity.covers
        self._forget()
        if self._stale is None:
            self._stale = {key for key in inventory.records(source) if index.find(key) is None and covers(key)}
        found = {key: self._record(key) for key in self._stale}
        stale = {key: record for key, record in found.items() if record and record.source == source}
        # What has no record yet may just be being made: it is looked at again when that has ended.
        self._stale = {key for key, record in found.items() if record is None or key in stale}
        overrides = self._parts.stores.overrides
        pruning = decide(
            stale,
            inventory.count(source),
            SourceHealth(index.condition, index.message, index.broken()),
            confirmed=overrides.confirmed(source),
            suspended=_with_parts(overrides.suspended(), stale),
            too_many=self._held_before(source),
            needed_by=index.dependents,
            ordered=self._orders.keys(),
        )
        news = tuple(hold for hold in pruning.holds if hold not in self._holds)
        self._holds = pruning.holds
        return pruning, news

    def _record(self, key: Key) -> Record | None:
        """What we own, with the last word on its retention: of the edit that gave it to another machine, or of an order."""
        record, moved = self._parts.stores.inventory.find(key), self._parts.index.elsewhere(key)
        if record and any(resource.spec.deletionPolicy is DeletionPolicy.RETAIN for resource in moved):
            return replace(record, retain=True)
        if record and key in self._orders:
            return replace(record, retain=self._orders[key] is DeletionPolicy.RETAIN)
        return record

    def protect(self, pruning: Pruning) -> None:
        """Writes down what is retained by an edit that gave it to another machine: that outlives the edit. Not for a look."""
        inventory = self._parts.stores.inventory
        keys = (key for hold in pruning.holds if hold.reason == Reason.RETAINED for key in hold.keys)
        found = (inventory.find(key) for key in keys)
        if changed := [replace(record, retain=True) for record in found if record and not record.retain]:
            inventory.confirm(changed)

    def _held_before(self, source: str) -> frozenset[Key]:
        """What was held because it left with many others, by this process or an earlier one."""
        holds = (*self._holds, *self._parts.stores.holds.all(source))
        return frozenset(key for hold in holds if hold.reason == Reason.TOO_MANY_DELETES for key in hold.keys)


def _with_parts(suspended: frozenset[Key], stale: Mapping[Key, Record]) -> frozenset[Key]:
    """What the user has suspended, and what that stood for."""
    return suspended.union(key for key, record in stale.items() if record.owner in suspended)
