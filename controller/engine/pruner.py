"""Keeps track of what has left the desired state, and decides with `prune.decide` what of it may go.

The manager tells it of every revision; the preview asks it once. Work is proportional to what has left, not to what there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from controller.engine.index import Edits
from controller.engine.parts import Parts
from controller.engine.prune import Pruning, SourceHealth, decide
from controller.engine.stores import Hold
from resources.conditions import Reason
from resources.meta import DeletionPolicy, Key


class Pruner:
    """Used by one thread at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stale: set[Key] | None = None  # None: not worked out yet
        self._ordered: set[Key] = set()  # deleted by an order, and not declared since
        self._holds: tuple[Hold, ...] = ()

    @property
    def ordered(self) -> Set[Key]:
        """What was deleted by an order, and is not to wait for anything."""
        return self._ordered

    def note(self, edits: Edits, orders: Mapping[Key, DeletionPolicy]) -> None:
        """Takes in what a revision changed, and what was deleted in it by an order, which has the last word on each."""
        self._ordered = {key for key in {*self._ordered, *orders} if self._parts.index.find(key) is None}
        self._obey(orders)
        if self._stale is not None:
            self._stale -= edits.edited | edits.moved
            self._stale |= edits.removed

    def _obey(self, orders: Mapping[Key, DeletionPolicy]) -> None:
        found = ((self._parts.stores.inventory.find(key), policy) for key, policy in orders.items())
        retain = ((record, policy is DeletionPolicy.RETAIN) for record, policy in found if record)
        if changed := [replace(record, retain=keep) for record, keep in retain if record.retain is not keep]:
            self._parts.stores.inventory.confirm(changed)

    def decide(self) -> tuple[Pruning, tuple[Hold, ...]]:
        """What may be deleted and what is held, and those holds that are new since the last time."""
        inventory, source = self._parts.stores.inventory, self._parts.identity.source
        index = self._parts.index
        if self._stale is None:
            self._stale = {key for key in inventory.records(source) if index.find(key) is None}
        found = {key: inventory.find(key) for key in self._stale}
        stale = {key: record for key, record in found.items() if record and record.source == source}
        # What has no record yet may just be being made: it is looked at again when that has ended.
        self._stale = {key for key, record in found.items() if record is None or key in stale}
        overrides = self._parts.stores.overrides
        pruning = decide(
            stale,
            inventory.count(source),
            SourceHealth(index.condition, index.message, index.broken()),
            confirmed=overrides.confirmed(source),
            suspended=overrides.suspended(),
            too_many=self._held_before(source),
            needed_by=index.dependents,
            ordered=self._ordered,
        )
        news = tuple(hold for hold in pruning.holds if hold not in self._holds)
        self._holds = pruning.holds
        return pruning, news

    def _held_before(self, source: str) -> frozenset[Key]:
        """What was held because it left with many others, by this process or an earlier one."""
        holds = (*self._holds, *self._parts.stores.holds.all(source))
        return frozenset(key for hold in holds if hold.reason == Reason.TOO_MANY_DELETES for key in hold.keys)
