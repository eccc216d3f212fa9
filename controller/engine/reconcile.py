"""One pass over one batch of keys: guards, observe, plan, then apply and look again. The manager and the preview call it.

`look` changes nothing: it ends with passes, some of them with a step to carry out. `carry_out` takes those steps of one
agent, writes down the intent, applies, confirms, and looks again. Everything that is remembered of a key between passes is
in the stores, apart from the counters of `Patience`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, assert_never

from controller.engine.agent import Agent, Context, Done, Failure, Mark, Outcome, Retry, Seen, Stalled, Started, Step
from controller.engine.asking import apply, observe, tidy
from controller.engine.brakes import withheld
from controller.engine.chronicle import Chronicle
from controller.engine.index import Entry
from controller.engine.ledger import Ledger, applied, being_made, recorded
from controller.engine.ownership import Owner, belonging
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Subject, Verdict, concluded, ended, subject_of
from controller.engine.patience import ENDS, Patience, Refusal
from controller.engine.prune import KEPT_SUSPENDED, Pruning
from controller.engine.resuming import resumed
from controller.engine.revision import Condition
from controller.engine.rolled_back import told
from controller.engine.stores import Brake, Record
from controller.engine.trying import Trials
from resources.conditions import Reason
from resources.meta import DriftPolicy, Key, Problem
from resources.plan import Action, Disruption, Plan, Why

# Seconds until a thing that waits for another one to be deleted or changed is looked at again.
SOON = 0.5
# Until a thing that did not stay as it was made before is believed to stay so.
STEADY = 1.0
_KEEPS_ENDING = (
    "it runs, and has ended again and again soon after it was started; Ready when it has run for some minutes"
)
_NOT_SURE = "as declared just now, and was not for long before"


class Reconciler:
    """Thread-safe: every method works on the keys it is given, and no key is given to two threads at once."""

    def __init__(self, parts: Parts, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._index = parts.index
        self._agent_of = parts.agent_of
        self._stores = parts.stores
        self._board = parts.board
        self._identity = parts.identity
        self._context = parts.context
        self._ledger = Ledger(parts)
        self._patience = Patience(parts.clock)
        self._trials = Trials(parts)
        self._pruning = Pruning(frozenset(), ())
        self._needing: Mapping[Key, set[Key]] = {}
        self._changing: set[Key] = set()  # steps that are being carried out
        self._lock = Lock()

    def prune(self, pruning: Pruning) -> None:
        """Says which keys that have left the desired state may be deleted, and which are held."""
        needing: dict[Key, set[Key]] = {}
        for key in pruning.deletes:
            record = self._stores.inventory.find(key)
            for before in (*record.dependencies, *filter(None, [record.owner])) if record else ():
                needing.setdefault(before, set()).add(key)
        self._pruning, self._needing = pruning, needing

    def keep(self, passes: Sequence[Pass]) -> None:
        """Brings the inventory up to date with a preview's passes, which wrote nothing."""
        self._keep(passes, self._brake())
        self._ledger.lapse(passes)

    def lapse(self, passes: Iterable[Pass]) -> None:
        """Forgets what the user has confirmed of keys that turn out to be as declared at a periodic look."""
        self._ledger.lapse(passes)

    def forgive(self, key: Key) -> None:
        """What was refused is to be tried again at the next look."""
        self._patience.forgive(key)

    # -- looking -----------------------------------------------------------------------------------------------

    def look(self, keys: Iterable[Key], ctx: Context, *, preview: bool = False) -> list[Pass]:
        """Observes and plans; one pass for each key. With `preview`, dependencies hold nothing back, nothing is written."""
        overrides, brake = self._stores.overrides, None if preview else self._brake()
        view = _View(self._suspended(), overrides.confirmed(self._identity.source), brake, preview)
        passes: list[Pass] = []
        subjects: dict[str, list[Subject]] = {}
        for key in keys:
            subject = self._subject(key, view)
            if isinstance(subject, Pass):
                passes.append(subject)
            else:
                subjects.setdefault(key.kind, []).append(subject)
        for of_kind in subjects.values():
            known = of_kind if preview else self._trials.prove(of_kind, ctx)
            seen = observe(of_kind[0].agent, [subject.resource for subject in of_kind], ctx)
            passes.extend(self._judge(each, seen[each.key], view) for each in resumed(known, seen, ctx))
        if preview:
            passes = self._hindered(passes)
        else:
            passes = self._after_what_it_is_made_of(passes)
            self._keep(passes, brake)
            passes = self._trials.judge(passes, looked=True)
        return [told(each) for each in passes]

    def _after_what_it_is_made_of(self, passes: Sequence[Pass]) -> list[Pass]:
        """What is made from something that is about to change may differ by that alone: it is looked at again then."""
        work = [each for each in passes if each.verdict is Verdict.WORK]
        changing = {each.key for each in work if subject_of(each).agent.rolls_out}
        if not changing:
            return list(passes)
        around = {each.key: found for each in work if (found := changing & self._index.dependencies(each.key))}
        return [_waiting(each, around[each.key]) if each.key in around else each for each in passes]

    def _hindered(self, passes: Sequence[Pass]) -> list[Pass]:
        """In a preview: what would be refused as things are, unless something that it depends on is still to be made."""
        ready = {each.key: each.verdict is Verdict.READY for each in passes}

        def judged(each: Pass) -> Pass:
            why = each.seen.hindered if each.seen and subject_of(each).entry and each.verdict is Verdict.WORK else None
            before = self._index.dependencies(each.key)
            if why is None or not all(ready[key] if key in ready else self._is_ready(key) for key in before):
                return each
            return replace(each, verdict=Verdict.STALLED, reason=why.reason, message=why.message, step=None)

        return [judged(each) for each in passes]

    def _keep(self, passes: Sequence[Pass], brake: Brake | None) -> None:
        """Writes down what was seen. What an interrupted change has left is cleared away first, so not with a brake on."""
        interrupted = [each for each in passes if _is_over(each)]
        for each in interrupted if brake is None else ():
            subject = subject_of(each)
            tidy(subject.agent, [subject.resource], gone=each.verdict is Verdict.GONE)
            self._give_up_half_moved(subject)
        left = {each.key for each in interrupted} if brake else set()
        self._ledger.keep([each for each in passes if each.key not in left])

    def _give_up_half_moved(self, subject: Subject) -> None:
        """Removes what an interrupted move has put in a place where the thing is no longer wanted. Nothing else knows of it."""
        made, record = being_made(subject.record), subject.record
        if made is None or record is None:
            return
        claims = set(made.claims())
        still_wanted = subject.entry is not None and claims & set(subject.resource.claims())
        if still_wanted or any(self._index.claimant(claim) not in (None, subject.key) for claim in claims):
            return
        if record.intent is Action.ADOPT:  # which knows by itself how far it got
            tidy(subject.agent, [made], gone=True)
            return
        seen = observe(subject.agent, [made], self._context)[made.key]
        if isinstance(seen, Seen) and seen.value is not None and subject.agent.diff(made, None, seen.value).empty:
            plan = Plan(subject.key, Action.DELETE, disruption=Disruption.DELETE)
            mark = Mark(subject.key, self._identity.installation, record.generation)
            apply(subject.agent, [Step(plan, None, made, seen, mark)], self._context)

    def _subject(self, key: Key, view: _View) -> Subject | Pass:
        """The guards before looking: unknown, deleting, conflicting."""
        entry, record = self._index.find(key), self._stores.inventory.find(key)
        if entry is None and record is None:
            return ended(key, Verdict.GONE)
        agent = self._agent_of(key.kind)
        if agent is None:
            return _about(
                ended(key, Verdict.STALLED, Reason.UNKNOWN_KIND, f"cannot find an agent for {key.kind}"), entry
            )
        if entry is None:
            return self._leaving(key, record, agent, view)
        if conflict := self._index.conflict(key):
            return _about(ended(key, Verdict.STALLED, conflict.reason, conflict.message), entry)
        if record and record.source != self._identity.source and (refused := self._other_source(entry, record)):
            return refused
        last = entry.resource if record and record.digest == entry.digest else applied(record)
        return self._trials.subject(Subject(key, entry, record, agent, entry.resource, last))

    def _leaving(self, key: Key, record: Record | None, agent: Agent[Any, Any], view: _View) -> Subject | Pass:
        assert record is not None
        if key not in self._pruning.deletes:
            hold = next((hold for hold in self._pruning.holds if key in hold.keys), None)
            reason, message = (hold.reason, hold.message) if hold else (Reason.PENDING, "it has left the desired state")
            return ended(key, Verdict.HELD, reason, message)
        if key in view.suspended:
            return ended(key, Verdict.HELD, Reason.SUSPENDED, KEPT_SUSPENDED)
        if (waiting_for := self.deletion_waits_for(key)) and not (view.preview or view.brake):
            return ended(key, Verdict.BLOCKED, Reason.DELETING, f"waits until {waiting_for.short} is deleted")
        resource = recorded(record)
        if resource is None:
            message = f"cannot read what was recorded of {key.short}: remove it by hand, then 'p2 delete {key.short}'"
            return ended(key, Verdict.HELD, Reason.UNKNOWN_KIND, message)
        return Subject(key, None, record, agent, resource, resource)

    def _other_source(self, entry: Entry, record: Record) -> Pass | None:
        """A key that another source owns is taken over when that source is no more, after one confirmation."""
        key, theirs, ours = entry.declared.key, record.source, self._identity.source
        if record.recovered or self._identity.is_part(theirs):
            return (
                None  # found by its mark and declared nowhere until now, or a path of ours that was applied by itself
            )
        if self._identity.source_exists(theirs):
            message = f"cannot own {key.short} from two sources: {theirs} and {ours} declare it; remove it from one"
            return _about(ended(key, Verdict.STALLED, Reason.DUPLICATE, message), entry)
        if key in self._stores.overrides.confirmed(ours):
            return None
        message = (
            f"cannot tell whether {theirs}, which declared {key.short}, has moved to {ours}: "
            f"'p2 confirm -s {ours}' takes it over"
        )
        return _about(ended(key, Verdict.STALLED, Reason.SOURCE_MOVED, message), entry)

    # -- judging -----------------------------------------------------------------------------------------------

    def _judge(self, subject: Subject, seen: Seen[Any] | Failure, view: _View) -> Pass:
        if isinstance(seen, Retry | Stalled):
            return _failed(subject, seen)
        if subject.entry is None:
            each = self._judge_deletion(subject, seen, view)
        else:
            each = self._judge_desired(subject, seen, view)
        return replace(each, step=self._step(subject, each.plan, seen)) if each.verdict is Verdict.WORK else each

    def _judge_deletion(self, subject: Subject, seen: Seen[Any], view: _View) -> Pass:
        owner = belonging(subject, seen, self._identity.installation).owner
        # What an adoption put aside is put back even if the thing itself is gone already.
        to_put_back = owner is Owner.NOBODY and subject.record is not None and subject.record.kept
        if owner is not Owner.OURS and not to_put_back:  # already gone, or somebody else has the name now
            return concluded(subject, Verdict.GONE, seen=seen)
        plan = Plan(subject.key, Action.DELETE, disruption=Disruption.DELETE, loses_data=_holds_data(subject))
        if view.brake:
            return _withheld(subject, Verdict.HELD, plan, view.brake, seen)
        return concluded(subject, Verdict.WORK, plan, seen=seen)

    def _judge_desired(self, subject: Subject, seen: Seen[Any], view: _View) -> Pass:
        key, spec = subject.key, subject.resource.spec
        where = belonging(subject, seen, self._identity.installation)
        if where.owner is Owner.OTHER_KEY and Key.parse(where.whose) in self._pruning.deletes:
            anew = subject.agent.diff(subject.resource, None, None)
            if view.preview:
                return concluded(subject, Verdict.WORK, anew, seen=seen)
            if view.brake:
                return _withheld(subject, Verdict.SUSPENDED, anew, view.brake, seen)
            why = f"waits until {where.whose} is deleted"
            return concluded(subject, Verdict.BLOCKED, None, Reason.DELETING, why, seen, SOON)
        plan = _plan(subject, seen)
        if where.owner in (Owner.STRANGER, Owner.OTHER_KEY):
            taken_back = where.owner is Owner.STRANGER and _equal_unmarkable(subject, seen)
            if not spec.adopt and not taken_back:
                return concluded(
                    subject, Verdict.STALLED, None, Reason.NOT_OWNED, _not_owned(subject, where.whose), seen
                )
            plan = replace(plan, action=Action.ADOPT)
        if key in view.suspended or spec.suspend:
            why = "suspended: differences are shown, not corrected"
            return concluded(subject, Verdict.SUSPENDED, plan, Reason.SUSPENDED, why, seen)
        if plan.empty:
            self._patience.settled(key)
            return self._healthy(subject, seen, plan)
        return self._work(subject, plan, seen, view)

    def _work(self, subject: Subject, plan: Plan, seen: Seen[Any], view: _View) -> Pass:
        """The guards before a change: data, policy, brakes, dependencies, what hinders it, patience with what does not help."""
        key, policy = subject.key, subject.resource.spec.driftPolicy
        if _loses_data(subject, plan) and key not in view.confirmed:
            return concluded(subject, Verdict.STALLED, plan, Reason.IMMUTABLE, _immutable(key, plan), seen)
        if not subject.edited and policy is DriftPolicy.REPORT:
            why = f"differs in {_fields(plan)}; driftPolicy is Report"
            return concluded(subject, Verdict.REPORTED, plan, Reason.DRIFTED, why, seen)
        if view.preview:
            return concluded(subject, Verdict.WORK, plan, seen=seen)
        if view.brake:
            return self._vain(subject, plan, seen, view) or _withheld(
                subject, Verdict.SUSPENDED, plan, view.brake, seen
            )
        # A dependency may make what is missing: what hinders a change counts only when there is none to wait for.
        gated = plan.updates or bool(seen.hindered) or (subject.edited and not subject.going_back)
        if gated and (waiting_for := self.waits_for(key)):
            why = f"waits for {waiting_for.short} to be Ready"
            return concluded(subject, Verdict.BLOCKED, plan, Reason.DEPENDENCY_NOT_READY, why, seen)
        if plan.updates and (first := self._updated_first(subject, view)):
            why = f"waits until {first.short} is updated"
            return concluded(subject, Verdict.BLOCKED, plan, Reason.DEPENDENCY_NOT_READY, why, seen, SOON)
        if around := self._changing_around(key):
            return _waiting(concluded(subject, Verdict.WORK, plan, seen=seen), around)
        if seen.hindered:
            return concluded(subject, Verdict.STALLED, plan, seen.hindered.reason, seen.hindered.message, seen)
        if vain := self._vain(subject, plan, seen, view):
            return vain
        if not subject.edited and seen.health.ended and self._patience.ends_again(key):
            return concluded(subject, Verdict.STALLED, plan, Reason.CRASH_LOOP, _left_alone(seen), seen)
        if not subject.edited and (pause := self._patience.pause(key)):
            return concluded(subject, Verdict.RETRY, plan, Reason.CONTESTED, _contested(_fields(plan)), seen, pause)
        return concluded(subject, Verdict.WORK, plan, seen=seen)

    def _vain(self, subject: Subject, plan: Plan, seen: Seen[Any], view: _View) -> Pass | None:
        """What was refused, or did not help, is not tried again until something is edited."""
        key = subject.key
        refusal = self._patience.refusal(key, subject.digest, plan, failed=subject.going_back)
        if refusal and key not in view.confirmed:
            return concluded(subject, Verdict.STALLED, plan, refusal.reason, refusal.message, seen)
        if why := self._patience.persists(key, subject.digest, plan):
            why = f"{why} ({seen.health.message})" if seen.health.message else why
            return concluded(subject, Verdict.STALLED, plan, Reason.DIFF_PERSISTS, why, seen)
        return None

    def _healthy(self, subject: Subject, seen: Seen[Any], plan: Plan) -> Pass:
        """A thing that is as declared; whether it also works, and whether all is well around it."""
        health = seen.health
        if not health.ready:
            waiting = Verdict.AWAITING if health.awaits else Verdict.WAITING
            verdict = Verdict.STALLED if health.stalled else waiting
            reason = Reason.PROGRESSING if health.reason == Reason.CONVERGED else health.reason
            return concluded(subject, verdict, plan, reason, health.message, seen, health.again)
        if left := self._patience.keeps_ending(subject.key):
            return concluded(subject, Verdict.WAITING, plan, Reason.CRASH_LOOP, _KEEPS_ENDING, seen, left)
        reason, message = health.reason, health.message
        if self._index.condition is not Condition.OK:
            reason, message = Reason.SOURCE_EMPTY, f"as last declared; {self._index.message}"
        elif problem := self._broken(subject):
            reason, message = Reason.SOURCE_INVALID, f"as last declared; the file can't be used now: {problem}"
        elif self._patience.contested(subject.key):
            reason, message = Reason.CONTESTED, _contested(self._patience.fought_over(subject.key))
        return concluded(subject, Verdict.READY, plan, reason, message, seen, health.again)

    def _broken(self, subject: Subject) -> Problem | None:
        broken = self._index.broken()
        if not broken or subject.entry is None:
            return None
        return next(iter(broken.get(subject.entry.declared.origin.file, ())), None)

    def waits_for(self, key: Key) -> Key | None:
        """A dependency of `key` that is not Ready, if there is one."""
        return next((each for each in sorted(self._index.dependencies(key)) if not self._is_ready(each)), None)

    def _is_ready(self, key: Key) -> bool:
        entry = self._index.find(key)
        return entry is not None and self._board.ready(key, entry.generation)

    def _updated_first(self, subject: Subject, view: _View) -> Key | None:
        """A dependency that the same update concerns, and that nobody has begun to update: an edit would show in its status."""
        agent, others = subject.agent, []
        for key in sorted(self._index.dependencies(subject.key)):
            entry = self._index.find(key) if key.kind == subject.key.kind else None
            if entry and key not in view.suspended and entry.resource.spec.driftPolicy is DriftPolicy.CORRECT:
                others.append(entry.resource)
        found = observe(agent, others, self._context) if others else {}
        for other in others:
            seen, record = found[other.key], self._stores.inventory.find(other.key)
            if isinstance(seen, Seen) and agent.diff(other, applied(record), seen.value).updates:
                return other.key
        return None

    def deletion_waits_for(self, key: Key) -> Key | None:
        """Something that needs `key` and is to be deleted before it, if there is any left."""
        needing = self._needing.get(key, ())
        return min((other for other in needing if self._stores.inventory.find(other)), default=None)

    def mistake(self, key: Key, message: str) -> Pass:
        """What is said of a key when a pass over it failed by a mistake of ours."""
        return _about(ended(key, Verdict.RETRY, Reason.AGENT_ERROR, message), self._index.find(key))

    def _step(self, subject: Subject, plan: Plan, seen: Seen[Any]) -> Step[Any, Any]:
        entry, record = subject.entry, subject.record
        generation, digest = (entry.generation, entry.digest) if entry else (record.generation if record else 0, "")
        mark = Mark(subject.key, self._identity.installation, generation, digest)
        desired = entry.resource if entry else None
        return Step(plan, desired, subject.last, seen, mark, record.kept if record else "")

    # -- changing ----------------------------------------------------------------------------------------------

    def carry_out(self, passes: Sequence[Pass], ctx: Context) -> list[Pass]:
        """Carries out the steps of one agent's `passes` and looks again. One pass for each key comes back.

        A step that waited for its turn while the desired state changed is not carried out: its key is looked at again.
        Nor is one whose neighbour is being changed just now: a network that is made anew disconnects its containers.
        With a brake on, none is.
        """
        braked = self._brake() is not None
        overtaken = [each for each in passes if braked or self._overtaken(subject_of(each))]
        current = [each for each in passes if each not in overtaken]
        with self._lock:
            around = {each.key: found for each in current if (found := self._changing_around(each.key))}
            current = [each for each in current if each.key not in around]
            self._changing.update(each.key for each in current)
        try:
            done = self._carry_out(current, ctx) if current else []
        finally:
            with self._lock:
                self._changing.difference_update(each.key for each in current)
        waiting = [_waiting(each, around[each.key]) for each in passes if each.key in around]
        return [*done, *waiting, *(replace(each, verdict=Verdict.AGAIN, step=None) for each in overtaken)]

    def _suspended(self) -> frozenset[Key]:
        """What the user has suspended, and what that stands for."""
        return self._index.with_children(self._stores.overrides.suspended())

    def _brake(self) -> Brake | None:
        """The gravest brake that is on."""
        return next(iter(self._stores.brakes.all()), None)

    def changing(self) -> frozenset[Key]:
        """What is being changed just now."""
        with self._lock:
            return frozenset(self._changing)

    @contextmanager
    def changing_by_hand(self, key: Key) -> Iterator[None]:
        """While the body runs, it counts as being changed: its neighbours wait."""
        with self._lock:
            self._changing.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._changing.discard(key)

    def _changing_around(self, key: Key) -> set[Key]:
        """What it depends on, or depends on it, and is being changed just now."""
        return {*self._index.dependencies(key), *self._index.dependents(key)} & self._changing

    def _overtaken(self, subject: Subject) -> bool:
        if subject.key in self._suspended():
            return True
        entry = self._index.find(subject.key)
        if subject.entry is None:
            return entry is not None or subject.key not in self._pruning.deletes
        return entry is None or subject.declared is None or entry.digest != subject.declared.digest

    def _carry_out(self, passes: Sequence[Pass], ctx: Context) -> list[Pass]:
        agent = subject_of(passes[0]).agent
        for each in passes:
            self._give_up_half_moved(subject_of(each))
        passes = self._trials.updating(passes)
        self._chronicle.starting(passes)
        self._ledger.intend(passes)
        subjects = {each.key: subject_of(each) for each in passes}
        stopping = ctx.overtaken
        ctx = replace(ctx, overtaken=lambda key: stopping(key) or self._overtaken(subjects[key]))
        outcomes = apply(agent, [each.step for each in passes if each.step], ctx)
        self._ledger.confirm(passes, outcomes)
        again = [each for each in passes if isinstance(outcomes[each.key], Done) and subject_of(each).entry]
        seen = observe(agent, [subject_of(each).resource for each in again], ctx) if again else {}
        after = [self._after(each, outcomes[each.key], seen.get(each.key)) for each in passes]
        return [told(each) for each in self._trials.judge(after, looked=False)]

    def _after(self, each: Pass, outcome: Outcome, seen: Seen[Any] | Failure | None) -> Pass:
        """What the second look says of a step that was carried out."""
        subject, key = subject_of(each), each.key
        match outcome:
            case Stalled():
                refusal = Refusal(outcome.reason, outcome.message)
                self._patience.refused(key, subject.digest, each.plan, refusal)
                return _failed(subject, outcome, each.plan)
            case Retry():
                return _failed(subject, outcome, each.plan)
            case Started():
                return concluded(subject, Verdict.WAITING, each.plan, Reason.PROGRESSING, outcome.message, each.seen)
            case Done():
                pass
            case _:
                assert_never(outcome)
        if subject.entry is None:
            gone = concluded(subject, Verdict.GONE, each.plan)
            return replace(gone, carried_out=Action.DELETE, done=each.plan, told=outcome.message)
        if isinstance(seen, Seen):
            after = self._second_look(each, subject, seen)
        else:
            after = _failed(
                subject, seen or Retry(Reason.AGENT_ERROR, f"cannot see {key.short} after changing it"), each.plan
            )
        return replace(after, carried_out=each.plan.action, done=each.plan, told=outcome.message)

    def _second_look(self, each: Pass, subject: Subject, seen: Seen[Any]) -> Pass:
        plan = subject.agent.diff(subject.resource, subject.resource, seen.value)
        if plan.empty:
            if self._patience.differed(each.key, subject.digest):
                return concluded(subject, Verdict.WAITING, each.plan, Reason.PROGRESSING, _NOT_SURE, seen, STEADY)
            self._patience.settled(each.key)
            if subject.edited:
                self._patience.begun_anew(each.key)
            else:
                self._patience.healed(each.key, each.plan, ended=bool(each.seen and each.seen.health.ended))
            return self._healthy(subject, seen, each.plan)
        self._patience.differs(each.key, subject.digest, plan)
        why = f"still differs after it was applied: {_fields(plan)}"
        if seen.health.message:
            why += f" ({seen.health.message})"
        return concluded(subject, Verdict.RETRY, plan, Reason.APPLY_FAILED, why, seen)


