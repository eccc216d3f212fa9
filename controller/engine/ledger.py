"""Bookkeeping in the inventory: intent before the first change, confirmation after it, corrections after a look.

The reconciler writes through it, in this order; a crash between any two lines is repaired by the next pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from controller.engine.agent import Done, Outcome
from controller.engine.index import Entry
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Subject, Verdict, subject_of
from controller.engine.revision import Condition
from controller.engine.stores import Record
from controller.engine.trial import begun, is_update, taken_up, updating
from controller.engine.witness import Witness
from resources.kinds import model_of
from resources.meta import DeletionPolicy, Key, Resource
from resources.plan import Action


def applied(record: Record | None) -> Resource | None:
    """The resource as it was applied last. None before that, and for one that the models no longer accept."""
    if record is None or not record.digest:
        return None
    return recorded(record)


def recorded(record: Record) -> Resource | None:
    """The resource in a record, applied or only intended. None for one that the models no longer accept."""
    return _resource(record.key, record.applied)


def being_made(record: Record | None) -> Resource | None:
    """What an interrupted replacement or adoption was putting in another place than the last applied resource has."""
    if record is None or not record.intended or record.intent not in (Action.REPLACE, Action.ADOPT):
        return None
    return _resource(record.key, record.intended)


def _resource(key: Key, text: str) -> Resource | None:
    model = model_of(key.kind)
    try:
        return model.model_validate_json(text) if model else None
    except ValueError:
        return None


_AS_DECLARED = (Verdict.READY, Verdict.WAITING, Verdict.AWAITING)


class Ledger:
    """Thread-safe as the reconciler is: each key is written by one thread at a time."""

    def __init__(self, parts: Parts) -> None:
        self._index = parts.index
        self._inventory = parts.stores.inventory
        self._overrides = parts.stores.overrides
        self._source = parts.identity.source
        self._together = parts.stores.together
        self._witness = Witness(parts)
        self._clock = parts.clock

    def intend(self, passes: Sequence[Pass]) -> None:
        """Write-ahead: what is about to be done, before the first change."""
        with self._together():
            self._inventory.intend([self._intended(each) for each in passes])
            self._witness.begun(passes)

    def _intended(self, each: Pass) -> Record:
        subject, action, record = subject_of(each), each.plan.action, self._inventory.find(each.key)
        if record and (record.digest or subject.entry is None):
            moves = action in (Action.REPLACE, Action.ADOPT) and not subject.agent.marks
            intended = subject.resource.model_dump_json(exclude_unset=True) if moves else ""
            # By the handle that an interrupted creation or replacement was recognised by.
            handle = subject.record.handle if subject.record else record.handle
            intent = replace(record, intent=action, intended=intended, handle=handle)
            if each.plan.updates and not is_update(record):
                return updating(intent, self._clock.wall())
            return begun(intent, subject, self._clock.wall())
        assert subject.entry is not None
        is_adoption = action is Action.ADOPT
        known = each.seen if is_adoption else subject.record
        # Whatever was intended and never confirmed: what is being made now may be another thing.
        new = self._record(subject, known.handle if known else "", record)
        return replace(new, digest="", intent=action, adopted=new.adopted or is_adoption)

    def confirm(self, passes: Sequence[Pass], outcomes: Mapping[Key, Outcome]) -> None:
        """What was done, and what thereby is ours no more. A user's confirmation that served is used up."""
        confirmed, gone = [], []
        for each in passes:
            outcome, subject = outcomes[each.key], subject_of(each)
            if not isinstance(outcome, Done):
                continue
            if subject.entry is None:
                gone.append(each.key)
                continue
            record = self._record(subject, outcome.handle, subject.record)
            if each.plan.updates:
                record = updating(record, self._clock.wall())
            adopted = each.plan.action is Action.ADOPT or (record.adopted and each.plan.action is not Action.REPLACE)
            kept = record.kept if outcome.kept is None else outcome.kept
            confirmed.append(replace(record, adopted=adopted, kept=kept))
        with self._together():
            if confirmed:
                self._inventory.confirm(confirmed)
            if gone:
                self._inventory.forget(gone)
            self._overrides.use([each.key for each in passes if isinstance(outcomes[each.key], Done)])
            self._witness.ended({each.key: outcomes[each.key] for each in passes})

    def keep(self, passes: Sequence[Pass]) -> None:
        """Brings the inventory up to date with what was looked at."""
        gone = [each.key for each in passes if each.verdict is Verdict.GONE]
        changed = [record for each in passes for record in self._changed_record(each)]
        taken_over = [r.key for r in changed if (old := self._inventory.find(r.key)) and old.source != r.source]
        if not (changed or gone):
            return
        with self._together():
            self._inventory.confirm(changed)
            self._overrides.use(taken_over)
            self._inventory.forget(gone)

    def lapse(self, passes: Iterable[Pass]) -> None:
        """Forgets confirmations of what is as declared: kept, they would let through some later accident.

        Not at every look: a confirmation may be of what the controller has yet to notice, or will act on when it is quiet.
        """
        if self._index.condition is not Condition.OK:
            return  # what was confirmed may be about to go, and is as last declared until then
        if confirmed := self._overrides.confirmed():
            self._overrides.use(
                [each.key for each in passes if each.verdict is Verdict.READY and each.key in confirmed]
            )

    def _changed_record(self, each: Pass) -> Iterator[Record]:
        """The record that this pass makes necessary, if any. Protection is written down even where work waits or fails."""
        before, entry = self._inventory.find(each.key), self._index.find(each.key)
        looked_at = each.subject.entry if each.subject else None  # an edit may have come since
        if each.subject and looked_at and each.seen and each.verdict in _AS_DECLARED:
            if self._outdated(before, looked_at, each.seen.handle):
                yield self._record(each.subject, each.seen.handle, before)
        elif entry and before and before.source == self._source:
            retain = entry.resource.spec.deletionPolicy is DeletionPolicy.RETAIN
            file = entry.declared.origin.file
            record = replace(before, retain=retain, file=file, owner=entry.owner, recovered=False)
            if record != before:
                yield record

    def _outdated(self, record: Record | None, entry: Entry, handle: str) -> bool:
        return (
            record is None
            or (record.digest, record.handle) != (entry.digest, handle)
            or (record.generation, record.file, record.owner)
            != (entry.generation, entry.declared.origin.file, entry.owner)
            or record.intent is not None
            or record.recovered
            or record.source != self._source
        )

    def _record(self, subject: Subject, handle: str, before: Record | None) -> Record:
        entry = subject.entry
        assert entry is not None
        resource = entry.resource
        record = Record(
            key=entry.declared.key,
            source=self._source,
            generation=entry.generation,
            digest=entry.digest,
            handle=handle,
            applied=resource.model_dump_json(exclude_unset=True),
            file=entry.declared.origin.file,
            dependencies=self._index.dependencies(entry.declared.key),
            owner=entry.owner,
            retain=resource.spec.deletionPolicy is DeletionPolicy.RETAIN,
            adopted=before.adopted if before else False,
            kept=before.kept if before else "",
        )
        return taken_up(record, before, subject, self._clock.wall())
