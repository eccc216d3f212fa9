"""When each key is looked at next, after a pass over it has ended. The manager asks."""

from __future__ import annotations

from typing import overload

from controller.engine.index import Index
from controller.engine.passes import Pass, Verdict
from controller.engine.queue import Priority, Queue
from resources.conditions import Reason

UNREACHED = 1.0  # seconds until a key is tried again whose system could not be reached; the breaker makes it longer


class Schedule:
    """Puts keys back into the queue. Thread-safe as the queue is."""

    def __init__(self, queue: Queue, index: Index) -> None:
        self._queue = queue
        self._index = index
        self.resyncs = True  # whether what is settled is looked at again: not in a one-off run

    def settle(self, worked: str, each: Pass, lane: str = "") -> None:
        """The pass has ended: its key may be handed out again, when it is due. `lane`: where, if not where it was `worked`."""
        lane = lane or worked
        self._queue.done(worked, each.key)
        entry = self._index.find(each.key)
        match each.verdict:
            case Verdict.GONE:
                self._queue.reset(each.key)
                return
            case Verdict.AGAIN:
                self._queue.add(lane, each.key, Priority.EDIT)
                return
            case Verdict.RETRY:
                self._queue.add(lane, each.key, Priority.RETRY, _sooner(self._pause(each), each.by))
                return
            case Verdict.WAITING:
                pause = each.after or self._queue.back_off(each.key)
                self._queue.add(lane, each.key, Priority.RETRY, _sooner(pause, each.by))
                return
            case Verdict.READY:
                self._queue.reset(each.key)
            case Verdict.STALLED if (
                each.reason == Reason.ROLLED_BACK
            ):  # what failed is over; what is there now is healed at once
                self._queue.reset(each.key)
            case _:
                pass
        if (after := _sooner(each.after, each.by)) is not None:
            self._queue.add(lane, each.key, Priority.RETRY, after)
        elif entry and self.resyncs:
            self._queue.add(lane, each.key, Priority.RESYNC, entry.resource.resync.total_seconds())

    def _pause(self, each: Pass) -> float:
        """Seconds until a failed key is tried again. That its system is lost is no failure of the key's own."""
        if each.after is not None:
            return each.after
        return UNREACHED if each.reason == Reason.AGENT_UNAVAILABLE else self._queue.back_off(each.key)


@overload
def _sooner(after: float, by: float | None) -> float: ...
@overload
def _sooner(after: float | None, by: float | None) -> float | None: ...
def _sooner(after: float | None, by: float | None) -> float | None:
    """When to look again where it is to be after some seconds, or by another time at the latest."""
    return min((each for each in (after, by) if each is not None), default=None)
