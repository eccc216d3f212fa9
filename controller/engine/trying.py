"""Watches edits on trial: what passes is good from then on, what fails is given up and stood in for by what was good.

The reconciler asks it in this order: what a key's subject is, given up or not; whether what an edit replaces was good; how
the trial stands after a pass. The rules of the records are in `trial.py`, what people are told in `rolled_back.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.engine.agent import Agent, Context, Seen
from controller.engine.asking import give_up_update, observe
from controller.engine.ledger import recorded
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Subject, Verdict, subject_of
from controller.engine.stores import Level, Record
from controller.engine.trial import NAMED, given_up, is_update, proven, settling, stand_in
from resources.conditions import Reason, Type
from resources.meta import Key, Resource
from resources.notation import duration_text
from resources.plan import Action

# What is said of a thing that differs from its spec, and not of what is wrong with it.
_ONLY_DIFFERS = frozenset({Reason.CONVERGED, Reason.APPLY_FAILED, Reason.CONTESTED, Reason.DIFF_PERSISTS})


@dataclass(slots=True)
class _Watch:
    """What this process has seen of one edit. Times are monotonic seconds: a clock that is set moves no deadline."""

    digest: str
    tried_at: float
    since: float
    spent: float  # seconds of its time that had passed at `since`
    ready_since: float | None = None
    writes: str | None = None  # see `Seen.writes`; None: not seen yet

    def begin_anew(self, now: float) -> None:
        self.since, self.spent, self.ready_since = now, 0.0, None


class Trials:
    """Thread-safe as the reconciler is: each key is worked by one thread at a time."""

    def __init__(self, parts: Parts) -> None:
        self._index = parts.index
        self._inventory = parts.stores.inventory
        self._board = parts.board
        self._listener = parts.listener
        self._clock = parts.clock
        self._context = parts.context
        self._watches: dict[Key, _Watch] = {}

    # -- before a pass -----------------------------------------------------------------------------------------

    def subject(self, subject: Subject) -> Subject:
        """`subject`; with what was Ready before in place of what is declared where that was given up."""
        record, entry = subject.record, subject.entry
        if record is None or entry is None or record.given_up != entry.digest:
            return subject
        good = good_of(record)
        if good is None:
            return subject
        instead = stand_in(entry, good, record.good_digest)
        last = instead.resource if record.digest == record.good_digest else subject.last
        return replace(subject, entry=instead, resource=instead.resource, last=last, edit=entry)

    def prove(self, subjects: Sequence[Subject], ctx: Context) -> list[Subject]:
        """`subjects` of one kind. Of what is about to be edited, what was and still is Ready is good, though nobody has looked
        at it since: so it is where no controller runs.
        """
        settled = {each.key: each.last for each in subjects if each.last and self._seems_proven(each)}
        if not settled:
            return list(subjects)
        agent = subjects[0].agent
        seen = observe(agent, list(settled.values()), ctx)
        good = {}
        for each in subjects:
            last, found = settled.get(each.key), seen.get(each.key)
            if each.record and last and isinstance(found, Seen) and _as_applied(agent, last, found):
                good[each.key] = proven(each.record)
        if good:
            self._inventory.confirm(good.values())
        return [replace(each, record=good.get(each.key, each.record)) for each in subjects]

    def _seems_proven(self, subject: Subject) -> bool:
        record = subject.record
        if not record or not subject.edited or subject.edit or record.good_digest == record.digest:
            return False
        within = subject.last.ready_within() if subject.last else None
        ready_for = self._ready_for(record)
        return within is not None and ready_for is not None and ready_for >= settling(within)

    def _ready_for(self, record: Record) -> float | None:
        """Seconds since what was applied last was found Ready, by this process or an earlier one. None: it was not."""
        status = self._board.status(record.key)
        if status is None or not status.ready or status.digest != record.digest:
            return None
        ready = status.condition(Type.READY)
        began = record.tried_at if record.tried == record.digest else 0.0
        return max(0.0, self._clock.wall() - max(ready.since if ready else 0.0, began))

    def updating(self, passes: Sequence[Pass]) -> list[Pass]:
        """`passes`. Of what is about to be updated, what is Ready now is what there is to go back to."""
        good = {each.key: proven(record) for each in passes if (record := self._unproven(each))}
        if good:
            self._inventory.confirm(good.values())
        return [
            replace(each, subject=replace(subject_of(each), record=good[each.key])) if each.key in good else each
            for each in passes
        ]

    def _unproven(self, each: Pass) -> Record | None:
        """The record of what is to be updated, and has been Ready for long enough though nobody has looked."""
        record = self._inventory.find(each.key) if each.plan.updates else None
        within = subject_of(each).resource.ready_within()
        if record is None or within is None or record.good_digest == record.digest:
            return None
        ready_for = self._ready_for(record)
        return record if ready_for is not None and ready_for >= settling(within) else None

    # -- after a pass ------------------------------------------------------------------------------------------

    def judge(self, passes: Sequence[Pass], *, looked: bool) -> list[Pass]:
        """How the trials of these keys stand. What fails is given up, and looked at anew, where it was only `looked` at."""
        judged, records = [], []
        for each in passes:
            after, record = self._judge(each, looked)
            judged.append(after)
            if record:
                records.append(record)
        if records:
            self._inventory.confirm(records)
        for record in records:
            self._watches.pop(record.key, None)
            if record.given_up:
                self._listener.rolled_back(record.key)
        return judged

    def _judge(self, each: Pass, looked: bool) -> tuple[Pass, Record | None]:
        subject = each.subject
        if subject is None or subject.entry is None or subject.edit is not None:
            return each, None
        within, record = subject.resource.ready_within(), self._inventory.find(each.key)
        if within is None or record is None:
            return each, None
        match each.verdict:
            case Verdict.READY if record.digest == subject.digest and (
                record.digest != record.good_digest or is_update(record)
            ):
                return self._after_ready(each, record, within)
            case Verdict.WORK | Verdict.WAITING | Verdict.RETRY | Verdict.STALLED if record.tried == subject.digest:
                return self._after_not_ready(each, record, within, looked)
            case Verdict.SUSPENDED if watch := self._watches.get(each.key):
                watch.begin_anew(self._clock.monotonic())
            case _:
                pass
        return each, None

    def _after_ready(self, each: Pass, record: Record, within: float) -> tuple[Pass, Record | None]:
        now, watch = self._clock.monotonic(), self._watch(record, subject_of(each).digest, within)
        if watch.ready_since is None:
            watch.ready_since = now
        left = watch.ready_since + settling(within) - now
        return (replace(each, by=left), None) if left > 0 else (each, proven(record))

    def _after_not_ready(self, each: Pass, record: Record, within: float, looked: bool) -> tuple[Pass, Record | None]:
        digest, now = subject_of(each).digest, self._clock.monotonic()
        watch = self._watch(record, digest, within)
        watch.ready_since = None
        if each.seen and each.seen.value is not None and record.digest == digest:
            watch.writes = each.seen.writes
        if _nobody_can_tell(each):
            watch.begin_anew(now)  # it gets all of its time when somebody can
            return each, None
        hopeless = _hopeless(each)
        left = 0.0 if hopeless else within - watch.spent - (now - watch.since)
        if left > 0:
            return replace(each, by=left), None
        if each.reason == Reason.NOT_READY_IN_TIME:
            why = each.message.partition("; ")[0]  # its agent has waited for it, and says so
        else:
            what = "would not become Ready" if hopeless else f"not Ready within {duration_text(within)}"
            why = f"{what} ({self._trouble(each)})"
        if is_update(record):
            return self._update_failed(each, record, watch, why, looked)
        obstacle = self._obstacle(each, record, watch)
        if obstacle:
            return _left_as_it_is(each, why, obstacle, new=not record.good_digest), None
        if not looked:
            return replace(each, verdict=Verdict.RETRY, after=0.0), None
        entry = subject_of(each).entry
        assert entry is not None
        return replace(each, verdict=Verdict.AGAIN, step=None), given_up(record, entry, why)

    def _update_failed(
        self, each: Pass, record: Record, watch: _Watch, why: str, looked: bool
    ) -> tuple[Pass, Record | None]:
        """What it was made of before is taken again. That it was not even made leaves nothing that could do harm."""
        resource = subject_of(each).resource
        obstacle = _unwanted(resource) or ("" if each.plan.updates else _may_harm(resource, watch))
        if not obstacle and not looked:
            return replace(each, verdict=Verdict.RETRY, after=0.0), None
        if not obstacle and (lost := give_up_update(subject_of(each).agent, resource, why)):
            obstacle = f"not rolled back because {lost}; edit it"
        if obstacle:
            return _left_as_it_is(each, why, obstacle, new=False), None
        self._board.record(each.key, Level.WARNING, Reason.ROLLED_BACK, f"gave up its update: {why}")
        self._listener.rolled_back(each.key)
        return replace(each, verdict=Verdict.AGAIN, step=None), replace(record, tried="", tried_at=0.0)

    def _watch(self, record: Record, digest: str, within: float) -> _Watch:
        """Of a trial that an earlier process began some of the time has passed, but there is always enough for a look."""
        watch = self._watches.get(record.key)
        if watch and (watch.digest, watch.tried_at) == (digest, record.tried_at):
            return watch
        now, spent, ready_since = self._clock.monotonic(), 0.0, None
        ready_for = self._ready_for(record)
        if ready_for is not None:
            ready_since = now - ready_for
        elif record.tried == digest:
            spent = min(max(0.0, self._clock.wall() - record.tried_at), within - settling(within))
        self._watches[record.key] = watch = _Watch(digest, record.tried_at, now, spent, ready_since)
        return watch

    def _trouble(self, each: Pass) -> str:
        """Why it is not Ready, from this pass, or from the last one that knew; without advice, for it is of no use any more."""
        reason, message = each.reason, each.message
        health = each.seen.health.message if each.seen else ""
        status = self._board.status(each.key)
        if each.verdict is Verdict.WORK and status and status.digest == each.digest:
            reason, message = status.reason, status.message
        if reason in _ONLY_DIFFERS:
            return _difference(each, health.partition("; ")[0])
        if message != health:
            message = message.partition("; ")[0]
        return f"{reason}: {message}" if message else reason

    def _obstacle(self, each: Pass, record: Record, watch: _Watch) -> str:
        """Why there is no way back, or what to do to have one; empty where there is."""
        resource, good = subject_of(each).resource, good_of(record)
        if not record.good_digest:
            return "there is nothing to go back to, for it was never Ready for long; edit it"
        if good is None:
            return "not rolled back because what was recorded of it can't be read any more; edit it"
        if lost := self._lost(good):
            return f"not rolled back because {lost}; edit it"
        if unwanted := _unwanted(resource):
            return unwanted
        if record.digest == subject_of(each).digest and (harm := _may_harm(resource, watch)):
            return harm
        if record.digest == subject_of(each).digest and self._is_as_it_was(subject_of(each), good):
            inputs = any(True for _ in (*resource.inputs(), *resource.trees()))
            kept = " (the former content of files that it refers to is not kept)" if inputs else ""
            return f"not rolled back because going back would change nothing of it{kept}; edit it"
        return ""

    def _is_as_it_was(self, subject: Subject, good: Resource) -> bool:
        """Whether the edit, which was made, changed nothing that could be taken back."""
        seen = observe(subject.agent, [good], self._context)[good.key]
        return isinstance(seen, Seen) and bool(subject.agent.diff(good, subject.resource, seen.value).empty)

    def _lost(self, good: Resource) -> str:
        """What the good resource had and can't have any more."""
        for claim in good.claims():
            if (holder := self._index.claimant(claim)) not in (None, good.key):
                assert holder is not None
                return f"{holder.short} has {claim} now, which it had then"
        missing = sorted(each for each in good.dependencies() if self._index.find(each) is None)
        return f"{missing[0].short}, which it needed then, is not declared any more" if missing else ""


