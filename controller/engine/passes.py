"""What one pass over one key found out and decided: the reconciler makes passes, the board and the manager read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controller.engine.agent import Agent, Seen, Step
from controller.engine.index import Entry
from controller.engine.stores import Record
from resources.conditions import Reason
from resources.meta import Key, Resource
from resources.plan import Action, Plan


class Verdict(StrEnum):
    """How a pass ended, and so what happens next to its key."""

    WORK = "work"  # a step is to be carried out
    AGAIN = "again"  # overtaken by an edit before its step began: to be looked at anew
    READY = "ready"  # as declared, and healthy
    WAITING = "waiting"  # as declared, not healthy yet
    AWAITING = "awaiting"  # stands for others, not all of which are Ready
    REPORTED = "reported"  # differs, and is only to be reported
    SUSPENDED = "suspended"  # looked at only
    BLOCKED = "blocked"  # waits for another key
    HELD = "held"  # left the desired state, and is held back
    RETRY = "retry"
    STALLED = "stalled"  # waits for an edit
    GONE = "gone"  # nothing desired, nothing there


@dataclass(frozen=True, slots=True)
class Subject:
    """One key with what is known of it before looking: `entry` what is desired, `record` what we own."""

    key: Key
    entry: Entry | None
    record: Record | None
    agent: Agent[Any, Any]
    resource: Resource  # desired; for a deletion, what was applied last
    last: Resource | None  # as applied last
    edit: Entry | None = None  # what is declared, where it was given up and `entry` is what was Ready before

    @property
    def edited(self) -> bool:
        """Whether the desired state is another than the one applied last."""
        return self.entry is not None and (self.record is None or self.record.digest != self.entry.digest)

    @property
    def going_back(self) -> bool:
        """Whether an edit was given up, and what was Ready before it has yet to be applied."""
        return self.edit is not None and self.edited

    @property
    def declared(self) -> Entry | None:
        """What the source says, be it given up or not."""
        return self.edit or self.entry

    @property
    def digest(self) -> str:
        """Of the desired state; empty for a deletion."""
        return self.entry.digest if self.entry else ""


@dataclass(frozen=True, slots=True)
class Pass:
    """`after`: seconds until the next look where the agent knows; `step` and `subject` are there when there is work."""

    key: Key
    verdict: Verdict
    plan: Plan
    reason: str = Reason.CONVERGED
    message: str = ""
    after: float | None = None
    generation: int = 0
    digest: str = ""
    seen: Seen[Any] | None = None
    subject: Subject | None = None
    step: Step[Any, Any] | None = None
    carried_out: Action = Action.NONE
    done: Plan | None = None  # what was carried out; `plan` has what is left
    told: str = ""  # what the agent said of carrying it out
    by: float | None = None  # seconds until it must be looked at again at the latest


def ended(
    key: Key, verdict: Verdict, reason: str = Reason.CONVERGED, message: str = "", after: float | None = None
) -> Pass:
    """A pass that ended without a look at the world."""
    return Pass(key, verdict, Plan(key, Action.NONE), reason, message, after)


def concluded(
    subject: Subject,
    verdict: Verdict,
    plan: Plan | None = None,
    reason: str = Reason.CONVERGED,
    message: str = "",
    seen: Seen[Any] | None = None,
    after: float | None = None,
) -> Pass:
    """A pass over a subject."""
    entry = subject.declared
    generation, digest = (entry.generation, entry.digest) if entry else (0, "")
    plan = plan or Plan(subject.key, Action.NONE)
    return Pass(subject.key, verdict, plan, reason, message, after, generation, digest, seen, subject)


def subject_of(each: Pass) -> Subject:
    """The subject of a pass that has looked at the world."""
    assert each.subject is not None
    return each.subject
