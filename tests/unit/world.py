"""A small world for tests of the loop: gadgets in a dictionary, an agent for them, and the loop around it.

The agent can be told to be unreachable, to refuse a key, or to lie about having changed something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

from controller.engine.agent import (
    Context,
    Done,
    Health,
    Mark,
    Seen,
    SingleAgent,
    Stalled,
    Step,
    unavailable,
)
from controller.engine.board import Board
from controller.engine.clock import Clock
from controller.engine.errand import Errand
from controller.engine.index import Edits, Index
from controller.engine.manager import Manager
from controller.engine.parts import Identity, Parts
from controller.engine.revision import Revision
from controller.engine.stores import Silent
from controller.store.stores import open_stores
from resources.meta import About, Claim, Declared, Key, Metadata, Origin, Resource, Spec
from resources.parsed import digest_of

SOURCE = "/desired"


class GadgetSpec(Spec):
    color: str | None = None
    size: int | None = None
    slot: str | None = None
    parts: tuple[str, ...] = ()


class Gadget(Resource):
    about: ClassVar[About] = About(plural="gadgets", short=("g",))
    kind: Literal["Gadget"] = "Gadget"
    spec: GadgetSpec

    def claims(self) -> Iterable[Claim]:
        return (Claim("slot", self.spec.slot),) if self.spec.slot else ()

    def expand(self) -> Iterable[Resource]:
        return [gadget(f"{self.metadata.name}-{part}", color=self.spec.color) for part in self.spec.parts]


class Vault(Gadget):
    about: ClassVar[About] = About(plural="vaults", holds_data=True)
    kind: Literal["Vault"] = "Vault"  # type: ignore[assignment]


def gadget(name: str, kind: type[Gadget] = Gadget, **spec: Any) -> Gadget:
    meta = Metadata(name=name)
    return kind(apiVersion="pegasus2.dev/v1", kind=kind.__name__, metadata=meta, spec=GadgetSpec(**spec))  # type: ignore[arg-type]


def declare(*gadgets: Gadget, file: str = "/desired/all.yaml") -> Revision:
    documents = tuple(Declared(g, Origin(file, n), digest_of(g)) for n, g in enumerate(gadgets))
    return Revision({file: documents})


@dataclass
class Thing:
    """One gadget in the world."""

    color: str | None
    size: int | None
    mark: Mark | None
    serial: int
    slot: str | None = None
    parts: tuple[str, ...] = ()


@dataclass
class GadgetAgent(SingleAgent[Gadget, Thing]):
    model: ClassVar[type[Resource]] = Gadget
    system: ClassVar[str] = "gadgets"
    world: dict[str, Thing] = field(default_factory=dict)
    unreachable: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    lies: set[str] = field(default_factory=set)
    unhealthy: dict[str, Health] = field(default_factory=dict)
    looks: list[int] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def observe(self, resources: Sequence[Gadget], ctx: Context) -> Mapping[Key, Seen[Thing]]:
        if self.unreachable:
            raise unavailable("cannot reach the gadgets: switch them on")
        self.looks.append(len(resources))
        return {resource.key: self._seen(resource) for resource in resources}

    def _seen(self, resource: Gadget) -> Seen[Thing]:
        thing = self.world.get(resource.metadata.name)
        if thing is None:
            return Seen(None)
        health = self.unhealthy.get(resource.metadata.name, Health())
        return Seen(thing, handle=str(thing.serial), mark=thing.mark, health=health)

    def create(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        return self._make(step, "create")

    def update(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        return self._make(step, step.plan.action.value)

    def delete(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        self.log.append(f"delete {step.key.name}")
        self.world.pop(step.key.name, None)
        return Done()

    def _make(self, step: Step[Gadget, Thing], verb: str) -> Done:
        name = step.key.name
        if name in self.refused:
            raise Stalled("Refused", self.refused[name])
        if self.unreachable:
            raise unavailable("cannot reach the gadgets: switch them on")
        assert step.desired is not None
        self.log.append(f"{verb} {name}")
        spec = step.desired.spec
        color = "gray" if name in self.lies else spec.color
        self.world[name] = Thing(color, spec.size, step.mark, len(self.log), spec.slot, spec.parts)
        return Done(handle=str(len(self.log)))


class Told(Silent):
    """Remembers what a listener is told."""

    def __init__(self) -> None:
        self.converged_keys: list[Key] = []
        self.corrected_keys: list[Key] = []

    def converged(self, key: Key, seconds: float) -> None:
        self.converged_keys.append(key)

    def corrected(self, key: Key, seconds: float) -> None:
        self.corrected_keys.append(key)


class Loop:
    """Everything around one `GadgetAgent`; a new manager for each call, as each command has one."""

    def __init__(self, agent: GadgetAgent | None = None, stores: Any = None, source: str = SOURCE) -> None:
        self.agent = agent or GadgetAgent()
        self.stores = stores or open_stores(None)
        self.told = Told()
        clock = Clock()
        nobody: Any = SimpleNamespace()
        self.index = Index(self._generation)
        self.parts = Parts(
            index=self.index,
            agent_of=lambda kind: self.agent if kind in ("Gadget", "Vault") else None,
            stores=self.stores,
            board=Board(self.stores.statuses, self.stores.events, self.told, clock),
            listener=self.told,
            clock=clock,
            context=Context(secrets=nobody),
            identity=Identity(
                "installation", source, lambda name: name.startswith(SOURCE), lambda name: name.startswith(source + "/")
            ),
        )

    def _generation(self, key: Key, digest: str) -> int:
        record = self.stores.inventory.find(key)
        return record.generation + (record.digest != digest) if record else 1

    def take(self, revision: Revision) -> Edits:
        return self.index.take(revision)

    def apply(self, *gadgets: Gadget, timeout: float = 20.0) -> bool:
        """Declares `gadgets` as the whole source and works until settled."""
        self.take(declare(*gadgets))
        return self.converge(timeout)

    def converge(self, timeout: float = 20.0) -> bool:
        manager = Manager(self.parts)
        pruning = manager.pruner.decide()[0]
        manager.reconciler.prune(pruning)
        held = {key for hold in pruning.holds for key in hold.keys}
        return manager.converge(Errand({*self.index.entries(), *pruning.deletes, *held}, Flag()), timeout)

    def reason(self, name: str, kind: str = "Gadget") -> str:
        status = self.parts.board.status(Key(kind, "default", name))
        return status.reason if status else ""

    def message(self, name: str, kind: str = "Gadget") -> str:
        status = self.parts.board.status(Key(kind, "default", name))
        return status.message if status else ""