def _unwanted(resource: Resource) -> str:
    if resource.rolls_back() is not False:
        return ""
    return "not rolled back, for that has to be asked for: set rollback: true, or edit it"


def _may_harm(resource: Resource, watch: _Watch) -> str:
    """Whether a former program could meet data that a newer one has changed."""
    if resource.rolls_back() is not None or watch.writes == "":
        return ""
    what = watch.writes or "what it mounts"
    return f"not rolled back because {what} may hold data that the newer program has changed: set rollback: true, or edit it"


def good_of(record: Record) -> Resource | None:
    """The last resource that was Ready for a while, if there was one that the models still accept."""
    return recorded(replace(record, applied=record.good)) if record.good_digest else None


def _nobody_can_tell(each: Pass) -> bool:
    """Whether it could not be looked at, or what is there is not to be touched."""
    unseen = each.seen is None and each.plan.empty
    return unseen or each.reason in (Reason.AGENT_UNAVAILABLE, Reason.NOT_OWNED, Reason.IMMUTABLE)


def _difference(each: Pass, health: str) -> str:
    if not each.plan.changes:
        return "it is not there"
    fields = ", ".join(change.path for change in each.plan.changes[:NAMED])
    return f"{fields} not as declared" + (f": {health}" if health else "")


def _as_applied(agent: Agent[Any, Any], last: Resource, seen: Seen[Any]) -> bool:
    return seen.value is not None and seen.health.ready and bool(agent.diff(last, last, seen.value).empty)


def _hopeless(each: Pass) -> bool:
    """Whether nothing more will be tried, and waiting would not help."""
    as_declared = each.plan.empty or each.carried_out is not Action.NONE
    ill = as_declared and each.seen is not None and each.seen.health.stalled and not each.seen.health.ready
    said = each.reason in (Reason.DIFF_PERSISTS, Reason.NOT_READY_IN_TIME, Reason.CRASH_LOOP)
    return each.verdict is Verdict.STALLED and (ill or said)


def _left_as_it_is(each: Pass, why: str, obstacle: str, *, new: bool) -> Pass:
    """An edit that failed and stays: Stalled, unless the loop goes on trying by itself, or has a better reason.

    Of a `new` thing all that may be said is that it is not Ready in time.
    """
    if each.verdict is Verdict.WAITING or (_hopeless(each) and not new):
        message = f"{why}; {obstacle}"
        return replace(each, verdict=Verdict.STALLED, reason=Reason.NOT_READY_IN_TIME, message=message)
    if each.verdict in (Verdict.RETRY, Verdict.STALLED) and not new:
        return replace(each, message=f"{each.message} ({obstacle})")
    return each
