"""Shape one: a system with one lock that works in transactions, as apt does. Kind `Tool`, installed from a depot.

The depot takes a transaction whole or not at all, and carries no marks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from controller.engine.agent import (
    Agent,
    AgentHealth,
    Context,
    Done,
    Outcome,
    Retry,
    Seen,
    Setup,
    Stalled,
    Step,
    unavailable,
)
from resources.meta import About, Key, Resource, Spec
from resources.plan import Action
from tests.agents.world import ByHand, World

NOT_THERE = "cannot reach the depot: start it"


class ToolSpec(Spec):
    unset: ClassVar[dict[str, Any]] = {"pinned": False}

    version: str | None = None
    pinned: bool | None = None


class Tool(Resource):
    about: ClassVar[About] = About(plural="tools")
    kind: Literal["Tool"]
    spec: ToolSpec


@dataclass(frozen=True, slots=True)
class Installed:
    """A tool as the depot reports it, in the words of the spec."""

    version: str
    pinned: bool = False


class Busy(Exception):
    """Somebody else holds the depot's lock."""


@dataclass
class Depot:
    """The system. Knows every tool but those whose names end in `-unknown`."""

    installed: dict[str, Installed] = field(default_factory=dict)
    transactions: int = 0
    reachable: bool = True
    _locked: bool = False

    def listing(self) -> dict[str, Installed]:
        if not self.reachable:
            raise ConnectionError
        return dict(self.installed)

    def knows(self, name: str) -> bool:
        return not name.endswith("-unknown")

    @contextmanager
    def lock(self) -> Iterator[None]:
        if self._locked:
            raise Busy
        self._locked = True
        try:
            yield
        finally:
            self._locked = False

    def transact(self, install: Mapping[str, Installed], remove: Collection[str]) -> None:
        with self.lock():
            if unknown := [name for name in install if not self.knows(name)]:
                raise LookupError(unknown)
            self.transactions += 1
            self.installed |= install
            for name in remove:
                self.installed.pop(name, None)


class Reading:
    """A client that can't write."""

    def __init__(self, depot: Depot) -> None:
        self._depot = depot
        self.listing = depot.listing
        self.knows = depot.knows


class Writing(Reading):
    def transact(self, install: Mapping[str, Installed], remove: Collection[str]) -> None:
        self._depot.transact(install, remove)


class ToolAgent(Agent[Tool, Installed]):
    model = Tool
    system = "depot"
    batch: ClassVar[int] = 100
    workers: ClassVar[int] = 1
    marks: ClassVar[bool] = False

    def __init__(self, client: Reading, setup: Setup) -> None:
        self._client = client

    def observe(self, resources: Sequence[Tool], ctx: Context) -> Mapping[Key, Seen[Installed]]:
        try:
            installed = self._client.listing()
        except ConnectionError:
            raise unavailable(NOT_THERE) from None
        return {resource.key: self._seen(resource.world_name, installed) for resource in resources}

    def _seen(self, name: str, installed: Mapping[str, Installed]) -> Seen[Installed]:
        found = installed.get(name)
        return Seen(found, handle=name if found else "")

    def apply(self, steps: Sequence[Step[Tool, Installed]], ctx: Context) -> Mapping[Key, Outcome]:
        """One transaction for all, less those that would make it fail."""
        assert isinstance(self._client, Writing), "cannot write through a client that only reads"
        outcomes: dict[Key, Outcome] = {}
        install: dict[str, Installed] = {}
        remove: list[str] = []
        for step in steps:
            resource = step.desired or step.last
            assert resource is not None
            name = resource.world_name
            outcomes[step.key] = Done(handle=name)
            if step.plan.action is Action.DELETE:
                remove.append(name)
            elif not self._client.knows(name):
                outcomes[step.key] = Stalled(
                    "UnknownTool", f"cannot find the tool {name} in the depot: correct its name"
                )
            else:
                install[name] = _wanted(resource.spec, step.seen.value)
        try:
            self._client.transact(install, remove)
        except Busy:
            raise Retry("DepotLocked", "cannot get the depot's lock: somebody else works there", after=10.0) from None
        return outcomes

    def health(self, ctx: Context) -> AgentHealth:
        try:
            self._client.listing()
        except ConnectionError:
            return AgentHealth(available=False, message=NOT_THERE)
        return AgentHealth(available=True, version="1")


def _wanted(spec: ToolSpec, seen: Installed | None) -> Installed:
    version = spec.version or (seen.version if seen else "latest")
    return Installed(version, bool(spec.pinned))


class Batching(World[Tool]):
    agent_class = ToolAgent

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.depot = Depot()
        self.agent = ToolAgent(Writing(self.depot), self.setup())
        self.reader = ToolAgent(Reading(self.depot), self.setup(read_only=True))

    def sample(self, name: str = "one") -> Tool:
        return self.resource(name, version="1.0", pinned=True)

    def edits(self, resource: Tool) -> Mapping[str, Tool]:
        name = resource.metadata.name.removeprefix(f"{self.prefix}-")
        return {
            "another version": self.resource(name, version="2.0", pinned=True),
            "a field dropped": self.resource(name, version="2.0"),
        }

    def drifts(self, resource: Tool) -> ByHand:
        return {
            "upgraded": lambda: self._install(resource, Installed("9.9", True)),
            "unpinned": lambda: self._install(resource, Installed("1.0", False)),
        }

    def remove(self, resource: Tool) -> None:
        del self.depot.installed[resource.world_name]

    def make_strangers(self, resource: Tool) -> None:
        self._install(resource, Installed("0.1"))

    def state(self, resource: Tool) -> Installed | None:
        return self.depot.installed.get(resource.world_name)

    def impossible(self, name: str = "impossible") -> Tool:
        return self.resource(f"{name}-unknown", version="1.0")

    def cut_off(self) -> ToolAgent:
        return ToolAgent(Writing(Depot(reachable=False)), self.setup())

    def _install(self, resource: Tool, installed: Installed) -> None:
        self.depot.installed[resource.world_name] = installed
