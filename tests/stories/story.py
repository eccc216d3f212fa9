"""One story: a mode, a world, and the resources in it, cleared away at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resources.meta import Resource
from tests.agents.contract import with_common
from tests.agents.world import ByHand, World
from tests.stories.mode import Mode
from tests.support import eventually

_MADE = {"Created", "Updated", "Replaced", "Deleted", "Adopted"}


class Telling:
    """Resources as the mode has them; what is declared is remembered, to be cleared away."""

    def __init__(self, mode: Mode, world: World[Any]) -> None:
        self.mode, self.world = mode, world
        self._declared: dict[Any, Resource] = {}

    def sample(self, name: str = "one", **common: Any) -> Resource:
        """A resource that goes when it is deleted, unless told otherwise."""
        return self._here(self.world.sample(name), **{"deletionPolicy": "Delete", **common})

    def edits(self, resource: Resource) -> dict[str, Resource]:
        found = self.world.edits(resource)
        return {what: self._here(each, deletionPolicy="Delete") for what, each in found.items()}

    def drifts(self, resource: Resource) -> ByHand:
        return self.world.drifts(resource)

    def state(self, resource: Resource) -> Any:
        return self.world.state(resource)

    def declare(self, *resources: Resource) -> None:
        self._declared |= {each.key: each for each in resources}
        self.mode.declare(*resources)

    def make(self, *resources: Resource) -> None:
        """Declares them, and waits until they are there."""
        self.declare(*resources)
        self.mode.settle(*resources)

    def withdraw(self, *resources: Resource) -> None:
        self.mode.withdraw(*resources)

    def harm(self, resource: Resource, hand: Callable[[], None], what: str) -> None:
        """Has somebody do something to the thing, and waits until the program has put it right."""
        declared, before = self.state(resource), self.moves(resource)
        with self.mode.program.unseen():
            hand()
            assert self.state(resource) != declared, what
        self.restored(resource, declared, before, what)

    def restored(self, resource: Resource, declared: Any, moves: int, what: str) -> None:
        """Waits until the program has done something since it had done `moves`, and the thing is as `declared`."""

        def as_it_was() -> bool:
            self.mode.settled(resource)
            return self.moves(resource) > moves and bool(self.state(resource) == declared)

        try:
            eventually(as_it_was, f"{resource.key} is as declared again ({what})")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.mode.report(resource)}, {self.state(resource)}") from None
        self.mode.settle(resource)

    def steady(self, resource: Resource) -> None:
        """Has the program look again, and waits until it has: nothing moved."""
        before = self.state(resource), self.mode.report(resource).handle, self.moves(resource)
        self.make(with_common(self._declared[resource.key], interval="11m"))
        assert (self.state(resource), self.mode.report(resource).handle, self.moves(resource)) == before

    def clear(self) -> None:
        self.mode.withdraw(*self._declared.values())

    def moves(self, resource: Resource) -> int:
        """How often the program has changed the thing."""
        return sum(count for reason, count in self.mode.happened(resource).items() if reason in _MADE)

    def _here(self, resource: Resource, **common: Any) -> Resource:
        kind = type(resource)
        found = self.mode.here(resource)
        written = found.model_dump(mode="json", exclude_unset=True)
        written["spec"] |= common
        return kind.model_validate(written)


def until(happened: Callable[[], object], what: str) -> None:
    eventually(lambda: bool(happened()), what)
