"""The live set of resources of one kind, as an agent's watch sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.engine.index import Index
from resources.meta import Claim, Key, Resource


class LiveScope:
    """Implements `agent.Scope` on the index."""

    def __init__(self, index: Index, kind: str) -> None:
        self._index = index
        self._kind = kind

    def resources(self) -> Sequence[Resource]:
        return self._index.of_kind(self._kind)

    def find(self, claim: Claim) -> Key | None:
        return self._index.claimant(claim)

    def subscribe(self, changed: Callable[[Sequence[Resource], Sequence[Resource]], None]) -> None:
        self._index.subscribe(self._kind, changed)
