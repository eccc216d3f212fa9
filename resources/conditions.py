"""What is reported about a resource: conditions after kstatus, and the reasons as constants.

https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md: Ready says whether the thing is as
declared, Reconciling that work is under way, Stalled that nothing moves until somebody edits something.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from resources.plan import Change


class Truth(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Type(StrEnum):
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Reasons the engine gives. Agents may add CamelCase ones of their own as plain strings."""

    CONVERGED = "Converged"  # as declared, and healthy
    PENDING = "Pending"  # not looked at yet
    PROGRESSING = "Progressing"  # applied, not healthy yet
    SUSPENDED = "Suspended"  # observed only
    PAUSED = "Paused"  # as all of the machine is: p2 pause
    SAFE_MODE = "SafeMode"  # likewise, because the controller kept crashing
    STOPPED = "Stopped"  # likewise: p2 stop
    DRIFTED = "Drifted"  # differs, and driftPolicy is Report
    DEPENDENCY_NOT_READY = "DependencyNotReady"
    DEPENDENCY_MISSING = "DependencyMissing"
    DEPENDENCY_CYCLE = "DependencyCycle"
    CLAIMED = "Claimed"  # another resource has what this one needs
    DUPLICATE = "Duplicate"  # the same key is declared twice
    SOURCE_INVALID = "SourceInvalid"  # a file does not parse; the last good version is in force
    NOT_OWNED = "NotOwned"  # the name is taken by something that Pegasus2 did not create
    IMMUTABLE = "Immutable"  # would need a replacement that loses data
    CRASH_LOOP = "CrashLoop"  # it ends again and again, soon after it was started
    CONTESTED = "Contested"  # somebody keeps changing it back
    DIFF_PERSISTS = "DiffPersists"  # three applies did not make it equal
    AGENT_UNAVAILABLE = "AgentUnavailable"  # the system behind the agent can't be reached
    NODE_LOST = (
        "NodeLost"  # on Kubernetes: the machine that it is on has not been heard of, or its operator was stopped
    )
    NODE_UNKNOWN = "NodeUnknown"  # on Kubernetes: no operator takes it
    UNKNOWN_KIND = "UnknownKind"  # no agent for it
    AGENT_ERROR = "AgentError"  # a mistake in the agent
    SECRET_NOT_FOUND = "SecretNotFound"
    APPLY_FAILED = "ApplyFailed"
    TIMEOUT = "Timeout"
    NOT_READY_IN_TIME = "NotReadyInTime"  # the deadline for becoming Ready has passed, and there is no way back
    ROLLED_BACK = "RolledBack"  # an edit did not become Ready; what was Ready before is in force until the next one
    DELETING = "Deleting"
    RETAINED = "Retained"  # left the desired state, kept because of deletionPolicy
    TOO_MANY_DELETES = "TooManyDeletes"  # held until confirmed
    SOURCE_EMPTY = "SourceEmpty"  # the source is missing, unreadable or empty: nothing is pruned
    RECOVERED = "Recovered"  # found by its mark when the inventory was rebuilt, and declared by nobody since
    SOURCE_MOVED = "SourceMoved"  # its keys are declared by another directory now; waits for a confirmation


@dataclass(frozen=True, slots=True)
class Condition:
    type: Type
    status: Truth
    reason: str
    message: str
    observed_generation: int
    since: float  # seconds since the epoch, of the last change of `status`


@dataclass(frozen=True, slots=True)
class Status:
    """How one resource is doing. `drift` is what differed at the last look, empty when nothing did."""

    generation: int  # the newest one declared
    observed_generation: int  # the last one worked off
    conditions: tuple[Condition, ...] = ()
    drift: tuple[Change, ...] = ()
    digest: str = ""  # of the desired state that `generation` counts
    handle: str = ""  # the system's own id of the thing
    at: float = 0.0  # seconds since the epoch of the last look

    def condition(self, kind: Type) -> Condition | None:
        return next((c for c in self.conditions if c.type is kind), None)

    @property
    def ready(self) -> bool:
        found = self.condition(Type.READY)
        return found is not None and found.status is Truth.TRUE and self.observed_generation == self.generation

    @property
    def stalled(self) -> bool:
        found = self.condition(Type.STALLED)
        return found is not None and found.status is Truth.TRUE

    @property
    def reason(self) -> str:
        found = self.condition(Type.READY)
        return found.reason if found else Reason.PENDING

    @property
    def message(self) -> str:
        found = self.condition(Type.READY)
        return found.message if found else ""


def transition(before: Status | None, after: Status) -> Status:
    """`after` with each condition's `since` kept from `before` where its truth has not changed."""
    if before is None:
        return after
    kept = []
    for condition in after.conditions:
        old = before.condition(condition.type)
        kept.append(replace(condition, since=old.since) if old and old.status is condition.status else condition)
    return replace(after, conditions=tuple(kept))
