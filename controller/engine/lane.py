"""The threads of one system of agents: one that looks, a few that change, and a few for what takes minutes.

The manager makes a lane for each system it meets. A lane never waits for another one; within it, looking goes on while
changes are in flight, and long work holds up nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from threading import Event as Flag
from threading import Thread
from typing import Any, Protocol

from controller.engine.agent import Agent
from controller.engine.breaker import Breaker
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Verdict
from controller.engine.queue import Priority, Queue
from controller.engine.reconcile import Reconciler
from controller.engine.stores import NotKept
from resources.conditions import Reason
from resources.meta import Key

log = logging.getLogger(__name__)

LOOK_AT_ONCE = 1024  # keys in one observation
LONG_WORKERS = 2


class Desk(Protocol):
    """Where a lane hands in what it did: the manager."""

    @property
    def cancelled(self) -> bool:
        """Whether nothing new is to be begun."""

    def settle(self, lane: str, passes: Sequence[Pass]) -> None:
        """These passes have ended."""

    def starting(self, each: Pass) -> None:
        """The step of this pass is about to be carried out."""

    def carried(self, each: Pass, seconds: float) -> None:
        """A step was carried out; `each` is the pass after it."""

    def not_kept(self, lane: str, error: NotKept) -> None:
        """Nothing can be kept now; the keys concerned wait to be tried again."""

    def lost(self, lane: str, message: str) -> None:
        """The system can't be reached any more; its breaker has opened."""

    def regained(self, lane: str) -> None:
        """The system answers again."""


class Lane:
    """`agent` is any agent of the system: those of one system agree on the number of workers. `name`: see `lane_of`."""

    def __init__(
        self, name: str, agent: Agent[Any, Any], queue: Queue, reconciler: Reconciler, desk: Desk, parts: Parts
    ) -> None:
        self.name = name
        self.breaker = Breaker(parts.clock.monotonic)
        self._queue = queue
        self._reconciler = reconciler
        self._desk = desk
        self._clock = parts.clock
        self._context = parts.context
        self._began: float | None = None  # when the look that is under way began
        self._stopped = Flag()
        self._nudged = Flag()
        self._pool = ThreadPoolExecutor(agent.workers, f"{self.name}-apply")
        self._long_pool = ThreadPoolExecutor(LONG_WORKERS, f"{self.name}-long")
        self._thread = Thread(target=self._work, name=f"{self.name}-look", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def looking(self) -> float:
        """Seconds for which the look that is under way has lasted; 0 between looks."""
        began = self._began
        return 0.0 if began is None else self._clock.monotonic() - began

    def stop(self) -> None:
        """Ends after what is in flight; the queue must be closed already."""
        self._stopped.set()
        self._nudged.set()
        self._thread.join()
        self._pool.shutdown()
        self._long_pool.shutdown()

    def nudge(self) -> None:
        """The system seems to be back: ask it now instead of at the next probe."""
        self.breaker.probe_now()
        self._nudged.set()

    def _work(self) -> None:
        while not self._stopped.is_set():
            if wait := self.breaker.wait():
                self._nudged.wait(wait)
                self._nudged.clear()
                continue
            taken = self._queue.take(self.name, 1 if self.breaker.open else LOOK_AT_ONCE)
            if not taken:
                return
            self._began = self._clock.monotonic()
            try:
                self._look(taken)
            except Exception as error:  # a lane that dies would leave its whole system unwatched
                self._fail([key for key, _ in taken], error)
            self._began = None

    def _look(self, taken: Sequence[tuple[Key, Priority]]) -> None:
        passes = self._reconciler.look([key for key, _ in taken], self._context)
        periodic = {key for key, priority in taken if priority is Priority.RESYNC}
        self._reconciler.lapse(each for each in passes if each.key in periodic)
        self._note_reachability(passes)
        work = [each for each in passes if each.verdict is Verdict.WORK]
        self._desk.settle(self.name, [each for each in passes if each.verdict is not Verdict.WORK])
        for chunk in _chunks(work):
            pool = self._long_pool if _slow(chunk[0]) else self._pool
            pool.submit(self._carry_out, chunk)

    def _carry_out(self, chunk: list[Pass]) -> None:
        if self._stopped.is_set() or self._desk.cancelled:
            return
        begun = self._clock.monotonic()
        try:
            for each in chunk:
                self._desk.starting(each)
            waits_no_more = replace(self._context, overtaken=lambda key: self._stopped.is_set())
            after = self._reconciler.carry_out(chunk, waits_no_more)
            seconds = self._clock.monotonic() - begun
            for each in after:
                if each.verdict not in (Verdict.AGAIN, Verdict.BLOCKED):
                    self._desk.carried(each, seconds)
            self._desk.settle(self.name, after)
        except Exception as error:
            self._fail([each.key for each in chunk], error)

    def _fail(self, keys: Sequence[Key], error: Exception) -> None:
        """These keys come back, even where nothing can be written down of them."""
        try:
            if isinstance(error, NotKept):
                raise error
            log.error("a pass failed", exc_info=error, extra={"agent": self.name})
            message = "cannot go on: a mistake in Pegasus2; the log has the details"
            self._desk.settle(self.name, [self._reconciler.mistake(key, message) for key in keys])
        except NotKept as trouble:
            for key in keys:
                self._queue.done(self.name, key)
                self._queue.add(self.name, key, Priority.RETRY, self._queue.back_off(key))
            self._desk.not_kept(self.name, trouble)

    def _note_reachability(self, passes: Sequence[Pass]) -> None:
        asked = [each for each in passes if each.subject is not None]
        unreachable = [each for each in asked if each.reason == Reason.AGENT_UNAVAILABLE]
        if unreachable:
            if self.breaker.failed():
                self._desk.lost(self.name, unreachable[0].message)
        elif asked and self.breaker.succeeded():
            self._desk.regained(self.name)


def _slow(each: Pass) -> bool:
    assert each.subject is not None and each.step is not None
    return each.subject.agent.slow(each.plan, each.step.desired)


def _chunks(work: Sequence[Pass]) -> Iterator[list[Pass]]:
    """Passes of one agent together, as many as it takes at once; slow ones and quick ones apart."""
    groups: dict[tuple[str, bool], list[Pass]] = {}
    for each in work:
        groups.setdefault((each.key.kind, _slow(each)), []).append(each)
    for passes in groups.values():
        assert passes[0].subject is not None
        rest = iter(passes)
        while chunk := list(islice(rest, passes[0].subject.agent.batch)):
            yield chunk
