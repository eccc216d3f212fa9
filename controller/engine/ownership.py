"""Whose a thing in the world is. Pure; the reconciler asks before it plans.

What we did not create is not ours: a name that is taken is left alone until the user says `adopt: true`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from controller.engine.agent import Seen
from controller.engine.passes import Subject


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
    """By the mark on the thing where it carries one, else by the inventory."""
    if seen.value is None:
        return Belonging(Owner.NOBODY)
    if mark := seen.mark:
        if mark.installation != installation:
            return Belonging(Owner.STRANGER, f"another Pegasus2 (installation {mark.installation})")
        if mark.key != subject.key:
            return Belonging(Owner.OTHER_KEY, mark.key.short)
        return Belonging(Owner.OURS)
    if subject.record and subject.agent.same_owner(subject.record.handle, seen):
        return Belonging(Owner.OURS)
    return Belonging(Owner.STRANGER, "something that Pegasus2 did not create")
