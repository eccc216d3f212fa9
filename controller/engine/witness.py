"""Sees what is done to the world and hands it to the audit: who asked, what, why, and how it ended. The ledger calls it.

Both calls happen within the transaction that keeps the intent or its confirmation, so that neither is ever without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from controller.engine.agent import Done, Outcome, Retry, Stalled, Started
from controller.engine.audit import AuditEntry, Ending
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Subject, subject_of
from controller.engine.requests import Cause, Request
from resources.meta import Key


class Witness:
    """Thread-safe as the ledger is: each key is worked by one thread at a time."""

    def __init__(self, parts: Parts) -> None:
        self._audit = parts.stores.audit
        self._requests = parts.requests
        self._clock = parts.clock
        self._begun: dict[Key, tuple[float, AuditEntry]] = {}

    def begun(self, passes: Sequence[Pass]) -> None:
        """Steps that are about to be carried out. A crash from here on is found by the next start. Raises NotKept."""
        now = self._clock.monotonic()
        entries = {each.key: self._entry(each) for each in passes}
        self._audit.begin({str(key): entry for key, entry in entries.items()})
        self._begun.update((key, (now, entry)) for key, entry in entries.items())

    def ended(self, outcomes: Mapping[Key, Outcome]) -> None:
        """How they ended. Raises NotKept."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        entries = {}
        for key, outcome in outcomes.items():
            if found := self._begun.get(key):
                begun, entry = found
                ended = replace(entry, at=wall, seconds=round(now - begun, 4))
                entries[str(key)] = _concluded(ended, outcome)
        self._audit.end(entries)
        for key in outcomes:
            self._begun.pop(key, None)

    def _entry(self, each: Pass) -> AuditEntry:
        subject, request = subject_of(each), self._requests.of(each.key)
        entry, record = subject.entry, subject.record
        return AuditEntry(
            at=self._clock.wall(),
            action=each.plan.action,
            key=each.key,
            user=request.user,
            command=request.command,
            cause=cause_of(request, subject),
            fields=tuple(change.path for change in each.plan.changes),
            generation=entry.generation if entry else (record.generation if record else 0),
            file=entry.declared.origin.file if entry else (record.file if record else ""),
        )


def cause_of(request: Request, subject: Subject) -> Cause:
    """Why a thing is changed: the command itself, an edit (also one that removed the resource), or drift."""
    if request.cause is not None:
        return request.cause
    return Cause.EDIT if subject.edited or subject.entry is None else Cause.DRIFT


def _concluded(entry: AuditEntry, outcome: Outcome) -> AuditEntry:
    match outcome:
        case Done():
            return replace(entry, outcome=Ending.DONE, message=outcome.message)
        case Started():
            return replace(entry, outcome=Ending.STARTED, message=outcome.message)
        case Retry() | Stalled():
            return replace(entry, outcome=Ending.FAILED, reason=outcome.reason, message=outcome.message)
        case _:
            assert_never(outcome)
