"""The queue: keys only, each once, by priority and due time, in one lane for each system of agents.

A key handed out is not handed out again before `done`, in whatever lane; added meanwhile, it comes again after. Backoff is
counted here, a key at a time. The manager's lanes take from it; sources, watches and settled passes add to it. Thread-safe.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from threading import Condition

from resources.meta import Key

FIRST_DELAY = 1.0  # seconds, doubling
LONGEST_DELAY = 300.0  # seconds


class Priority(IntEnum):
    """What goes first when more is ready than can be worked."""

    EDIT = 0
    DRIFT = 1
    RETRY = 2
    RESYNC = 3


@dataclass(slots=True)
class _Waiting:
    priority: Priority
    due: float
    serial: int  # tells the live heap entry of this key from outdated ones


@dataclass(slots=True)
class _Lane:
    waiting: dict[Key, _Waiting] = field(default_factory=dict)
    ready: list[tuple[Priority, int, Key]] = field(default_factory=list)
    delayed: list[tuple[float, int, Key]] = field(default_factory=list)
    working: set[Key] = field(default_factory=set)
    again: dict[Key, tuple[Priority, float]] = field(default_factory=dict)  # added while worked
    took: float = 0.0  # when keys were handed out last


class Queue:
    """`clock` gives monotonic seconds; `chance` a number in [0, 1) for the jitter."""

    def __init__(self, clock: Callable[[], float], chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._lanes: dict[str, _Lane] = {}
        self._failures: dict[Key, int] = {}
        self._not_before: dict[Key, float] = {}  # what is backing off: hints and resyncs do not cut that short
        self._changed = Condition()
        self._serial = 0
        self._closed = False

    def add(self, lane: str, key: Key, priority: Priority, after: float = 0.0) -> None:
        """Wants `key` worked, `after` seconds from now. Merges with what is waiting: higher priority, earlier time."""
        with self._changed:
            self._add(self._lane(lane), key, priority, self._clock() + after)
            self._changed.notify_all()

    def add_all(self, lane: str, keys: list[Key], priority: Priority) -> None:
        """Many at once, at the price of one wake-up."""
        with self._changed:
            now = self._clock()
            for key in keys:
                self._add(self._lane(lane), key, priority, now)
            self._changed.notify_all()

    def take(self, lane: str, limit: int, timeout: float | None = None) -> list[tuple[Key, Priority]]:
        """Up to `limit` ready keys, best first; waits for the first one. Empty after `timeout` seconds or when closed."""
        with self._changed:
            own = self._lane(lane)
            give_up = None if timeout is None else self._clock() + timeout
            while not self._closed:
                now = self._clock()
                self._ripen(own, now)
                if taken := self._hand_out(own, limit):
                    own.took = now
                    return taken
                wake = min((due for due in (self._next_due(own), give_up) if due is not None), default=None)
                if give_up is not None and now >= give_up:
                    return []
                self._changed.wait(None if wake is None else max(0.0, wake - now))
            return []

    def done(self, lane: str, key: Key) -> None:
        """The pass over `key` has ended; if it was added meanwhile it waits again."""
        with self._changed:
            own = self._lane(lane)
            own.working.discard(key)
            if again := own.again.pop(key, None):
                self._add(own, key, *again)
            self._changed.notify_all()

    def hold(self, lane: str, key: Key, timeout: float) -> bool:
        """Keeps `key` from being handed out until `done`, once nobody works it; False if that took longer than `timeout`."""
        give_up = self._clock() + timeout
        with self._changed:
            own = self._lane(lane)
            while any(key in each.working for each in self._lanes.values()):
                if self._closed or (left := give_up - self._clock()) <= 0:
                    return False
                self._changed.wait(left)
            own.working.add(key)
            for each in self._lanes.values():  # it waits in one of them at most
                if waiting := each.waiting.pop(key, None):
                    own.again[key] = (waiting.priority, waiting.due)
            return True

    def back_off(self, key: Key) -> float:
        """Counts a failure of `key`. Seconds to wait: 1, 2, 4 ... 300, each with full jitter (a half at least)."""
        with self._changed:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(FIRST_DELAY * 2.0 ** min(failures - 1, 30), LONGEST_DELAY) * (0.5 + self._chance() / 2)
            self._not_before[key] = self._clock() + delay
            return delay

    def failures(self, key: Key) -> int:
        """Failures of `key` in a row."""
        return self._failures.get(key, 0)

    def reset(self, key: Key) -> None:
        """Forgets the failures of `key`: it succeeded, or its spec is a new one."""
        with self._changed:
            self._failures.pop(key, None)
            self._not_before.pop(key, None)

    def close(self) -> None:
        """Hands out nothing more; every `take` returns."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def depth(self) -> int:
        """Keys that are ready or being worked."""
        with self._changed:
            now = self._clock()
            ready = sum(waiting.due <= now for lane in self._lanes.values() for waiting in lane.waiting.values())
            return ready + sum(len(lane.working) for lane in self._lanes.values())

    def stuck(self, seconds: float) -> list[str]:
        """Lanes that have had a key due for longer than this and taken none meanwhile."""
        with self._changed:
            before = self._clock() - seconds
            return [
                name
                for name, lane in sorted(self._lanes.items())
                if lane.took < before and any(waiting.due < before for waiting in lane.waiting.values())
            ]

    # -- under the lock ----------------------------------------------------------------------------------------

    def _lane(self, name: str) -> _Lane:
        return self._lanes.setdefault(name, _Lane())

    def _add(self, lane: _Lane, key: Key, priority: Priority, due: float) -> None:
        if priority in (Priority.DRIFT, Priority.RESYNC):
            due = max(due, self._not_before.get(key, due))
        for other in self._lanes.values():
            if other is lane:
                continue
            if key in other.working:  # it changes lanes when that is done and it is added again
                lane = other
                break
            if moved := other.waiting.pop(key, None):
                priority, due = min(moved.priority, priority), min(moved.due, due)
        if key in lane.working:
            before = lane.again.get(key, (priority, due))
            lane.again[key] = (min(before[0], priority), min(before[1], due))
            return
        if waiting := lane.waiting.get(key):
            if waiting.priority <= priority and waiting.due <= due:
                return
            priority, due = min(waiting.priority, priority), min(waiting.due, due)
        self._serial += 1
        lane.waiting[key] = _Waiting(priority, due, self._serial)
        heapq.heappush(lane.delayed, (due, self._serial, key))

    def _ripen(self, lane: _Lane, now: float) -> None:
        while lane.delayed and lane.delayed[0][0] <= now:
            _, serial, key = heapq.heappop(lane.delayed)
            if (waiting := lane.waiting.get(key)) and waiting.serial == serial:
                heapq.heappush(lane.ready, (waiting.priority, serial, key))

    def _hand_out(self, lane: _Lane, limit: int) -> list[tuple[Key, Priority]]:
        taken: list[tuple[Key, Priority]] = []
        while lane.ready and len(taken) < limit:
            priority, serial, key = heapq.heappop(lane.ready)
            if (waiting := lane.waiting.get(key)) and waiting.serial == serial:
                del lane.waiting[key]
                lane.working.add(key)
                taken.append((key, priority))
        return taken

    def _next_due(self, lane: _Lane) -> float | None:
        while lane.delayed:
            due, serial, key = lane.delayed[0]
            if (waiting := lane.waiting.get(key)) and waiting.serial == serial:
                return due
            heapq.heappop(lane.delayed)
        return None
