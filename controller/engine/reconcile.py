"""One pass over one batch of keys: guards, observe, plan, then apply and look again. The manager and the preview call it.

`look` changes nothing: it ends with passes, some of them with a step to carry out. `carry_out` takes those steps of one
agent, writes down the intent, applies, confirms, and looks again. Everything that is remembered of a key between passes is
in the stores, apart from the counters of `Patience`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from controller.engine.agent import Agent, Context, Done, Failure, Mark, Outcome, Retry, Seen, Stalled, Started, Step
from controller.engine.asking import apply, observe
from controller.engine.index import Entry
from controller.engine.ledger import Ledger
from controller.engine.ownership import Owner, belonging
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Subject, Verdict, ended, subject_of
from controller.engine.patience import Patience
from controller.engine.prune import Pruning
from controller.engine.stores import Record
from resources.conditions import Reason
from resources.kinds import model_of
from resources.meta import DriftPolicy, Key, Resource
from resources.plan import Action, Disruption, Plan

# Seconds until a thing that carries another of our keys, which is about to be deleted, is looked at again.
NAME_FREED = 0.5


class Reconciler:
    """Thread-safe: every method works on the keys it is given, and no key is given to two threads at once."""

    def __init__(self, parts: Parts) -> None:
        self._index = parts.index
        self._agent_of = parts.agent_of
        self._stores = parts.stores
        self._board = parts.board
        self._identity = parts.identity
        self._ledger = Ledger(parts)
        self._patience = Patience(parts.clock)
        self._pruning = Pruning(frozenset(), ())
        self._needing: Mapping[Key, set[Key]] = {}

    def prune(self, pruning: Pruning) -> None:
        """Says which keys that have left the desired state may be deleted, and which are held."""
        needing: dict[Key, set[Key]] = {}
        for key in pruning.deletes:
            record = self._stores.inventory.find(key)
            for dependency in record.dependencies if record else ():
                needing.setdefault(dependency, set()).add(key)
        self._pruning, self._needing = pruning, needing

    def keep(self, passes: Sequence[Pass]) -> None:
        """Brings the inventory up to date with a preview's passes, which wrote nothing."""
        self._ledger.keep(passes)

    # -- looking -----------------------------------------------------------------------------------------------

    def look(self, keys: Iterable[Key], ctx: Context, *, preview: bool = False) -> list[Pass]:
        """Observes and plans; one pass for each key. With `preview`, dependencies hold nothing back, nothing is written."""
        overrides = self._stores.overrides
        view = _View(overrides.suspended(), overrides.confirmed(), preview)
        passes: list[Pass] = []
        subjects: dict[str, list[Subject]] = {}
        for key in keys:
            subject = self._subject(key)
            if isinstance(subject, Pass):
                passes.append(subject)
            else:
                subjects.setdefault(key.kind, []).append(subject)
        for of_kind in subjects.values():
            seen = observe(of_kind[0].agent, [subject.resource for subject in of_kind], ctx)
            passes.extend(self._judge(subject, seen[subject.key], view) for subject in of_kind)
        if not preview:
            self._ledger.keep(passes)
        return passes

    def _subject(self, key: Key) -> Subject | Pass:
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
            return self._leaving(key, record, agent)
        if conflict := self._index.conflict(key):
            return _about(ended(key, Verdict.STALLED, conflict.reason, conflict.message), entry)
        if record and record.source != self._identity.source and (refused := self._other_source(entry, record)):
            return refused
        last = entry.resource if record and record.digest == entry.digest else _last_applied(record)
        return Subject(key, entry, record, agent, entry.resource, last)

    def _leaving(self, key: Key, record: Record | None, agent: Agent[Any, Any]) -> Subject | Pass:
        assert record is not None
        if key not in self._pruning.deletes:
            hold = next((hold for hold in self._pruning.holds if key in hold.keys), None)
            reason, message = (hold.reason, hold.message) if hold else (Reason.SUSPENDED, "not in the desired state")
            return ended(key, Verdict.HELD, reason, message)
        if waiting_for := [other for other in self._needing.get(key, ()) if self._stores.inventory.find(other)]:
            return ended(key, Verdict.BLOCKED, Reason.DELETING, f"waits until {min(waiting_for).short} is deleted")
        resource = _model(key.kind).model_validate_json(record.applied)
        return Subject(key, None, record, agent, resource, resource)

    def _other_source(self, entry: Entry, record: Record) -> Pass | None:
        """A key that another source owns is taken over when that source is no more, after one confirmation."""
        key, theirs, ours = entry.declared.key, record.source, self._identity.source
        if self._identity.source_exists(theirs):
            message = f"cannot own {key.short} from two sources: {theirs} and {ours} declare it; remove it from one"
            return _about(ended(key, Verdict.STALLED, Reason.DUPLICATE, message), entry)
        if key in self._stores.overrides.confirmed():
            return None
        message = (
            f"cannot tell whether {theirs}, which declared {key.short}, has moved to {ours}: 'p2 confirm' takes it over"
        )
        return _about(ended(key, Verdict.STALLED, Reason.SOURCE_MOVED, message), entry)

    # -- judging -----------------------------------------------------------------------------------------------

    def _judge(self, subject: Subject, seen: Seen[Any] | Failure, view: _View) -> Pass:
        if isinstance(seen, Retry | Stalled):
            return self._found(subject, _failed(subject.key, seen), None)
        if subject.entry is None:
            return self._found(subject, self._judge_deletion(subject, seen), seen)
        return self._found(subject, self._judge_desired(subject, seen, view), seen)

    def _judge_deletion(self, subject: Subject, seen: Seen[Any]) -> Pass:
        owner = belonging(subject, seen, self._identity.installation).owner
        if owner is not Owner.OURS:  # already gone, or somebody else has the name now
            return ended(subject.key, Verdict.GONE)
        plan = Plan(subject.key, Action.DELETE, disruption=Disruption.DELETE, loses_data=_holds_data(subject))
        return Pass(subject.key, Verdict.WORK, plan)

    def _judge_desired(self, subject: Subject, seen: Seen[Any], view: _View) -> Pass:
        key, spec = subject.key, subject.resource.spec
        where = belonging(subject, seen, self._identity.installation)
        if where.owner is Owner.OTHER_KEY and Key.parse(where.whose) in self._pruning.deletes:
            return ended(
                key, Verdict.BLOCKED, Reason.DELETING, f"waits until {where.whose} is deleted", after=NAME_FREED
            )
        plan = subject.agent.diff(subject.resource, subject.last, seen.value)
        if where.owner in (Owner.STRANGER, Owner.OTHER_KEY):
            equal_unmarkable = plan.empty and not subject.agent.marks and where.owner is Owner.STRANGER
            if not spec.adopt and not equal_unmarkable:
                return replace(
                    ended(key, Verdict.STALLED, Reason.NOT_OWNED, _not_owned(key, where.whose)),
                    plan=Plan(key, Action.NONE),
                )
            plan = replace(plan, action=Action.ADOPT)
        if key in view.suspended or spec.suspend:
            return Pass(
                key, Verdict.SUSPENDED, plan, Reason.SUSPENDED, "suspended: differences are shown, not corrected"
            )
        if plan.empty:
            return self._healthy(subject, seen, plan)
        return self._work(subject, plan, view)

    def _work(self, subject: Subject, plan: Plan, view: _View) -> Pass:
        """The guards before changing anything: data, policy, dependencies, and patience with what does not help."""
        key, spec, entry = subject.key, subject.resource.spec, subject.entry
        assert entry is not None
        if plan.action is Action.REPLACE and _holds_data(subject, plan) and key not in view.confirmed:
            fields = ", ".join(change.path for change in plan.changes)
            message = (
                f"cannot change {fields} without replacing {key.short}, which loses its data: 'p2 confirm {key.short}'"
            )
            return Pass(key, Verdict.STALLED, plan, Reason.IMMUTABLE, f"{message} does so, or put the old value back")
        if not subject.edited and spec.driftPolicy is DriftPolicy.REPORT:
            fields = ", ".join(change.path for change in plan.changes) or plan.action
            return Pass(key, Verdict.REPORTED, plan, Reason.DRIFTED, f"differs in {fields}; driftPolicy is Report")
        if view.preview:
            return Pass(key, Verdict.WORK, plan)
        if subject.edited and (waiting_for := self.waits_for(key)):
            return Pass(
                key, Verdict.BLOCKED, plan, Reason.DEPENDENCY_NOT_READY, f"waits for {waiting_for.short} to be Ready"
            )
        if persists := self._patience.persists(key, entry.digest, plan):
            return Pass(key, Verdict.STALLED, plan, Reason.DIFF_PERSISTS, persists)
        if not subject.edited and (pause := self._patience.pause(key)):
            return Pass(key, Verdict.RETRY, plan, Reason.CONTESTED, _contested(plan), after=pause)
        return Pass(key, Verdict.WORK, plan)

    def _healthy(self, subject: Subject, seen: Seen[Any], plan: Plan) -> Pass:
        key, health = subject.key, seen.health
        if (
            health.ready
            and subject.entry
            and (problems := self._index.broken().get(subject.entry.declared.origin.file))
        ):
            message = f"as last declared; the file can't be used now: {problems[0]}"
            return Pass(key, Verdict.READY, plan, Reason.SOURCE_INVALID, message, after=health.again)
        if health.ready and self._patience.contested(key):
            return Pass(key, Verdict.READY, plan, Reason.CONTESTED, _contested(None), after=health.again)
        if health.ready:
            return Pass(key, Verdict.READY, plan, Reason.CONVERGED, health.message, after=health.again)
        verdict = Verdict.STALLED if health.stalled else Verdict.WAITING
        reason = Reason.PROGRESSING if health.reason == Reason.CONVERGED else health.reason
        return Pass(key, verdict, plan, reason, health.message, after=health.again)

    def waits_for(self, key: Key) -> Key | None:
        """A dependency of `key` that is not Ready, if there is one."""
        for dependency in sorted(self._index.dependencies(key)):
            theirs = self._index.find(dependency)
            if theirs is None or not self._board.ready(dependency, theirs.generation):
                return dependency
        return None

    def _found(self, subject: Subject, each: Pass, seen: Seen[Any] | None) -> Pass:
        """`each` with what the board and `carry_out` need to know."""
        if each.verdict is Verdict.WORK:
            assert seen is not None
            each = replace(each, step=self._step(subject, each.plan, seen))
        return replace(_about(each, subject.entry), seen=seen, subject=subject)

    def _step(self, subject: Subject, plan: Plan, seen: Seen[Any]) -> Step[Any, Any]:
        entry, record = subject.entry, subject.record
        generation, digest = (entry.generation, entry.digest) if entry else (record.generation if record else 0, "")
        mark = Mark(subject.key, self._identity.installation, generation, digest)
        desired = entry.resource if entry else None
        return Step(plan, desired, subject.last, seen, mark, record.kept if record else "")

    # -- changing ----------------------------------------------------------------------------------------------

    def carry_out(self, passes: Sequence[Pass], ctx: Context) -> list[Pass]:
        """Carries out the steps of one agent's `passes` and looks again. One pass for each key comes back."""
        agent = subject_of(passes[0]).agent
        self._ledger.intend(passes)
        outcomes = apply(agent, [each.step for each in passes if each.step], ctx)
        self._ledger.confirm(passes, outcomes)
        again = [each for each in passes if isinstance(outcomes[each.key], Done) and subject_of(each).entry]
        seen = observe(agent, [subject_of(each).resource for each in again], ctx) if again else {}
        return [self._after(each, outcomes[each.key], seen.get(each.key)) for each in passes]

    def _after(self, each: Pass, outcome: Outcome, seen: Seen[Any] | Failure | None) -> Pass:
        """What the second look says of a step that was carried out."""
        subject, key = subject_of(each), each.key
        match outcome:
            case Retry() | Stalled():
                return replace(
                    _failed(key, outcome),
                    generation=each.generation,
                    digest=each.digest,
                    subject=subject,
                    plan=each.plan,
                )
            case Started():
                waiting = Pass(key, Verdict.WAITING, each.plan, Reason.PROGRESSING, outcome.message)
                return replace(_about(waiting, subject.entry), subject=subject, seen=each.seen)
            case Done():
                pass
            case _:
                assert_never(outcome)
        if subject.entry is None:
            return replace(ended(key, Verdict.GONE), carried_out=Action.DELETE, plan=each.plan, subject=subject)
        if seen is None or isinstance(seen, Retry | Stalled):
            failure = seen or Retry(Reason.AGENT_ERROR, f"cannot see {key.short} after changing it")
            return replace(_about(_failed(key, failure), subject.entry), carried_out=each.plan.action, plan=each.plan)
        if not subject.edited:
            self._patience.healed(key)
        return self._second_look(each, subject, subject.entry, seen)

    def _second_look(self, each: Pass, subject: Subject, entry: Entry, seen: Seen[Any]) -> Pass:
        plan = subject.agent.diff(subject.resource, subject.resource, seen.value)
        if plan.empty:
            self._patience.settled(each.key)
            found = self._healthy(subject, seen, each.plan)
        else:
            self._patience.differs(each.key, entry.digest, plan)
            fields = ", ".join(change.path for change in plan.changes) or plan.action
            found = Pass(
                each.key, Verdict.RETRY, plan, Reason.APPLY_FAILED, f"still differs after it was applied: {fields}"
            )
        return replace(_about(found, entry), seen=seen, subject=subject, carried_out=each.plan.action)


