"""When a key is looked at next: what a pass found decides, and what failed before delays nothing that is over."""

from __future__ import annotations

import pytest

from controller.engine.index import Index
from controller.engine.passes import Verdict, ended
from controller.engine.queue import Priority, Queue
from controller.engine.schedule import Schedule
from resources.conditions import Reason
from resources.meta import Key

KEY = Key("Gadget", "default", "a")


@pytest.mark.parametrize(
    ("verdict", "reason", "at_once"),
    [
        (Verdict.STALLED, Reason.ROLLED_BACK, True),  # what is there now is the good one, and is to be healed
        (Verdict.READY, Reason.CONVERGED, True),
        (Verdict.RETRY, Reason.APPLY_FAILED, False),
    ],
)
def test_hint_waits_for_a_backoff_only_while_something_is_failing(
    verdict: Verdict, reason: Reason, at_once: bool
) -> None:
    now = [0.0]
    queue = Queue(lambda: now[0])
    schedule = Schedule(queue, Index(lambda key, digest: 1))
    queue.add("world", KEY, Priority.EDIT)
    assert queue.take("world", 1, 0)
    for _ in range(6):
        queue.back_off(KEY)
    schedule.settle("world", ended(KEY, verdict, reason))
    queue.add("world", KEY, Priority.DRIFT)
    assert bool(queue.take("world", 1, 0)) is at_once
