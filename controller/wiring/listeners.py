"""Several listeners as one: `p2 run` tells its log, its metrics, and whoever has sent it a command meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from controller.engine.stores import Event, Listener, Silent
from resources.conditions import Status
from resources.meta import Key
from resources.plan import Plan


class Listeners:
    """Implements `engine.stores.Listener` by telling each of its own, in order. Thread-safe."""

    def __init__(self, *each: Listener) -> None:
        self._all = each
        self._lock = Lock()

    @contextmanager
    def joined(self, listener: Listener) -> Iterator[None]:
        """Tells one more, while the body runs."""
        with self._lock:
            self._all = (*self._all, listener)
        try:
            yield
        finally:
            with self._lock:
                self._all = tuple(each for each in self._all if each is not listener)

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

    def recorded(self, event: Event) -> None:
        for listener in self._all:
            listener.recorded(event)


class About(Silent):
    """Passes on what is about some keys: somebody who waits for them wants to hear of no others."""

    def __init__(self, keys: Collection[Key], listener: Listener) -> None:
        self._keys = keys
        self._listener = listener

    def started(self, plan: Plan) -> None:
        if plan.key in self._keys:
            self._listener.started(plan)

    def progressed(self, key: Key, fraction: float | None, message: str) -> None:
        if key in self._keys:
            self._listener.progressed(key, fraction, message)

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        if plan.key in self._keys:
            self._listener.finished(plan, outcome, seconds)

    def settled(self, key: Key, status: Status) -> None:
        if key in self._keys:
            self._listener.settled(key, status)
