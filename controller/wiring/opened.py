"""A loop and what it keeps, opened: what every surface can ask of it, wherever the desired state comes from.

`workspace.py` opens one over files, `operator.py` one over the objects of a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from threading import Event as Flag
from types import TracebackType
from typing import Self

from controller.engine.agent import AgentHealth, Done, Failure, healths
from controller.engine.index import Entry
from controller.engine.manager import Manager
from controller.engine.parts import Parts
from controller.engine.revision import Condition, Source
from controller.engine.stores import Level, Stores
from controller.store.home import Home
from controller.wiring.retention import Retention
from resources.meta import Declared, Key, Resource


class Opened:
    """`closing` has all that is to be closed with it."""

    def __init__(self, parts: Parts, source: Source, home: Home, closing: ExitStack) -> None:
        self.stores: Stores = parts.stores
        self.home = home
        self.parts = parts
        self.manager = Manager(parts)
        self._desired = source
        self._closing = closing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.manager.stop()
        self._closing.close()

    # -- desired state -----------------------------------------------------------------------------------------

    def declared(self) -> Mapping[Key, Declared]:
        """All resources in force, children of expanding ones included."""
        return {key: entry.declared for key, entry in self.entries().items()}

    def entries(self) -> Mapping[Key, Entry]:
        """What is desired."""
        return self.parts.index.entries()

    def elsewhere(self) -> Sequence[tuple[Key, str]]:
        """What is declared for other machines, with their node names; it is neither shown nor looked at here."""
        return [(resource.key, resource.spec.node or "") for resource in self.parts.index.all_elsewhere()]

    def generation(self, key: Key) -> int:
        """The generation of a declared resource; 0 when it is not declared."""
        entry = self.parts.index.find(key)
        return entry.generation if entry else 0

    # -- by order ----------------------------------------------------------------------------------------------

    def restart(self, key: Key, resource: Resource) -> Done | Failure:
        """Restarts a thing as it is, for who has opened this. Raises NotKept."""
        return self._loop.restart(key, resource, self.parts.requests.own)

    @property
    def _loop(self) -> Manager:
        """Whose keys must not be worked meanwhile."""
        return self.manager

    # -- for ever ----------------------------------------------------------------------------------------------

    def run(self, stop: Flag) -> None:
        """The controller: watches source and world and keeps them equal until `stop` is set.

        Raises HomeError for a setting that can't be read.
        """
        retention = Retention(self.home, self.stores.audit)
        with self.home.pokes() as pokes, retention.kept(stop):
            self.manager.run(self._desired, stop, pokes)

    @property
    def begun(self) -> Flag:
        """Set when a running controller has taken in its first revision."""
        return self.manager.begun

    def cancel(self) -> None:
        """Asks the agents to break off what they are doing, as far as they can."""
        self.parts.context.cancelled.set()

    def changing(self) -> frozenset[Key]:
        """What is being changed just now."""
        return self.manager.reconciler.changing()

    def poke(self) -> None:
        """Has the loop look again at what the user has said."""
        self.home.poke()

    def record(self, level: Level, reason: str, message: str) -> None:
        """An event about no resource in particular."""
        self.parts.board.record(None, level, reason, message)

    def agents(self) -> Mapping[str, AgentHealth]:
        """Health of the systems behind every declared kind, by name (docker, docker/nas, environment)."""
        health: dict[str, AgentHealth] = {}
        for kind in sorted({key.kind for key in self.entries()}):
            agent = self.parts.agent_of(kind)
            if agent and agent.system not in health:
                health |= healths(agent, self.parts.context)
        return health

    def queue_depth(self) -> int:
        return self.manager.depth()

    def died(self) -> str:
        """Which part of a running controller has died; empty while all live."""
        return self.manager.died()

    def stuck(self, seconds: float) -> str:
        """Which systems' lanes have not got on with their work for so long; empty while all move."""
        return self.manager.stuck(seconds)

    def reached(self) -> Mapping[str, bool]:
        """Whether each system that work was done on answered when last asked, by its name. Asks nobody."""
        return self.manager.reached()

    def source_trouble(self) -> str:
        """What is wrong with the source as a whole (missing, unreadable, empty); "" when nothing is."""
        index = self.parts.index
        return "" if index.condition is Condition.OK else f"the source is {index.condition}: {index.message}"
