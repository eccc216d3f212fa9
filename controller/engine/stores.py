"""Protocols of what the loop keeps between passes and between runs. `controller/store/` implements them on SQLite.

Everything here is called from several threads. A call that returns has kept what it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from controller.engine.audit import AuditEntry, AuditQuery
from controller.engine.history import History
from controller.engine.kept import NotKept as NotKept  # what every call here may raise
from resources.conditions import Status, Truth
from resources.meta import Key
from resources.plan import Action, Plan


@dataclass(frozen=True, slots=True)
class Record:
    """What the inventory knows of one thing that we own.

    `intent` is the action that was begun and not yet confirmed; after a crash the mark in the world tells how far it
    got. `applied` is the last applied resource as JSON; before the first confirmation, when `digest` is still empty, the one
    that is being created.
    """

    key: Key
    source: str
    generation: int
    digest: str = ""  # of the desired state last applied
    handle: str = ""  # the system's own id
    applied: str = ""
    file: str = ""  # where it was declared last
    dependencies: frozenset[Key] = frozenset()
    owner: Key | None = None
    intent: Action | None = None
    retain: bool = False  # sticky: the last declaration said Retain
    adopted: bool = False
    kept: str = ""  # the agent's note of what an adoption put aside
    recovered: bool = False  # found by its mark after the inventory was lost, and not declared or confirmed since
    good: str = ""  # the last resource that was Ready, as JSON; kept for kinds that can go back to it
    good_digest: str = ""  # of `good`
    tried: str = ""  # digest of the desired state that is on trial: edited, and not Ready for good yet
    tried_at: float = 0.0  # seconds since the epoch when that was first applied
    given_up: str = ""  # digest of a desired state that did not become Ready; `generation` counts it then
    given_up_why: str = ""  # for people
    intended: str = ""  # what an open intent makes in place of `applied`, as JSON; only of things that carry no mark


class Inventory(Protocol):
    """What we own, per source. Reading is from memory; `intend`, `confirm` and `forget` are durable when they return."""

    def records(self, source: str) -> Mapping[Key, Record]: ...

    def count(self, source: str) -> int:
        """How many records a source has."""

    def find(self, key: Key) -> Record | None:
        """The record of a key, whatever its source."""

    def sources(self) -> Sequence[str]:
        """All sources that own something."""

    def intend(self, records: Iterable[Record]) -> None:
        """Write-ahead: kept before the first change is made."""

    def confirm(self, records: Iterable[Record]) -> None:
        """The change is made."""

    def forget(self, keys: Iterable[Key]) -> None: ...


class Statuses(Protocol):
    def find(self, key: Key) -> Status | None: ...

    def all(self) -> Mapping[Key, Status]: ...

    def tally(self) -> Mapping[tuple[str, Truth], int]:
        """How many resources there are by kind and Ready."""

    def unready(self) -> Mapping[str, int]:
        """How many are not Ready, by the reason that they give."""

    def save(self, statuses: Mapping[Key, Status]) -> None: ...

    def forget(self, keys: Iterable[Key]) -> None: ...


class Level(StrEnum):
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """A record for the user. Equal ones in a row are one with a count."""

    at: float  # seconds since the epoch
    key: Key | None  # None: about a source or an agent
    level: Level
    reason: str
    message: str
    count: int = 1
    first: float = 0.0


class Events(Protocol):
    def record(self, event: Event) -> None: ...

    def since(self, at: float = 0.0, key: Key | None = None, limit: int = 1000) -> Sequence[Event]:
        """Oldest first."""


class Overrides(Protocol):
    """What the user said outside git: suspended keys, and confirmations of what was held back."""

    def suspended(self) -> frozenset[Key]: ...

    def suspend(self, keys: Iterable[Key]) -> None: ...

    def resume(self, keys: Iterable[Key]) -> None: ...

    def confirmed(self, source: str = "") -> frozenset[Key]:
        """Keys whose held deletion, replacement or takeover by `source` (absent: by any) the user has confirmed."""

    def confirm(self, keys: Iterable[Key], source: str = "") -> None:
        """Lets `source` (absent: any) do what it holds back. That another may take a key over is no leave to delete it."""

    def use(self, keys: Iterable[Key]) -> None:
        """A confirmation serves once: forget those of `keys`."""


@dataclass(frozen=True, slots=True)
class Brake:
    """While one is on, everything on this machine is looked at and nothing is changed."""

    reason: str  # Stopped, SafeMode or Paused
    by: str  # who put it on
    why: str = ""
    at: float = 0.0  # seconds since the epoch


class Brakes(Protocol):
    """What holds the whole home, all sources. There may be one of each reason."""

    def all(self) -> Sequence[Brake]:
        """Those that are on, the gravest first."""

    def put_on(self, brake: Brake) -> bool:
        """Whether it was off before; one that is on stays as it is. In force in this process even if NotKept is raised."""

    def release(self) -> Sequence[Brake]:
        """Takes all of them off. Returns what was on."""

    def lapse(self, reason: str) -> None:
        """Takes off one that could not be written, and so is on in this process only."""


@dataclass(frozen=True, slots=True)
class Start:
    """A start of the controller. Seconds within one `boot` of the machine are right even when somebody sets the clock."""

    at: float  # seconds since the epoch
    boot: str  # names the time between two starts of the machine
    uptime: float  # seconds since the machine was started
    pid: int = 0


class Starts(Protocol):
    """The controller's own starts, for telling when it keeps crashing."""

    def unended(self) -> Sequence[Start]:
        """Those that never came to an orderly end, and the running one; oldest first."""

    def begin(self, start: Start) -> int:
        """Writes it down. Returns its number."""

    def end(self, number: int) -> None:
        """An orderly end, or one that was ordered."""

    def forget(self, but: int = 0) -> int:
        """None of them counts any more, except the one of the process `but`. Returns how many did."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Deletions that are held back, and why. Shown until released or no longer needed."""

    reason: str
    message: str
    keys: frozenset[Key]
    at: float = 0.0


