"""Several listeners as one: `p2 run` tells its log and its metrics, `p2 apply` its progress and its log."""

from __future__ import annotations

from collections.abc import Sequence

from controller.engine.stores import Event, Listener
from resources.conditions import Status
from resources.meta import Key
from resources.plan import Plan


class Listeners:
    """Implements `engine.stores.Listener` by telling each of its own, in order."""

    def __init__(self, *each: Listener) -> None:
        self._all = each

    def queued(self, keys: Sequence[Key]) -> None:
        for listener in self._all:
            listener.queued(keys)

    def started(self, plan: Plan) -> None:
        for listener in self._all:
            listener.started(plan)

    def progressed(self, key: Key, fraction: float | None, message: str) -> None:
        for listener in self._all:
            listener.progressed(key, fraction, message)

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        for listener in self._all:
            listener.finished(plan, outcome, seconds)

    def settled(self, key: Key, status: Status) -> None:
        for listener in self._all:
            listener.settled(key, status)

    def converged(self, key: Key, seconds: float) -> None:
        for listener in self._all:
            listener.converged(key, seconds)

    def corrected(self, key: Key, seconds: float) -> None:
        for listener in self._all:
            listener.corrected(key, seconds)

    def rolled_back(self, key: Key) -> None:
        for listener in self._all:
            listener.rolled_back(key)

    def recorded(self, event: Event) -> None:
        for listener in self._all:
            listener.recorded(event)
