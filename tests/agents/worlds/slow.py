"""Shape two: a system whose work takes minutes, as backups and image pulls do. Kind `Archive`, kept in a vault.

An archive is either written by the agent, bit by bit with progress (`detached: false`), or by the vault alone, which goes
on when the agent is gone: `Started`, and later observations tell how far it is. Time is the world's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from controller.engine.agent import (
    HEALTHY,
    AgentHealth,
    Context,
    Done,
    Health,
    Mark,
    Owned,
    Retry,
    Seen,
    Setup,
    SingleAgent,
    Stalled,
    Started,
    Step,
    found_again,
    unavailable,
)
from resources.conditions import Reason
from resources.meta import About, Key, Resource, Spec
from resources.plan import Action, Plan
from tests.agents.world import ByHand, World
from tests.agents.worlds.timeline import Timeline

PIECES = 10
SECONDS_A_PIECE = 30.0
NOT_THERE = "cannot reach the vault: start it"


class ArchiveSpec(Spec):
    content: str
    detached: bool = False


class Archive(Resource):
    about: ClassVar[About] = About(plural="archives")
    kind: Literal["Archive"]
    spec: ArchiveSpec


@dataclass(frozen=True, slots=True)
class Stored:
    """An archive as the vault holds it, or will when its work is done. `ready_at`: seconds on the world's clock."""

    content: str
    detached: bool
    mark: Mark | None
    ready_at: float = 0.0


@dataclass
class Vault:
    """The system."""

    clock: Timeline
    archives: dict[str, Stored] = field(default_factory=dict)
    reachable: bool = True

    def listing(self) -> dict[str, Stored]:
        if not self.reachable:
            raise ConnectionError
        return dict(self.archives)

    def write_piece(self) -> None:
        self.clock.sleep(SECONDS_A_PIECE)


class Reading:
    """A client that can't write."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.listing = vault.listing
        self.clock = vault.clock


class Writing(Reading):
    def write_piece(self) -> None:
        self._vault.write_piece()

    def put(self, name: str, archive: Stored) -> None:
        if not archive.content:
            raise ValueError
        self._vault.archives[name] = archive

    def drop(self, name: str) -> None:
        self._vault.archives.pop(name, None)


class ArchiveAgent(SingleAgent[Archive, Stored]):
    model = Archive
    system = "vault"

    def __init__(self, client: Reading, setup: Setup) -> None:
        self._client = client

    def observe(self, resources: Sequence[Archive], ctx: Context) -> Mapping[Key, Seen[Stored]]:
        try:
            stored = self._client.listing()
        except ConnectionError:
            raise unavailable(NOT_THERE) from None
        return {resource.key: self._seen(resource.key, stored.get(resource.world_name), ctx) for resource in resources}

    def _seen(self, key: Key, found: Stored | None, ctx: Context) -> Seen[Stored]:
        if found is None:
            return Seen(None)
        return Seen(found, handle=f"archive:{key.name}", mark=found.mark, health=self._progress(key, found, ctx))

    def _progress(self, key: Key, found: Stored, ctx: Context) -> Health:
        """What the vault still works on counts as there and not ready, so that nobody starts it again."""
        left = found.ready_at - self._client.clock()
        if left <= 0:
            return HEALTHY
        fraction = 1 - left / (PIECES * SECONDS_A_PIECE)
        ctx.progress(key, fraction, "the vault writes it")
        return Health(False, Reason.PROGRESSING, f"written to {fraction:.0%}", again=min(left, 60.0))

    def health(self, ctx: Context) -> AgentHealth:
        try:
            self._client.listing()
        except ConnectionError:
            return AgentHealth(available=False, message=NOT_THERE)
        return AgentHealth(available=True)

    def slow(self, plan: Plan, desired: Archive | None) -> bool:
        return plan.action in (Action.CREATE, Action.UPDATE, Action.ADOPT)

    def create(self, step: Step[Archive, Stored], ctx: Context) -> Done | Started:
        return self._write(step, ctx)

    def update(self, step: Step[Archive, Stored], ctx: Context) -> Done | Started:
        return self._write(step, ctx)

    def delete(self, step: Step[Archive, Stored], ctx: Context) -> Done:
        assert step.last is not None
        self._writing.drop(step.last.world_name)
        return Done()

    def owned(self, ctx: Context) -> Iterator[Owned]:
        for archive in self._client.listing().values():
            if archive.mark:
                found = found_again(Archive, archive.mark.key, content=archive.content)
                yield Owned(archive.mark, f"archive:{archive.mark.key.name}", found)

    def _write(self, step: Step[Archive, Stored], ctx: Context) -> Done | Started:
        assert step.desired is not None
        name, spec = step.desired.world_name, step.desired.spec
        if spec.detached:
            ready_at = self._client.clock() + PIECES * SECONDS_A_PIECE
            self._put(name, Stored(spec.content, True, step.mark, ready_at))
            return Started(token=f"archive:{step.key.name}", message="the vault writes it")
        for piece in range(PIECES):
            if ctx.cancelled.is_set():
                raise Retry("Cancelled", "cannot finish the archive: Pegasus2 was told to stop")
            ctx.progress(step.key, piece / PIECES, f"piece {piece + 1} of {PIECES}")
            self._writing.write_piece()
        self._put(name, Stored(spec.content, False, step.mark))
        return Done(handle=f"archive:{step.key.name}")

    def _put(self, name: str, archive: Stored) -> None:
        try:
            self._writing.put(name, archive)
        except ValueError:
            raise Stalled("EmptyArchive", f"cannot write the archive {name} without content: give it some") from None

    @property
    def _writing(self) -> Writing:
        assert isinstance(self._client, Writing), "cannot write through a client that only reads"
        return self._client


class Slow(World[Archive]):
    agent_class = ArchiveAgent

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.clock = Timeline()
        self.vault = Vault(self.clock)
        self.agent = ArchiveAgent(Writing(self.vault), self.setup())
        self.reader = ArchiveAgent(Reading(self.vault), self.setup(read_only=True))

    def sample(self, name: str = "one") -> Archive:
        return self.resource(name, content="old letters", detached=name == "two")

    def edits(self, resource: Archive) -> Mapping[str, Archive]:
        name = resource.metadata.name.removeprefix(f"{self.prefix}-")
        return {
            "another content": self.resource(name, content="new letters"),
            "written by the vault": self.resource(name, content="newer letters", detached=True),
        }

    def drifts(self, resource: Archive) -> ByHand:
        return {"damaged": lambda: self._store(resource, "old lett")}

    def remove(self, resource: Archive) -> None:
        del self.vault.archives[resource.world_name]

    def make_strangers(self, resource: Archive) -> None:
        self.vault.archives[resource.world_name] = Stored("somebody else's", False, None)

    def state(self, resource: Archive) -> Any:
        found = self.vault.archives.get(resource.world_name)
        return found and (found.content, found.detached)

    def impossible(self, name: str = "impossible") -> Archive:
        return self.resource(name, content="")

    def cut_off(self) -> ArchiveAgent:
        return ArchiveAgent(Writing(Vault(self.clock, reachable=False)), self.setup())

    def later(self) -> None:
        self.clock.sleep(60.0)

    def _store(self, resource: Archive, content: str) -> None:
        found = self.vault.archives[resource.world_name]
        self.vault.archives[resource.world_name] = Stored(content, found.detached, found.mark)
