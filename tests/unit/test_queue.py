"""The queue: each key once, best first, never to two workers, with its own backoff."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.engine.queue import FIRST_DELAY, LONGEST_DELAY, Priority, Queue
from resources.meta import Key

A, B, C = (Key("File", "default", name) for name in "abc")


class Ticker:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(queue: Queue, limit: int = 10, lane: str = "x") -> list[Key]:
    return [key for key, _ in queue.take(lane, limit, timeout=0)]


def test_a_key_added_twice_is_handed_out_once_with_the_higher_priority() -> None:
    queue = Queue(Ticker())
    queue.add("x", A, Priority.RESYNC)
    queue.add("x", A, Priority.EDIT)
    assert queue.take("x", 10, timeout=0) == [(A, Priority.EDIT)]
    assert taken(queue) == []


def test_edits_go_before_drift_before_retries_before_resyncs() -> None:
    queue = Queue(Ticker())
    for key, priority in ((A, Priority.RESYNC), (B, Priority.DRIFT), (C, Priority.EDIT)):
        queue.add("x", key, priority)
    assert taken(queue, limit=1) == [C]
    assert taken(queue, limit=5) == [B, A]


def test_a_key_being_worked_is_not_handed_out_again_until_it_is_done() -> None:
    queue = Queue(Ticker())
    queue.add("x", A, Priority.EDIT)
    assert taken(queue) == [A]
    queue.add("x", A, Priority.DRIFT)
    assert taken(queue) == []
    queue.done("x", A)
    assert taken(queue) == [A]


def test_a_delayed_key_waits_for_its_time_and_an_edit_overtakes_it() -> None:
    clock = Ticker()
    queue = Queue(clock)
    queue.add("x", A, Priority.RETRY, after=30)
    assert taken(queue) == []
    clock.now = 29.9
    assert taken(queue) == []
    queue.add("x", A, Priority.EDIT)
    assert queue.take("x", 1, timeout=0) == [(A, Priority.EDIT)]
    queue.done("x", A)
    clock.now = 31
    assert taken(queue) == [], "the retry was merged into the edit"


def test_a_full_lane_does_not_hold_up_another() -> None:
    queue = Queue(Ticker())
    queue.add_all("x", [A, B], Priority.EDIT)
    queue.add("y", C, Priority.RESYNC)
    assert taken(queue, lane="y") == [C]


def test_backoff_doubles_to_its_limit_with_jitter_and_is_forgotten_on_reset() -> None:
    queue = Queue(Ticker(), chance=lambda: 1.0)
    delays = [queue.back_off(A) for _ in range(12)]
    assert delays[:4] == [FIRST_DELAY, 2.0, 4.0, 8.0]
    assert delays[-1] == LONGEST_DELAY
    queue.reset(A)
    assert queue.back_off(A) == FIRST_DELAY
    assert Queue(Ticker(), chance=lambda: 0.0).back_off(A) == FIRST_DELAY / 2


def test_a_closed_queue_hands_out_nothing_more() -> None:
    queue = Queue(Ticker())
    queue.add("x", A, Priority.EDIT)
    queue.close()
    assert queue.take("x", 1) == []


class QueueMachine(RuleBasedStateMachine):
    """Whatever is added, taken and finished in whatever order: nothing is lost, nothing is worked twice."""

    keys = st.sampled_from([A, B, C])

    def __init__(self) -> None:
        super().__init__()
        self.clock = Ticker()
        self.queue = Queue(self.clock)
        self.due: dict[Key, float] = {}
        self.again: dict[Key, float] = {}
        self.working: set[Key] = set()

    @rule(key=keys, priority=st.sampled_from(list(Priority)), after=st.sampled_from([0.0, 1.0, 5.0]))
    def add(self, key: Key, priority: Priority, after: float) -> None:
        self.queue.add("x", key, priority, after)
        waiting = self.again if key in self.working else self.due
        waiting[key] = min(waiting.get(key, float("inf")), self.clock.now + after)

    @rule(limit=st.integers(1, 3))
    def take(self, limit: int) -> None:
        ready = {key for key, due in self.due.items() if due <= self.clock.now}
        got = taken(self.queue, limit)
        assert len(got) == len(set(got)) == min(limit, len(ready))
        assert set(got) <= ready and not set(got) & self.working
        for key in got:
            del self.due[key]
        self.working |= set(got)

    @rule(key=keys)
    def finish(self, key: Key) -> None:
        if key in self.working:
            self.queue.done("x", key)
            self.working.discard(key)
            if (due := self.again.pop(key, None)) is not None:
                self.due[key] = due

    @rule(seconds=st.sampled_from([0.5, 2.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def depth_counts_what_is_ready_or_worked(self) -> None:
        ready = sum(due <= self.clock.now for due in self.due.values())
        assert self.queue.depth() == ready + len(self.working)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
