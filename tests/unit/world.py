"""A small world for tests of the loop: gadgets in a dictionary, an agent for them, and the loop around it.

The agent can be told to be unreachable, to refuse a key, or to lie about having changed something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from controller.sources.inputs import Inputs, together
from controller.store.stores import open_stores
from controller.wiring.past import Generations
from resources.meta import About, Claim, Declared, Key, Metadata, Origin, Read, Resource, Spec, Tree, seconds
from resources.parsed import digest_of

SOURCE = "/desired"


class GadgetSpec(Spec):
    color: str | None = None
    size: int | None = None
    slot: str | None = None
    parts: tuple[str, ...] = ()
    readyTimeout: str | None = None
    rollback: bool | None = None
    directory: str | None = None


class Gadget(Resource):
    about: ClassVar[About] = About(plural="gadgets", short=("g",))
    expands: ClassVar[bool] = True
    kind: Literal["Gadget"] = "Gadget"
    spec: GadgetSpec

    def claims(self) -> Iterable[Claim]:
        return (Claim("slot", self.spec.slot),) if self.spec.slot else ()

    def ready_within(self) -> float | None:
        return seconds(self.spec.readyTimeout) if self.spec.readyTimeout else None

    def rolls_back(self) -> bool | None:
        return self.spec.rollback

    def trees(self) -> Iterable[Tree]:
        return (Tree(self.spec.directory),) if self.spec.directory else ()

    def expand(self, read: Read) -> Iterable[Resource]:
        return [gadget(f"{self.metadata.name}-{part}", color=self.spec.color) for part in self.spec.parts]


class Vault(Gadget):
    about: ClassVar[About] = About(plural="vaults", holds_data=True)
    kind: Literal["Vault"] = "Vault"  # type: ignore[assignment]


def gadget(name: str, kind: type[Gadget] = Gadget, **spec: Any) -> Gadget:
    meta = Metadata(name=name)
    return kind(apiVersion="pegasus2.dev/v1", kind=kind.__name__, metadata=meta, spec=GadgetSpec(**spec))  # type: ignore[arg-type]


def declare(*gadgets: Gadget, file: str = "/desired/all.yaml") -> Revision:
    bare = (Declared(g, Origin(file, n), digest_of(g)) for n, g in enumerate(gadgets))
    return Revision({file: together(map(Inputs().fold, bare)).documents})


@dataclass
class Thing:
    """One gadget in the world."""

    color: str | None
    size: int | None
    mark: Mark | None
    serial: int
    slot: str | None = None
    parts: tuple[str, ...] = ()
    readyTimeout: str | None = None  # echoed, for it is not a matter of the world
    rollback: bool | None = None
    directory: str | None = None


@dataclass
class GadgetAgent(SingleAgent[Gadget, Thing]):
    model: ClassVar[type[Resource]] = Gadget
    system: ClassVar[str] = "gadgets"
    world: dict[str, Thing] = field(default_factory=dict)
    unreachable: bool = False
    refused: dict[str | None, str] = field(default_factory=dict)  # by name or color
    lies: set[str | None] = field(default_factory=set)  # by name or color
    unhealthy: dict[str, Health] = field(default_factory=dict)
    ill: dict[str, Health] = field(default_factory=dict)  # by color
    writes: dict[str, str] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)  # name -> that of one without which it can't be made
    looks: list[int] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def observe(self, resources: Sequence[Gadget], ctx: Context) -> Mapping[Key, Seen[Thing]]:
        if self.unreachable:
            raise unavailable("cannot reach the gadgets: switch them on")
        self.looks.append(len(resources))
        return {resource.key: self._seen(resource) for resource in resources}

    def _seen(self, resource: Gadget) -> Seen[Thing]:
        name, spec = resource.metadata.name, resource.spec
        thing = self.world.get(name)
        if thing is None:
            lacks = self.needs.get(name, name) not in {name, *self.world}
            return Seen(None, hindered=Stalled("Lacking", f"cannot make {name}: make what it needs") if lacks else None)
        health = self.unhealthy.get(name) or self.ill.get(thing.color or "", Health())
        seen = replace(thing, readyTimeout=spec.readyTimeout, rollback=spec.rollback, directory=spec.directory)
        return Seen(seen, str(thing.serial), thing.mark, health, writes=self.writes.get(name, ""))

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
        assert step.desired is not None
        for what in (name, step.desired.spec.color):
            if what in self.refused:
                raise Stalled("Refused", self.refused[what])
        if self.unreachable:
            raise unavailable("cannot reach the gadgets: switch them on")
        self.log.append(f"{verb} {name}")
        spec = step.desired.spec
        color = "gray" if self.lies & {name, spec.color} else spec.color
        self.world[name] = Thing(color, spec.size, step.mark, len(self.log), spec.slot, spec.parts)
        return Done(handle=str(len(self.log)))


class Told(Silent):
    """Remembers what a listener is told."""

    def __init__(self) -> None:
        self.converged_keys: list[Key] = []
        self.corrected_keys: list[Key] = []
        self.rolled_back_keys: list[Key] = []

    def converged(self, key: Key, seconds: float) -> None:
        self.converged_keys.append(key)

    def corrected(self, key: Key, seconds: float) -> None:
        self.corrected_keys.append(key)

    def rolled_back(self, key: Key) -> None:
        self.rolled_back_keys.append(key)


class Loop:
    """Everything around one `GadgetAgent`; a new manager for each call, as each command has one."""

    def __init__(
        self,
        agent: GadgetAgent | None = None,
        stores: Any = None,
        source: str = SOURCE,
        clock: Clock | None = None,
    ) -> None:
        self.agent = agent or GadgetAgent()
        self.stores = stores or open_stores(None)
        self.told = Told()
        clock = clock or Clock()
        nobody: Any = SimpleNamespace()
        self.index = Index(Generations(self.stores))
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
