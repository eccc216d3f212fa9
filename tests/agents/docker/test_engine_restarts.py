"""An engine of the test's own, stopped and started: what was under way is waited for and finished."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from controller.engine.agent import Outcome, Relist, Retry
from resources.conditions import Reason
from resources.kinds.container import Container
from resources.meta import Key
from tests.agents.contract import StillScope
from tests.agents.docker.engine import RealContainers, eventually
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE
from tests.chaos.engine import OwnEngine, needs_own_engine

pytestmark = needs_own_engine
SPEC: dict[str, Any] = {
    "image": IMAGE,
    "pullPolicy": "never",
    "command": ["sleep", "1000"],
    "stopSignal": "SIGKILL",
    "networks": [{"name": "none"}],
}


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    directory = tmp_path_factory.mktemp("engine")
    engine = OwnEngine(directory)
    engine.start()
    yield engine
    engine.remove()


@pytest.fixture
def inside(own: OwnEngine, world: RealContainers) -> Iterator[RealContainers]:
    """The world of containers, moved into the engine of the test's own."""
    own.load_image(world.engine)
    usual, world.engine = world.engine, own.client()
    setup = world.setup(host=own.host)
    world.agent = ContainerAgent(connect(setup), setup)
    yield world
    for each in world.engine.containers(all=True):
        world.engine.remove_container(each["Id"], force=True)
    world.engine = usual


def test_engine_that_comes_back_is_used_again_without_ado(own: OwnEngine, inside: RealContainers) -> None:
    keeper = Keeper(inside)
    keeper.make(resource := inside.resource("one", **SPEC))
    hints: list[Key | Relist | Retry] = []
    watcher = Thread(target=follow, args=(inside.agent, resource, hints), daemon=True)
    watcher.start()
    eventually(lambda: hints == [Relist()])

    own.stop()
    watcher.join(10)
    assert isinstance(hints[-1], Retry)
    with pytest.raises(Retry) as failure:
        inside.agent.observe([resource], keeper.context)
    assert failure.value.reason == Reason.AGENT_UNAVAILABLE

    own.start()
    assert [change.path for change in keeper.plan(resource).changes] == ["state"]
    keeper.make(resource)
    assert inside.running(resource)


def test_replacement_under_way_is_finished_when_the_engine_is_back(own: OwnEngine, inside: RealContainers) -> None:
    keeper = Keeper(inside)
    deaf = {**SPEC, "command": ["sh", "-c", "trap '' TERM; sleep 1000"], "stopSignal": "TERM", "stopGracePeriod": "4s"}
    keeper.make(inside.resource("one", **deaf))
    new = inside.resource("one", **SPEC, env={"COLOR": "green"})
    steps, outcomes = keeper.steps(new), list[Outcome]()
    worker = Thread(target=lambda: outcomes.extend(inside.agent.apply(steps, keeper.context).values()), daemon=True)
    worker.start()
    eventually(lambda: inside.names() == ["one", "one.p2-new"])

    own.stop(signal.SIGKILL)
    worker.join(20)
    assert isinstance(outcomes[0], Retry)
    assert outcomes[0].reason == Reason.AGENT_UNAVAILABLE

    own.start()
    keeper.make(new)
    assert keeper.plan(new).empty, keeper.plan(new)
    assert inside.names() == ["one"]
    assert inside.running(new)


def follow(agent: Any, resource: Container, hints: list[Key | Relist | Retry]) -> None:
    try:
        for hint in agent.watch(StillScope([resource]), Flag()):
            if isinstance(hint, Relist):
                hints.append(hint)
    except Retry as failure:
        hints.append(failure)
