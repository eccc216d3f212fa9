"""What is kept of every applied revision of a source, and of every correction of drift: the words and the protocols.

`chronicle.py` writes it while the loop works, `controller/store/history.py` keeps it on SQLite, `controller/sources/texts.py`
reads the files; `p2 history`, `p2 diff --revision` and `p2 rollback` read it back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from controller.engine.requests import Cause
from controller.engine.revision import Revision
from resources.meta import Key
from resources.plan import Action


class Ending(StrEnum):
    """How all that belongs to an entry came out."""

    OPEN = "open"  # work goes on
    CONVERGED = "converged"
    FAILED = "failed"  # something is not as declared; the message says what and why
    SUPERSEDED = "superseded"  # a newer revision came before it was done
    INTERRUPTED = "interrupted"  # the process ended before it was done


class Result(StrEnum):
    """How the change of one resource came out."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    HELD = "held"  # a deletion that waits for a decision
    SUPERSEDED = "superseded"  # a newer revision wants something else


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to one resource. Fields are named, their values are not kept."""

    key: Key
    action: Action
    fields: tuple[str, ...] = ()
    result: Result = Result.BEGUN
    message: str = ""  # why not, where it failed


@dataclass(frozen=True, slots=True)
class Text:
    """A file of the source as a revision has it. `path` is relative to the source's directory.

    Without a digest it is gone. With one and without content it is not kept: it may hold secrets, or is too long.
    """

    path: str
    digest: bytes = b""
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Rolled:
    """An image that a deployment has rolled out: its name in the files, and what it was made to name. `identity` is its id."""

    name: str
    reference: str
    identity: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """What `p2 deploy` has done: an entry of its own, beside those of the revisions that it applied."""

    environment: str
    images: tuple[Rolled, ...] = ()
    tests: str = ""  # passed or failed; empty: not run


@dataclass(frozen=True, slots=True)
class Entry:
    """One applied revision, or one correction of drift. `number` rises within a home; 0 is not written down yet."""

    source: str
    at: float  # seconds since the epoch when it began
    cause: Cause
    user: str
    command: str = ""
    restored: int = 0  # the revision that a rollback went back to
    commit: str = ""  # of the git work tree that the source lies in
    dirty: bool | None = None  # whether files of the source differed from that commit; None: not known
    number: int = 0
    ending: Ending = Ending.OPEN
    message: str = ""
    seconds: float = 0.0  # until all was settled
    count: int = 1  # equal ones in a row, of drift
    last: float = 0.0  # when the last of those began
    deeds: tuple[Deed, ...] = ()
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in the tree of a revision: its digest, and whether its content is kept."""

    digest: bytes
    whole: bool


class History(Protocol):
    """Every call may raise NotKept. A call that returns has kept what it was given."""

    def open(self, entry: Entry, texts: Sequence[Text]) -> int:
        """Write-ahead: keeps a new entry with the files that differ from the last recorded tree. Returns its number."""

    def note(self, number: int, entry: Entry, deeds: Sequence[Deed]) -> None:
        """Adds deeds (of a key already there: in its place), and takes cause, ending, message and seconds of `entry`."""

    def merge(self, number: int, into: int) -> bool:
        """Makes an entry of drift one with an equal earlier one, which counts it; False if that is no longer kept."""

    def place(self, number: int, commit: str, dirty: bool | None) -> None:
        """Says how the git work tree stood."""

    def interrupt(self) -> None:
        """No process works on what is still open: it was interrupted."""

    def find(self, number: int) -> Entry | None: ...

    def entries(
        self, *, limit: int = 20, source: str = "", kinds: Collection[str] = (), keys: Collection[Key] = ()
    ) -> Sequence[Entry]:
        """Newest first; with kinds or keys, those that changed one of them."""

    def drifts(self, source: str) -> Sequence[Entry]:
        """Entries of drift since the last one of another cause."""

    def range(self, source: str = "") -> tuple[int, int]:
        """The oldest and the newest number there is; zeros where there is none."""

    def tree(self, source: str, number: int | None = None) -> Mapping[str, Kept]:
        """The files of a source as they were in that revision; as recorded last without a number."""

    def content(self, digests: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """The contents that are kept of these."""

    def texts(self, number: int) -> Mapping[str, Kept | None]:
        """The files that differ from the revision before; None is gone."""


class Texts(Protocol):
    """The files of a source, read for the history. One thread at a time."""

    def changed(self, revision: Revision, known: Mapping[str, Kept]) -> Sequence[Text]:
        """What differs from `known`, the tree as recorded last. Reads only the files that `revision` names."""

    def commit(self) -> str:
        """The commit that is checked out; empty where there is none. Starts no process."""

    def dirty(self) -> bool | None:
        """Whether files of the source differ from that commit; None where git can't say. Takes its time."""
