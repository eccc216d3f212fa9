"""How every key is doing now: turns passes into statuses, keeps them, and records an event when one changes.

The manager settles passes here and learns which keys turned Ready; the reconciler asks whether a dependency is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from controller.engine.clock import Clock
from controller.engine.passes import Pass, Verdict
from controller.engine.stores import Event, Events, Level, Listener, NotKept, Statuses
from resources.conditions import Condition, Reason, Status, Truth, Type, transition
from resources.meta import Key
from resources.plan import Action

# What an action that was carried out is called in its event.
_DONE = {
    Action.CREATE: "Created",
    Action.ADOPT: "Adopted",
    Action.UPDATE: "Updated",
    Action.REPLACE: "Replaced",
    Action.DELETE: "Deleted",
}
# And what is said of it when there are no fields to name and the agent had nothing to add.
_AS_WANTED = dict.fromkeys(_DONE, "as declared") | {Action.DELETE: "it has left the desired state"}


class Board:
    """Thread-safe as far as its stores are: each key is settled by one thread at a time."""

    def __init__(self, statuses: Statuses, events: Events, listener: Listener, clock: Clock) -> None:
        self._statuses = statuses
        self._events = events
        self._listener = listener
        self._clock = clock
        self._now: dict[Key, Status] = {}

    def status(self, key: Key) -> Status | None:
        return self._now.get(key) or self._statuses.find(key)

    def ready(self, key: Key, generation: int) -> bool:
        """Whether `key` is Ready at this generation of its desired state."""
        status = self.status(key)
        return status is not None and status.ready and status.observed_generation == generation

    def settle(self, passes: Sequence[Pass]) -> list[Key]:
        """Keeps the statuses that `passes` amount to. Returns the keys that turned Ready by them. Raises NotKept."""
        changed: dict[Key, Status] = {}
        try:
            return self._settle(passes, changed)
        except NotKept:
            for key in changed:  # else the next pass would find nothing new to be kept
                self._now.pop(key, None)
            raise

    def _settle(self, passes: Sequence[Pass], changed: dict[Key, Status]) -> list[Key]:
        turned: list[Key] = []
        passes = [each for each in passes if each.verdict is not Verdict.AGAIN]
        gone = [each.key for each in passes if each.verdict is Verdict.GONE]
        for each in passes:
            if each.verdict is Verdict.GONE:
                self._now.pop(each.key, None)
                self._announce_done(each)
                continue
            before = self.status(each.key)
            status = transition(before, status_of(each, before, self._clock.wall()))
            if before is None or replace(before, at=status.at) != status:
                changed[each.key] = status
            self._now[each.key] = status
            if status.ready and not (before and before.ready and before.generation == status.generation):
                turned.append(each.key)
            self._announce_done(each)
            if before is None or (before.reason, before.message) != (status.reason, status.message):
                self._announce(each, status)
            self._listener.settled(each.key, status)
        if changed:
            self._statuses.save(changed)
        if gone:
            self._statuses.forget(gone)
        for key in gone:
            self._listener.gone(key)
        return turned

    def unknown(self, keys: Iterable[Key], message: str) -> None:
        """Nothing can be said of `keys`: their system can't be reached."""
        now, changed = self._clock.wall(), {}
        for key in keys:
            before = self.status(key) or Status(0, 0)
            ready = Condition(
                Type.READY, Truth.UNKNOWN, Reason.AGENT_UNAVAILABLE, message, before.observed_generation, now
            )
            status = transition(before, replace(before, conditions=(ready,), at=now))
            if before.conditions != status.conditions:
                changed[key] = self._now[key] = status
                self._listener.settled(key, status)
        self._statuses.save(changed)

    def record(self, key: Key | None, level: Level, reason: str, message: str) -> None:
        """An event for the user; listeners log and count it."""
        now = self._clock.wall()
        event = Event(now, key, level, str(reason), message, first=now)
        self._events.record(event)
        self._listener.recorded(event)

    def _announce_done(self, each: Pass) -> None:
        if each.carried_out is not Action.NONE:
            done = each.done or each.plan
            fields = ", ".join(change.path for change in done.changes[:6])
            drift = "drift in " if done.drift_only else ""
            said = [f"{drift}{fields}" if fields else "", each.told]
            message = "; ".join(part for part in said if part) or _AS_WANTED[each.carried_out]
            self.record(each.key, Level.NORMAL, _DONE[each.carried_out], message)

    def _announce(self, each: Pass, status: Status) -> None:
        warn = each.verdict in (Verdict.STALLED, Verdict.RETRY, Verdict.HELD, Verdict.REPORTED)
        level = Level.WARNING if warn else Level.NORMAL
        self.record(each.key, level, status.reason, status.message or "as declared")


def status_of(each: Pass, before: Status | None, now: float) -> Status:
    """The status that a pass amounts to."""
    truth, reconciling, stalled = _truths(each)
    processed = each.verdict not in (Verdict.RETRY, Verdict.BLOCKED)
    observed = each.generation if processed else (before.observed_generation if before else 0)

    def condition(kind: Type, status: Truth) -> Condition:
        return Condition(kind, status, each.reason, each.message, observed, now)

    conditions = [condition(Type.READY, truth)]
    if reconciling:
        conditions.append(condition(Type.RECONCILING, Truth.TRUE))
    if stalled:
        conditions.append(condition(Type.STALLED, Truth.TRUE))
    return Status(
        generation=each.generation,
        observed_generation=observed,
        conditions=tuple(conditions),
        drift=each.plan.changes if each.carried_out is Action.NONE else (),
        digest=each.digest,
        handle=each.seen.handle if each.seen else (before.handle if before else ""),
        at=now,
    )


def _truths(each: Pass) -> tuple[Truth, bool, bool]:
    """Ready, whether Reconciling, whether Stalled (kstatus: the latter two are there only when true)."""
    match each.verdict:
        case Verdict.READY | Verdict.REPORTED:
            return Truth.TRUE, False, False
        case Verdict.SUSPENDED | Verdict.HELD:
            return (Truth.TRUE if each.plan.empty else Truth.FALSE), False, False
        case Verdict.STALLED:
            return Truth.FALSE, False, True
        case Verdict.RETRY if each.reason == Reason.AGENT_UNAVAILABLE:
            return Truth.UNKNOWN, True, False
        case Verdict.WAITING | Verdict.AWAITING | Verdict.BLOCKED | Verdict.RETRY | Verdict.WORK | Verdict.AGAIN:
            return Truth.FALSE, True, False
        case Verdict.GONE:
            return Truth.FALSE, False, False
        case _:
            assert_never(each.verdict)
