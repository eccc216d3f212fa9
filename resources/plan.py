"""What would change, and why: the answer of a diff, shown by `p2 diff` and executed by `p2 apply`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from resources.meta import Key


class Action(StrEnum):
    NONE = "none"
    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Why(StrEnum):
    """Where a difference comes from."""

    NEW = "new"  # the thing is not there, or was never applied
    EDITED = "edited"  # the spec says something else than the last applied one
    DROPPED = "dropped"  # the last applied spec had the field, this one has not
    DRIFTED = "drifted"  # the spec is as it was applied; the world has moved
    REMOVED = "removed"  # the resource has left the desired state


class Disruption(StrEnum):
    """What the user of the thing notices of an action."""

    NOTHING = "none"
    RESTART = "restart"
    RECREATE = "recreate"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One field. `path` is dotted, below `spec` (`env.TZ`, `healthcheck.interval`); values as in the spec, secrets hidden."""

    path: str
    observed: Any
    desired: Any
    why: Why


@dataclass(frozen=True, slots=True)
class Plan:
    """The action for one resource. `notes` are said to the user, such as what else the action touches."""

    key: Key
    action: Action
    changes: tuple[Change, ...] = ()
    disruption: Disruption = Disruption.NOTHING
    notes: tuple[str, ...] = field(default=())
    loses_data: bool = False  # a delete or replace that destroys what can't be made again
    updates: bool = (
        False  # it follows what no spec names, a tag that has come to name a newer image: on trial as an edit is
    )

    @property
    def empty(self) -> bool:
        return self.action is Action.NONE

    @property
    def drift_only(self) -> bool:
        """Whether every change was made by the world, none by an edit."""
        return bool(self.changes) and all(change.why is Why.DRIFTED for change in self.changes)
