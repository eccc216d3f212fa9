"""Bookkeeping in the inventory: intent before the first change, confirmation after it, corrections after a look.

The reconciler writes through it, in this order; a crash between any two lines is repaired by the next pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from controller.engine.agent import Done, Outcome
from controller.engine.index import Entry
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Verdict, subject_of
from controller.engine.stores import Record
from resources.meta import DeletionPolicy, Key
from resources.plan import Action


class Ledger:
    """Thread-safe as the reconciler is: each key is written by one thread at a time."""

    def __init__(self, parts: Parts) -> None:
        self._index = parts.index
        self._inventory = parts.stores.inventory
        self._overrides = parts.stores.overrides
        self._source = parts.identity.source

    def intend(self, passes: Sequence[Pass]) -> None:
        """Write-ahead: what is about to be done, before the first change."""
        self._inventory.intend([self._intended(each) for each in passes])

    def _intended(self, each: Pass) -> Record:
        subject, action, record = subject_of(each), each.plan.action, self._inventory.find(each.key)
        if record and (record.digest or subject.entry is None):
            return replace(record, intent=action)
        assert subject.entry is not None
        is_adoption = action is Action.ADOPT
        known = each.seen if is_adoption else subject.record
        # Whatever was intended and never confirmed: what is being made now may be another thing.
        new = self._record(subject.entry, known.handle if known else "", record)
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
            record = self._record(subject.entry, outcome.handle, subject.record)
            adopted = each.plan.action is Action.ADOPT or (record.adopted and each.plan.action is not Action.REPLACE)
            kept = record.kept if outcome.kept is None else outcome.kept
            confirmed.append(replace(record, adopted=adopted, kept=kept))
        if confirmed:
            self._inventory.confirm(confirmed)
        if gone:
            self._inventory.forget(gone)
        self._overrides.use([each.key for each in passes if isinstance(outcomes[each.key], Done)])

    def lapse(self, passes: Iterable[Pass]) -> None:
        """Forgets confirmations of what is as declared: kept, they would let through some later accident."""
        if confirmed := self._overrides.confirmed():
            self._overrides.use(
                [each.key for each in passes if each.verdict is Verdict.READY and each.key in confirmed]
            )

    def keep(self, passes: Sequence[Pass]) -> None:
        """Brings the inventory up to date with what was looked at."""
        gone = [each.key for each in passes if each.verdict is Verdict.GONE]
        changed = [record for each in passes for record in self._changed_record(each)]
        if changed:
            self._inventory.confirm(changed)
        if gone:
            self._inventory.forget(gone)

    def _changed_record(self, each: Pass) -> Iterator[Record]:
        """The record that this pass makes necessary, if any. Protection is written down even where work waits or fails."""
        entry, before = self._index.find(each.key), self._inventory.find(each.key)
        if entry is None:
            return
        if each.verdict in (Verdict.READY, Verdict.WAITING) and each.seen:
            if self._outdated(before, entry, each.seen.handle):
                yield self._record(entry, each.seen.handle, before)
        elif before and before.source == self._source:
            retain = entry.resource.spec.deletionPolicy is DeletionPolicy.RETAIN
            record = replace(before, retain=retain, file=entry.declared.origin.file)
            if record != before:
                yield record

    def _outdated(self, record: Record | None, entry: Entry, handle: str) -> bool:
        return (
            record is None
            or (record.digest, record.handle, record.file) != (entry.digest, handle, entry.declared.origin.file)
            or record.intent is not None
            or record.source != self._source
        )

    def _record(self, entry: Entry, handle: str, before: Record | None) -> Record:
        resource = entry.resource
        return Record(
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
