"""Edits on trial: the rules of what the inventory remembers of them. Pure; `ledger.py` and `trying.py` apply them.

An edit is on trial from its first attempt until the thing has been Ready for a while: then it is what is good. One that
does not become Ready within the kind's deadline is given up, and what was good before is in force until the next edit.
What no edit brings (a newer image under the same tag) is on trial as well; its agent knows what there was before.
"""

from __future__ import annotations

from dataclasses import replace

from controller.engine.diff import changed_fields
from controller.engine.index import Entry
from controller.engine.passes import Subject
from controller.engine.stores import Record
from resources.meta import COMMON_FIELDS, Resource, Spec
from resources.plan import Change

# Seconds that a thing must have been Ready without interruption before its spec counts as good: one that crashes soon after
# its start is no better than one that does not start.
SETTLING = 10.0
NAMED = 6  # fields of an edit that are named


def settling(within: float) -> float:
    """Seconds of being Ready after which an edit has passed; whoever sets a short deadline wants a quick verdict, too."""
    return min(SETTLING, within)


def begun(record: Record, subject: Subject, now: float) -> Record:
    """`record` before the first attempt at what `subject` wants. `now`: seconds since the epoch."""
    if subject.edit is not None or not subject.edited or subject.resource.ready_within() is None:
        return record
    return _tried(replace(record, given_up="", given_up_why=""), subject.digest, now, again=False)


def updating(record: Record, now: float) -> Record:
    """`record` where what is good already is made anew of something newer: on trial it is once more.

    So of what is on trial and good at a time it is not the spec that can be taken back, but what it was made of.
    """
    return replace(record, tried=record.digest, tried_at=now) if record.digest == record.good_digest else record


def is_update(record: Record) -> bool:
    """Whether what is on trial is no edit."""
    return bool(record.tried) and record.tried == record.good_digest


def taken_up(record: Record, before: Record | None, subject: Subject, now: float) -> Record:
    """`record`, made of what `subject` wants and just applied, with what is remembered from `before`.

    The deadline counts from here: to pull an image, say, may take longer than to become Ready.
    """
    if before is not None:
        record = replace(record, good=before.good, good_digest=before.good_digest)
        if subject.edit is not None:
            return replace(record, given_up=before.given_up, given_up_why=before.given_up_why)
        record = replace(record, tried=before.tried, tried_at=before.tried_at)
    if subject.resource.ready_within() is None:
        return replace(record, tried="", tried_at=0.0)
    first = before is None or before.digest != subject.digest
    return _tried(record, subject.digest, now, again=True) if first else record


def _tried(record: Record, digest: str, now: float, *, again: bool) -> Record:
    if digest == record.good_digest:
        return replace(record, tried="", tried_at=0.0)
    return record if digest == record.tried and not again else replace(record, tried=digest, tried_at=now)


def proven(record: Record) -> Record:
    """What was applied last is good."""
    return replace(record, good=record.applied, good_digest=record.digest, tried="", tried_at=0.0)


def given_up(record: Record, entry: Entry, why: str) -> Record:
    """What `entry` declares is not tried any more; the record counts its generation all the same."""
    without = replace(record, tried="", tried_at=0.0)
    return replace(without, given_up=entry.digest, given_up_why=why, generation=entry.generation)


def stand_in(entry: Entry, good: Resource, digest: str) -> Entry:
    """`entry` with the good resource in place of its own. What all kinds have in common is as declared: a protection, say."""
    resource = good.model_copy(update={"spec": _mixed(good.spec, entry.resource.spec)})
    return replace(entry, declared=replace(entry.declared, resource=resource, digest=digest))


def _mixed(good: Spec, declared: Spec) -> Spec:
    values = {name: getattr(declared if name in COMMON_FIELDS else good, name) for name in type(good).model_fields}
    written = (good.model_fields_set - COMMON_FIELDS) | (declared.model_fields_set & COMMON_FIELDS)
    return type(good).model_construct(_fields_set=written, **values)


def edited_fields(declared: Resource, good: Resource) -> tuple[Change, ...]:
    """What an edit changed in the spec; nothing where it was the content of a file that the spec refers to."""
    return changed_fields(declared.spec, good.spec, good.spec)
