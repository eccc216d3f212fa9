"""Several listeners as one: `p2 run` tells its log, its metrics, and whoever has sent it a command meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Self

from controller.engine.stores import Event, Listener, Silent
from resources.conditions import Status
from resources.meta import Key
from resources.plan import Plan

log = logging.getLogger(__name__)


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

    def gone(self, key: Key) -> None:
        for listener in self._all:
            listener.gone(key)

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


class About(Silent):
    """Passes on what is about some keys: somebody who waits for them wants to hear of no others.

    It does so from a thread of its own: the loop must not wait for one who listens slowly or not at all, nor fail with one
    who has gone.
    """

    def __init__(self, keys: Collection[Key], listener: Listener) -> None:
        self._keys = keys
        self._listener = listener
        self._untold: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    @contextmanager
    def passed_on(self) -> Iterator[Self]:
        """While the body runs; all that was heard is told when it ends."""
        thread = Thread(target=self._pass_on, name="command-progress", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._untold.put(None)
            thread.join()

    def _pass_on(self) -> None:
        while tell := self._untold.get():
            try:
                tell()
            except Exception as error:
                log.info("progress could not be shown", extra={"cause": str(error)})

    def started(self, plan: Plan) -> None:
        if plan.key in self._keys:
            self._untold.put(partial(self._listener.started, plan))

    def progressed(self, key: Key, fraction: float | None, message: str) -> None:
        if key in self._keys:
            self._untold.put(partial(self._listener.progressed, key, fraction, message))

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        if plan.key in self._keys:
            self._untold.put(partial(self._listener.finished, plan, outcome, seconds))

    def settled(self, key: Key, status: Status) -> None:
        if key in self._keys:
            self._untold.put(partial(self._listener.settled, key, status))
