"""Every agent keeps the contract: those that come with Pegasus2 on their real systems, and three simulated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.agents.discovery import agent_of
from controller.engine.agent import Lists, Watches
from resources.kinds import built_in
from tests.agents.contract import Contract, GivingBack, Listing, Reaching, Secretive, Watching
from tests.agents.world import World
from tests.agents.worlds import worlds

WORLDS = worlds()


def each(suits: Callable[[type[World[Any]]], bool] = lambda world: True) -> Any:
    """A fixture that gives the worlds that suit, one after another."""
    chosen = [
        pytest.param(world, id=kind, marks=[getattr(pytest.mark, world.needs)] if world.needs else [])
        for kind, world in WORLDS.items()
        if suits(world)
    ]

    @pytest.fixture(params=chosen)
    def world(self: Any, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World[Any]]:
        made: World[Any] = request.param(tmp_path)
        yield made
        made.close()

    return world


class TestContract(Contract):
    world = each()


class TestGivingBack(GivingBack):
    world = each(lambda world: world.gives_back)


class TestSecretive(Secretive):
    world = each(lambda world: world.secretive is not World.secretive)


class TestReaching(Reaching):
    world = each(lambda world: world.cut_off is not World.cut_off)


class TestListing(Listing):
    world = each(lambda world: issubclass(world.agent_class, Lists))


class TestWatching(Watching):
    world = each(lambda world: issubclass(world.agent_class, Watches))


def test_every_agent_has_a_world() -> None:
    without = [kind for kind in built_in() if agent_of(kind) and kind not in WORLDS]
    assert not without, f"add a world in tests/agents/worlds/ for {', '.join(without)}"


def test_three_shapes_of_system_take_part() -> None:
    assert {"Tool", "Archive", "Site"} <= WORLDS.keys()


def test_agent_that_marks_its_things_can_list_them() -> None:
    agents = [world.agent_class for world in WORLDS.values()]
    assert all(issubclass(agent, Lists) for agent in agents if agent.marks)
