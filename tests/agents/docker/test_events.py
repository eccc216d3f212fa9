"""Hints from the engine: what they are about, and that a broken stream is told of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from controller.engine.agent import Relist, Retry
from resources.conditions import Reason
from resources.kinds.container import Container
from resources.meta import Key
from tests.agents.contract import StillScope, watching
from tests.agents.docker.engine import RealContainers, begin, eventually
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC


def test_container_by_hand_in_the_place_of_a_resource_is_hinted_at(world: RealContainers) -> None:
    resource = world.sample()
    with watching(world.agent, [resource]) as hinted:
        world.make_strangers(resource)
        assert hinted(resource.key)


def test_verdict_of_a_healthcheck_is_hinted_at_and_its_probes_are_not(world: RealContainers, keeper: Keeper) -> None:
    check = {"test": ["CMD", "test", "-e", "/well"], "interval": "1s", "retries": 1}
    resource = world.resource("one", **SPEC, healthcheck=check)
    begin(keeper, resource)
    eventually(lambda: keeper.look(resource).health.reason == "Unhealthy")
    hints = Hints(world.agent, resource)
    eventually(lambda: probes(world, resource) > 2)
    before, many = hints.so_far(), probes(world, resource) + 2
    eventually(lambda: probes(world, resource) > many)
    assert hints.so_far() == before
    world.execute(resource, "touch", "/well")
    eventually(lambda: hints.so_far() == before + 1)
    assert keeper.look(resource).health.ready
    hints.stop()


def test_tag_that_names_another_image_is_hinted_at(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("moving", "ENV AGE=old")
    resource = world.resource("one", **{**SPEC, "image": image})
    begin(keeper, resource)
    with watching(world.agent, [resource]) as hinted:
        world.build("moving", "ENV AGE=new")
        assert hinted(resource.key)


def test_containers_of_other_installations_are_no_concern(world: RealContainers, keeper: Keeper) -> None:
    begin(keeper, resource := world.sample())
    setup = world.setup()
    other = ContainerAgent(connect(setup), setup)
    other._installation = "another"
    hints = Hints(other, world.sample("elsewhere"))
    world.engine.kill(resource.container_name)
    eventually(lambda: not world.running(resource))
    assert hints.so_far() == 0
    hints.stop()


def test_lost_engine_ends_the_watch_with_a_retry(world: RealContainers, tmp_path: Path) -> None:
    setup = world.setup(host=f"unix://{tmp_path}/none.sock")
    agent = ContainerAgent(connect(setup), setup)
    with pytest.raises(Retry) as failure:
        next(agent.watch(StillScope([]), Flag()))
    assert failure.value.reason == Reason.AGENT_UNAVAILABLE


def probes(world: RealContainers, resource: Container) -> int:
    """How often its healthcheck has failed in a row."""
    return int(world.inspect(resource)["State"]["Health"]["FailingStreak"])


class Hints:
    """Counts the hints at a key while a test goes on."""

    def __init__(self, agent: Any, resource: Container) -> None:
        self._stop, self._count, self._key = Flag(), 0, resource.key
        self._stream: Iterator[Key | Relist] = agent.watch(StillScope([resource]), self._stop)
        assert next(self._stream) == Relist()
        self._thread = Thread(target=self._follow, daemon=True)
        self._thread.start()

    def so_far(self) -> int:
        return self._count

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _follow(self) -> None:
        for hint in self._stream:
            self._count += hint == self._key