@dataclass(frozen=True, slots=True)
class _View:
    """What the user said, read once for a batch."""

    suspended: frozenset[Key]
    confirmed: frozenset[Key]
    preview: bool


def _failed(key: Key, failure: Failure) -> Pass:
    if isinstance(failure, Stalled):
        return ended(key, Verdict.STALLED, failure.reason, failure.message)
    return ended(key, Verdict.RETRY, failure.reason, failure.message, failure.after)


def _about(each: Pass, entry: Entry | None) -> Pass:
    return replace(each, generation=entry.generation, digest=entry.digest) if entry else each


def _model(kind: str) -> type[Resource]:
    model = model_of(kind)
    assert model is not None  # its agent was found
    return model


def _last_applied(record: Record | None) -> Resource | None:
    if record is None or not record.digest:
        return None
    return _model(record.key.kind).model_validate_json(record.applied)


def _holds_data(subject: Subject, plan: Plan | None = None) -> bool:
    return type(subject.resource).about.holds_data or (plan is not None and plan.loses_data)


def _not_owned(key: Key, whose: str) -> str:
    return f"cannot take over what belongs to {whose}: set 'adopt: true' in the spec of {key.short}, or choose another name"


def _contested(plan: Plan | None) -> str:
    fields = ", ".join(change.path for change in plan.changes) if plan else ""
    return f"somebody keeps changing {fields or 'it'} back; healing goes on, at longer intervals"
