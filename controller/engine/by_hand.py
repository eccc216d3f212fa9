"""What agents can do for people beside the loop: optional capabilities, each a Protocol, which the command line asks for.

`p2 logs`, `exec`, `restart`, `top`, `deploy` and `import` go with every kind whose agent has the methods; nothing lists those
kinds. Methods that begin with a resource are about its thing. Apart from agent.py, for who looks and applies needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event as Flag
from typing import Any, Protocol, runtime_checkable

from controller.engine.agent import Context, Done, Mark
from resources.meta import Key, Resource


@dataclass(frozen=True, slots=True)
class LogQuery:
    follow: bool = False  # go on with what is written from now on, by whatever takes the thing's place, too
    tail: int | None = None  # lines of the past, None: all
    since: float = 0.0  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a thing has written, without its end. `note`: it is said of the thing, for the person who waits."""

    text: str
    at: str = ""  # when it was written, as RFC 3339 has it, in UTC
    error: bool = False  # it was written to stderr
    note: bool = False


@runtime_checkable
class Logs(Protocol):
    """Optional: shows what a thing has written."""

    def logs(self, resource: Any, query: LogQuery, stop: Flag) -> Iterator[LogLine]:
        """Oldest first; followed until `stop` is set, or nothing more can come. Raises Stalled("Absent") where nothing is
        there and nothing is waited for; Retry and Stalled for what keeps it from being read."""


@dataclass(frozen=True, slots=True)
class Streams:
    """A person's ends of a program: descriptors, and how large their terminal is (columns, lines) where there is one."""

    read: int | None  # what is typed; None: nothing
    write: Callable[[bytes], None]
    write_error: Callable[[bytes], None]
    size: Callable[[], tuple[int, int]] | None = None
    interrupts: int | None = None  # has a byte to read for each Ctrl-C, where those are not typed into a terminal


class LeftRunning(Exception):
    """A person has interrupted a program, and it goes on, or what it has started does; the message says so."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A program to be run within a thing."""

    command: tuple[str, ...]
    terminal: bool = False
    user: str = ""
    directory: str = ""


@runtime_checkable
class Executes(Protocol):
    """Optional: runs programs within a thing."""

    def execute(self, resource: Any, execution: Execution, streams: Streams) -> int:
        """Its exit code, when it has ended. Raises LeftRunning, Retry and Stalled, Stalled("Absent") where nothing is there."""


@runtime_checkable
class Restarts(Protocol):
    """Optional: restarts a thing as it is."""

    def restart(self, resource: Any, ctx: Context) -> Done:
        """Returns when it has been started again. Raises Retry and Stalled, Stalled("Absent") where nothing is there."""


@runtime_checkable
class Spreads(Protocol):
    """Optional: is made of an agent each for several systems."""

    def by_place(self) -> Mapping[str, Any]:
        """By `place` of `Agent`; empty: its own system."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a thing has used since it was started, and what it uses now. None: its system can't say."""

    name: str  # in its system
    handle: str
    mark: Mark | None  # ours, or that of another installation
    at: float  # monotonic seconds
    cpu: float | None = None  # seconds of one processor
    memory: int | None = None  # bytes, less what the kernel can take back
    limit: int | None = None  # bytes; None: none
    received: int | None = None  # bytes, from networks
    sent: int | None = None
    read: int | None = None  # bytes, from disks
    written: int | None = None
    processes: int | None = None


@runtime_checkable
class Measures(Protocol):
    """Optional: says what the things of its kind use, of all that run on this machine, also those that are not ours."""

    def measure(self) -> Sequence[Usage]:
        """As of now; in well under a second however many there are. Raises Retry."""


@dataclass(frozen=True, slots=True)
class Described:
    """Resources that take over what is there already, without changing it. `notes` say what they can't keep, and why.

    `secrets` are the files that a person has still to write, each with the name of the variable whose value it is to hold.
    """

    resources: tuple[Resource, ...]
    notes: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str, str], ...] = ()  # (thing, variable, path below the home)


@runtime_checkable
class Describes(Protocol):
    """Optional: describes things that are there, and that nobody has declared, as resources."""

    def describe(self, names: Sequence[str], owned: Mapping[str, Key], *, plain: bool) -> Described:
        """Those of these names, or all that run, less what is `owned`: whose it is, by its handle.

        `plain`: with the values of variables that look secret. Raises Stalled("Absent") for a name of nothing, and Retry.
        """


@dataclass(frozen=True, slots=True)
class Pinned:
    """A name that means one image for ever: `name` (a repository) with a digest, or with a tag of its own."""

    name: str
    identity: str  # its id in the engine
    tag: str = ""
    digest: str = ""

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


@runtime_checkable
class Pins(Protocol):
    """Optional: names for good what a name stands for now. `p2 deploy` writes that down."""

    def pin(self, resource: Any, reference: str, ctx: Context, *, bring: bool) -> Pinned | None:
        """By its digest, if it has one; else by a tag that nothing else gets. `bring`: one that is not here is brought.
        None where it is not here, and is not brought. `resource` declares it, or names it. Raises Retry and Stalled."""

    def unpin(self, resource: Any, name: str, kept: Collection[str]) -> None:
        """Takes away the tags that `pin` has made in a repository, but `kept` ones and those that something uses."""
