"""The queue, whatever is added, taken, finished, failed and forgotten in whatever order, against a model of plain maps."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from controller.engine.queue import Priority, Queue
from resources.meta import Key
from tests.chaos.machines.machine import Machine, endure
from tests.support import eventually

LANES = ("docker", "files")
KEYS = {lane: [Key(lane.capitalize(), "default", name) for name in "abcd"] for lane in LANES}
CHOICE = st.sampled_from([(lane, key) for lane in LANES for key in KEYS[lane]])
PATIENT = {Priority.DRIFT, Priority.RESYNC}  # these do not cut a backoff short


@dataclass
class Want:
    priority: Priority
    due: float


@dataclass
class Lane:
    waiting: dict[Key, Want] = field(default_factory=dict)
    again: dict[Key, Want] = field(default_factory=dict)
    working: set[Key] = field(default_factory=set)


class QueueMachine(Machine):
    """Nothing is lost, nothing is worked twice, the best goes first, and nothing goes before its time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue = Queue(lambda: self.now, chance=lambda: 0.5)
        self.lanes = {lane: Lane() for lane in LANES}
        self.not_before: dict[Key, float] = {}
        self.failures: dict[Key, int] = {}
        self.closed = False

    @rule(choice=CHOICE, priority=st.sampled_from(list(Priority)), after=st.sampled_from([0.0, 0.0, 1.0, 5.0]))
    def add(self, choice: tuple[str, Key], priority: Priority, after: float) -> None:
        lane, key = choice
        self.queue.add(lane, key, priority, after)
        self._want(self.lanes[lane], key, Want(priority, self.now + after))

    @rule(lane=st.sampled_from(LANES), priority=st.sampled_from(list(Priority)), data=st.data())
    def add_many(self, lane: str, priority: Priority, data: st.DataObject) -> None:
        keys = data.draw(st.lists(st.sampled_from(KEYS[lane]), max_size=4))
        self.queue.add_all(lane, keys, priority)
        for key in keys:
            self._want(self.lanes[lane], key, Want(priority, self.now))

    @rule(lane=st.sampled_from(LANES), limit=st.integers(1, 3))
    def take(self, lane: str, limit: int) -> None:
        own = self.lanes[lane]
        ready = {key: want.priority for key, want in own.waiting.items() if want.due <= self.now}
        got = self.queue.take(lane, limit, timeout=0)
        if self.closed:
            assert got == []
            return
        assert len(got) == len(dict(got)) == min(limit, len(ready)), "as many as there are, each once"
        assert all(ready[key] == priority for key, priority in got), "only what is due, as it was wanted"
        assert not own.working & dict(got).keys(), "no key with two workers"
        priorities = [priority for _, priority in got]
        left = [priority for key, priority in ready.items() if key not in dict(got)]
        assert priorities == sorted(priorities)
        assert not got or not left or priorities[-1] <= min(left), "the best first"
        for key in dict(got):
            del own.waiting[key]
            own.working.add(key)

    @rule(choice=CHOICE)
    def finish(self, choice: tuple[str, Key]) -> None:
        lane, key = choice
        own = self.lanes[lane]
        if key in own.working:
            self.queue.done(lane, key)
            own.working.discard(key)
            if again := own.again.pop(key, None):
                self._want(own, key, again)

    @rule(choice=CHOICE)
    def fail(self, choice: tuple[str, Key]) -> None:
        _, key = choice
        failures = self.failures[key] = self.failures.get(key, 0) + 1
        delay = self.queue.back_off(key)
        assert delay == min(2.0 ** (failures - 1), 300.0) * 0.75
        self.not_before[key] = self.now + delay

    @rule(choice=CHOICE)
    def succeed(self, choice: tuple[str, Key]) -> None:
        _, key = choice
        self.queue.reset(key)
        self.failures.pop(key, None)
        self.not_before.pop(key, None)

    @rule(seconds=st.sampled_from([0.5, 2.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(chance=st.integers(0, 30))
    def close(self, chance: int) -> None:
        if chance == 30:
            self.queue.close()
            self.closed = True

    @invariant()
    def counts_agree(self) -> None:
        ready = sum(want.due <= self.now for lane in self.lanes.values() for want in lane.waiting.values())
        assert self.queue.depth() == ready + sum(len(lane.working) for lane in self.lanes.values())
        assert all(self.queue.failures(key) == self.failures.get(key, 0) for keys in KEYS.values() for key in keys)

    def _want(self, lane: Lane, key: Key, want: Want) -> None:
        due = max(want.due, self.not_before.get(key, want.due)) if want.priority in PATIENT else want.due
        place = lane.again if key in lane.working else lane.waiting
        before = place.get(key, Want(want.priority, due))
        place[key] = Want(min(before.priority, want.priority), min(before.due, due))


def test_queue_loses_nothing_and_gives_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    endure(QueueMachine, capsys)


def test_many_threads_never_work_one_key_at_the_same_time_and_miss_none() -> None:
    """What is added last is worked after that, whoever is at work when it comes."""
    queue, keys = Queue(lambda: 0.0), [Key("File", "default", f"n{number}") for number in range(5)]
    at_work: set[Key] = set()
    twice: list[Key] = []
    wanted, worked = dict.fromkeys(keys, 0), dict.fromkeys(keys, 0)
    lock = threading.Lock()

    def work() -> None:
        while taken := queue.take("x", 2):
            for key, _ in taken:
                with lock:
                    twice.extend({key} & at_work)
                    at_work.add(key)
                    seen = wanted[key]
                with lock:
                    worked[key] = seen
                    at_work.discard(key)
                queue.done("x", key)

    def want(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(2000):
            key = chance.choice(keys)
            with lock:
                wanted[key] += 1
            queue.add("x", key, chance.choice(list(Priority)))

    workers = [threading.Thread(target=work) for _ in range(4)]
    adders = [threading.Thread(target=want, args=(seed,)) for seed in range(3)]
    for thread in (*workers, *adders):
        thread.start()
    for thread in adders:
        thread.join()
    eventually(lambda: worked == wanted, "the last wish for each key was worked")
    assert twice == []
    queue.close()
    for thread in workers:
        thread.join(10)
        assert not thread.is_alive(), "closing wakes everybody"