@dataclass(frozen=True, slots=True)
class _View:
    """What the user said, read once for a batch."""

    suspended: frozenset[Key]
    confirmed: frozenset[Key]
    brake: Brake | None
    preview: bool


def _failed(subject: Subject, failure: Failure, plan: Plan | None = None) -> Pass:
    if isinstance(failure, Stalled):
        return concluded(subject, Verdict.STALLED, plan, failure.reason, failure.message)
    return concluded(subject, Verdict.RETRY, plan, failure.reason, failure.message, after=failure.after)


def _withheld(subject: Subject, verdict: Verdict, plan: Plan, brake: Brake, seen: Seen[Any]) -> Pass:
    """There is something to do, and a brake is on."""
    return concluded(subject, verdict, plan, brake.reason, withheld(brake), seen)


def _waiting(each: Pass, around: Collection[Key]) -> Pass:
    why = f"waits until {min(around).short} is changed"
    blocked = replace(each, verdict=Verdict.BLOCKED, reason=Reason.DEPENDENCY_NOT_READY, message=why, step=None)
    return replace(blocked, after=SOON)


def _is_over(each: Pass) -> bool:
    """Whether a change of it was interrupted, and turned out to need nothing any more."""
    record = each.subject.record if each.subject else None
    done = each.verdict in (Verdict.READY, Verdict.WAITING, Verdict.GONE)
    return done and record is not None and record.intent is not None


