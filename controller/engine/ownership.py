"""Whose a thing in the world is. Pure; the reconciler asks before it plans.

What we did not create is not ours: a name that is taken is left alone until the user says `adopt: true`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from controller.engine.agent import Seen
from controller.engine.passes import Subject
from resources.plan import Action

# The marks of a home that was lost are those of another one.
_LOST = "if that is a home of yours that was lost, 'p2 recover --id {}' brings it back"


class Owner(Enum):
    NOBODY = auto()  # there is no such thing
    OURS = auto()
    OTHER_KEY = auto()  # ours, but of another resource
    STRANGER = auto()


@dataclass(frozen=True, slots=True)
class Belonging:
    owner: Owner
    whose: str = ""  # for people


def belonging(subject: Subject, seen: Seen[Any], installation: str) -> Belonging:
    """By the inventory where it knows this very thing as ours (adopted ones carry others' marks), else by the mark."""
    if seen.value is None:
        return Belonging(Owner.NOBODY)
    record = subject.record
    if record and record.digest and subject.agent.same_owner(record.handle, seen):
        return Belonging(Owner.OURS)
    if mark := seen.mark:
        if mark.installation != installation:
            theirs = mark.installation
            return Belonging(Owner.STRANGER, f"another Pegasus2 (installation {theirs}; {_LOST.format(theirs)})")
        if mark.key != subject.key:
            return Belonging(Owner.OTHER_KEY, mark.key.short)
        return Belonging(Owner.OURS)
    # A creation that was interrupted; not an adoption, of which nothing may have been put aside yet.
    if record and record.intent is not Action.ADOPT and subject.agent.same_owner(record.handle, seen):
        return Belonging(Owner.OURS)
    return Belonging(Owner.STRANGER, "something that Pegasus2 did not create")
