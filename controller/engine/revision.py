"""What a source hands to the loop: one consistent reading of the desired state, or of what changed in it.

`sources/files.py` makes revisions; `engine/index.py` takes them in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event as Flag
from typing import Protocol

from resources.meta import Declared, DeletionPolicy, Key, Problem

QUIET = 2.0  # seconds without a change before anything may leave the desired state


class Condition(StrEnum):
    """How the source as a whole is doing. Anything but OK holds all pruning back."""

    OK = "ok"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Revision:
    """One reading of the source. Files are named by their real paths.

    A file in `problems` has its last good documents stay in force, whatever `documents` says; of a file with some good
    documents the good ones are in `partial` (for `--keep-going`).
    """

    documents: Mapping[str, tuple[Declared, ...]]  # of the files read in this revision
    gone: frozenset[str] = frozenset()  # files that are no longer there
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    partial: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    whole: bool = True  # `documents` and `problems` name every file there is; files not named are gone
    condition: Condition = Condition.OK
    message: str = ""  # about `condition`
    at: float = 0.0  # monotonic seconds when the first change of this revision was noticed
    digests: Mapping[str, bytes] = field(default_factory=dict)  # of the texts that `documents` were read from
    leaving: frozenset[Key] = frozenset()  # in `documents`, yet in no file now: they stand until it has been quiet
    # Deleted by an order (kubectl delete), with what the order says of each: only that protects them, no caution of ours.
    orders: Mapping[Key, DeletionPolicy] = field(default_factory=dict)


class Source(Protocol):
    """Where desired state comes from."""

    @property
    def name(self) -> str:
        """Names the source in the inventory: a directory's real path, a URL, a cluster."""

    def read(self) -> Revision:
        """The whole desired state, now."""

    def watch(self, stop: Flag) -> Iterator[Revision]:
        """What changes from now on, until `stop` is set; the first revision is whole."""