def _about(each: Pass, entry: Entry | None) -> Pass:
    return replace(each, generation=entry.generation, digest=entry.digest) if entry else each


def _holds_data(subject: Subject) -> bool:
    return type(subject.resource).about.holds_data


def _loses_data(subject: Subject, plan: Plan) -> bool:
    """Whether carrying out `plan` replaces what holds data; an adoption may have to, too, and its agent says so."""
    return plan.loses_data or (plan.action is Action.REPLACE and _holds_data(subject))


def _equal_unmarkable(subject: Subject, seen: Seen[Any]) -> bool:
    """Whether what can't carry a mark is as declared, whatever was applied last (at another path, perhaps)."""
    agent = subject.agent
    return not agent.marks and bool(agent.diff(subject.resource, None, seen.value).empty)


def _plan(subject: Subject, seen: Seen[Any]) -> Plan:
    """The agent's plan. Where the spec is the one applied last and yet was edited, it was by way of a file it refers to."""
    plan = subject.agent.diff(subject.resource, subject.last, seen.value)
    if plan.empty or not subject.edited or subject.last is None or subject.last.spec != subject.resource.spec:
        return plan
    edited = (replace(change, why=Why.EDITED) if change.why is Why.DRIFTED else change for change in plan.changes)
    return replace(plan, changes=tuple(edited))


def _not_owned(subject: Subject, whose: str) -> str:
    claim = next(iter(subject.resource.claims()), "what is there")
    owner = subject.entry.owner if subject.entry else None  # what stands for it has the spec that people write
    return (
        f"cannot take over {claim}, which belongs to {whose}: "
        f"set 'adopt: true' in the spec of {(owner or subject.key).short}, or choose another"
    )


def _immutable(key: Key, plan: Plan) -> str:
    return (
        f"cannot change {_fields(plan)} without replacing {key.short}, which loses its data: "
        f"'p2 confirm {key.short}' does so, or put the old value back"
    )


def _left_alone(seen: Seen[Any]) -> str:
    why = seen.health.message.partition("; ")[0]
    return f"{why}, once more, {ENDS} times soon after it was started; it is left alone until it is edited or restarted"


def _contested(what: str) -> str:
    return f"somebody keeps changing {what} back; healing goes on, at longer intervals"


def _fields(plan: Plan) -> str:
    return ", ".join(change.path for change in plan.changes) or f"whether it is there ({plan.action})"
