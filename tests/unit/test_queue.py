"""The queue: each key once, best first, never to two workers, with its own backoff; tests/chaos/machines goes on with it."""

from __future__ import annotations

import time
from threading import Timer

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


def test_a_key_that_waits_in_one_lane_moves_to_another_with_what_it_waited_for() -> None:
    queue = Queue(Ticker())
    queue.add("x", A, Priority.EDIT)
    queue.add("y", A, Priority.RESYNC, after=60.0)
    assert taken(queue) == []
    assert queue.take("y", 10, timeout=0) == [(A, Priority.EDIT)]


def test_a_key_that_is_worked_in_one_lane_is_not_handed_out_in_another() -> None:
    queue = Queue(Ticker())
    queue.add("x", A, Priority.EDIT)
    assert taken(queue) == [A]
    queue.add("y", A, Priority.EDIT)
    assert taken(queue, lane="y") == []
    queue.done("x", A)
    queue.add("y", A, Priority.RESYNC)
    assert (taken(queue), taken(queue, lane="y")) == ([], [A])


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


def test_held_key_is_not_handed_out_until_it_is_done() -> None:
    queue = Queue(Ticker())
    queue.add("x", A, Priority.EDIT)
    assert queue.hold("x", A, 0.0)
    queue.add("x", B, Priority.EDIT)
    assert taken(queue) == [B]
    queue.add("x", A, Priority.DRIFT)
    queue.done("x", A)
    assert taken(queue) == [A]


def test_key_that_is_worked_is_held_when_that_is_done_or_not_at_all() -> None:
    queue = Queue(time.monotonic)
    queue.add("x", A, Priority.EDIT)
    assert taken(queue) == [A]
    assert not queue.hold("x", A, 0.01)
    Timer(0.05, queue.done, ("x", A)).start()
    assert queue.hold("x", A, 10.0)


def test_held_key_is_handed_out_in_no_other_lane_either() -> None:
    queue = Queue(Ticker())
    queue.add("y", A, Priority.EDIT)
    assert queue.hold("x", A, 0.0)
    assert queue.take("y", 1, 0.0) == []
    queue.done("x", A)
    assert taken(queue) == [A]


def test_key_that_is_worked_in_another_lane_is_not_held() -> None:
    queue = Queue(time.monotonic)
    queue.add("y", A, Priority.EDIT)
    assert queue.take("y", 1, 0.0)
    assert not queue.hold("x", A, 0.01)