class Holds(Protocol):
    def all(self, source: str) -> Sequence[Hold]: ...

    def replace(self, source: str, holds: Sequence[Hold]) -> None:
        """Makes `holds` all there is for a source."""


class Audit(Protocol):
    """Who did what to the machine, and why. Entries are added and never changed."""

    def begin(self, entries: Mapping[str, AuditEntry]) -> None:
        """What is about to be done, each under a name. Should it never `end`, it becomes an entry all the same."""

    def end(self, entries: Mapping[str, AuditEntry]) -> None:
        """How what has begun under these names has ended; also of what has begun unseen."""

    def recover(self, at: float) -> Sequence[AuditEntry]:
        """Makes entries of what processes that are dead have begun and never ended. Needs the home's lock."""

    def entries(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """Oldest first."""

    def prune(self, before: float) -> int:
        """Forgets entries older than `before` (seconds since the epoch), but never the newest. Returns how many."""


class Listener(Protocol):
    """Told of everything that happens: the CLI's progress, the metrics and the log are listeners. Must not block."""

    def queued(self, keys: Sequence[Key]) -> None: ...

    def started(self, plan: Plan) -> None: ...

    def progressed(self, key: Key, fraction: float | None, message: str) -> None: ...

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        """`outcome`: done, retry, stalled or started."""

    def settled(self, key: Key, status: Status) -> None:
        """A pass over a key has ended with this status."""

    def gone(self, key: Key) -> None:
        """A pass over a key has found that nobody declares it, and that nothing of it is left."""

    def converged(self, key: Key, seconds: float) -> None:
        """From the edit to Ready."""

    def corrected(self, key: Key, seconds: float) -> None:
        """From the first hint of drift to Ready."""

    def rolled_back(self, key: Key) -> None:
        """An edit did not become Ready, and is given up."""

    def recorded(self, event: Event) -> None: ...


class Silent:
    """A listener to inherit from: does nothing."""

    def queued(self, keys: Sequence[Key]) -> None: ...

    def started(self, plan: Plan) -> None: ...

    def progressed(self, key: Key, fraction: float | None, message: str) -> None: ...

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None: ...

    def settled(self, key: Key, status: Status) -> None: ...

    def gone(self, key: Key) -> None: ...

    def converged(self, key: Key, seconds: float) -> None: ...

    def corrected(self, key: Key, seconds: float) -> None: ...

    def rolled_back(self, key: Key) -> None: ...

    def recorded(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Stores:
    """All that the loop keeps, in one hand."""

    inventory: Inventory
    statuses: Statuses
    events: Events
    overrides: Overrides
    holds: Holds
    audit: Audit
    together: Callable[[], AbstractContextManager[None]]  # what is kept within is kept all or not at all
    history: History
    brakes: Brakes
    starts: Starts
