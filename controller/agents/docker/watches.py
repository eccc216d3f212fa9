"""The watches of several engines as one: each has a thread, and one that breaks is begun again beside the others.

`per_engine.py` calls this where agents/docker.yaml names engines. One that no resource is on is not connected to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread

from controller.engine.agent import Relist, Retry, Scope, Watches
from resources.docker.engines import engine_of
from resources.meta import Claim, Key, Resource

log = logging.getLogger(__name__)

AGAIN, SELDOM = 2.0, 15.0  # seconds after a watch has broken, and at most while its engine stays away
GLANCE = 0.5  # seconds between looks at the stop flag while nothing is hinted at


def watch_all(agents: Mapping[str, Watches], scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
    """Hints of all engines, by name; a Relist is of the resources of one engine."""
    hints: SimpleQueue[Key | Relist] = SimpleQueue()
    ended, used = Flag(), Flag()
    scope.subscribe(lambda arrived, left: used.set())
    threads: dict[str, Thread] = {}
    used.set()
    try:
        while not stop.is_set():
            if used.is_set():
                used.clear()
                for name in {engine_of(each) for each in scope.resources()} & agents.keys() - threads.keys():
                    one = OneWatch(name, agents[name], _Part(scope, name), hints.put)
                    threads[name] = Thread(target=one.go_on, args=(_Either(stop, ended),), daemon=True)
                    threads[name].start()
            try:
                yield hints.get(timeout=GLANCE)
            except Empty:
                continue
    finally:
        ended.set()


class OneWatch:
    """The watch of one engine, begun again whenever it breaks."""

    def __init__(self, name: str, agent: Watches, scope: Scope, hint: Callable[[Key | Relist], None]) -> None:
        self._name, self._agent, self._scope, self._hint = name, agent, scope, hint

    def go_on(self, stop: Flag) -> None:
        """As the engine's own `watching.watch` does for one system: until `stop` is set."""
        pause, said = AGAIN, ""
        while not stop.is_set():
            connected = False
            try:
                for found in self._agent.watch(self._scope, stop):
                    connected = True
                    self._hint(Relist(self._keys()) if isinstance(found, Relist) else found)
            except Retry as lost:
                if connected or lost.message != said:  # an engine may be away for weeks
                    log.info("watch lost", extra={"engine": self._name, "cause": lost.message})
                said = lost.message
            except Exception:  # a watch that dies silently is the complaint heard most
                log.exception("watch failed", extra={"engine": self._name})
            for key in self._keys() if connected and not stop.is_set() else ():
                self._hint(key)  # what it watched may be lost with it, which only a look can tell
            pause = AGAIN if connected else min(pause * 2, SELDOM)
            stop.wait(pause)

    def _keys(self) -> tuple[Key, ...]:
        return tuple(resource.key for resource in self._scope.resources())


class _Part:
    """The resources of one engine, as that engine's agent is to see them. Implements `agent.Scope`."""

    def __init__(self, scope: Scope, engine: str) -> None:
        self._scope, self._engine = scope, engine

    def resources(self) -> Sequence[Resource]:
        return [each for each in self._scope.resources() if engine_of(each) == self._engine]

    def find(self, claim: Claim) -> Key | None:
        return self._scope.find(claim._replace(place=self._engine))

    def subscribe(self, changed: Callable[[Sequence[Resource], Sequence[Resource]], None]) -> None:
        def ours(arrived: Sequence[Resource], left: Sequence[Resource]) -> None:
            mine = [[each for each in part if engine_of(each) == self._engine] for part in (arrived, left)]
            if any(mine):
                changed(*mine)

        self._scope.subscribe(ours)


class _Either(Flag):
    """Set once either of two is."""

    def __init__(self, one: Flag, other: Flag) -> None:
        super().__init__()
        self._one, self._other = one, other

    def is_set(self) -> bool:
        return self._one.is_set() or self._other.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._one.wait(timeout) or self._other.is_set()
