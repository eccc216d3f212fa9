"""Creations and moves that a crash has interrupted. The reconciler asks, after it has looked, whose such a thing is.

A mark on the thing says so itself. Where there can be none (files), the inventory knows what was being made, but not yet
the handle that it would get; so what is there now is ours if it is just that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.engine.agent import Context, Failure, Seen
from controller.engine.asking import observe
from controller.engine.ledger import being_made, recorded
from controller.engine.passes import Subject
from resources.meta import Key
from resources.plan import Action


def resumed(subjects: Sequence[Subject], seen: Mapping[Key, Seen[Any] | Failure], ctx: Context) -> list[Subject]:
    """`subjects` of one kind; one whose creation was interrupted after the thing was made has its handle now."""
    interrupted = {
        each.key: intended
        for each in subjects
        if each.record and _in_doubt(each, seen) and (intended := being_made(each.record) or recorded(each.record))
    }
    if not interrupted:
        return list(subjects)
    agent = subjects[0].agent
    made = observe(agent, list(interrupted.values()), ctx)

    def settled(each: Subject) -> Subject:
        intended, found = interrupted.get(each.key), made.get(each.key)
        if intended is None or each.record is None or not isinstance(found, Seen):
            return each
        if not agent.diff(intended, None, found.value).empty:
            return each
        if each.record.digest:  # a replacement: ours, if it is where the thing is wanted now
            theirs = seen[each.key]
            here = isinstance(theirs, Seen) and theirs.handle == found.handle
            return replace(each, record=replace(each.record, handle=found.handle)) if here else each
        return replace(each, record=replace(each.record, handle=found.handle), last=intended)

    return [settled(each) for each in subjects]


def _in_doubt(subject: Subject, seen: Mapping[Key, Seen[Any] | Failure]) -> bool:
    found, record = seen[subject.key], subject.record
    if record is None or subject.agent.marks or not isinstance(found, Seen):
        return False
    was_creating = record.intent is Action.CREATE and not record.digest
    return was_creating or (record.intent is Action.REPLACE and bool(record.intended) and subject.entry is not None)
