"""A resource whose engine is edited moves. On two real engines: the usual one, and one of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from docker.errors import NotFound

from controller.agents.docker.client import assemble, connect
from controller.agents.docker.container import ContainerAgent
from controller.agents.docker.network import NetworkAgent
from controller.agents.docker.volume import VolumeAgent
from controller.engine.agent import Done, Retry, Stalled
from resources.kinds.container import Container
from resources.meta import API_VERSION
from resources.plan import Action, Disruption, Plan
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC
from tests.chaos.engine import OwnEngine, needs_own_engine

pytestmark = needs_own_engine


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    made = OwnEngine(tmp_path_factory.mktemp("second"))
    made.start()
    with APIClient(timeout=30) as usual:
        made.load_image(usual)
    yield made
    made.remove()


@pytest.fixture
def there(second: OwnEngine) -> Iterator[APIClient]:
    with second.client() as client:
        yield client
    second.clear()


def keeper_of(agent: Any, world: RealContainers, second: OwnEngine | None) -> Keeper:
    setup = world.setup(engines={"nas": {"host": second.host}} if second else {})
    return Keeper(world, assemble(agent, connect(setup), setup))


def container(world: RealContainers, engine: str | None, **spec: Any) -> Container:
    base = {name: value for name, value in SPEC.items() if name != "memory"}
    return world.resource("one", **{**base, "networks": [{"name": "none"}], **spec, **_on(engine)})


def other(kind: Any, world: RealContainers, engine: str | None, **spec: Any) -> Any:
    header = {"apiVersion": API_VERSION, "kind": kind.model.__name__, "metadata": {"name": f"{world.prefix}-one"}}
    return kind.model.model_validate({**header, "spec": {**spec, **_on(engine)}})


def _on(engine: str | None) -> dict[str, str]:
    return {"engine": engine} if engine else {}


def is_there(client: APIClient, name: str) -> bool:
    with suppress(NotFound):
        return bool(client.inspect_container(name)["State"]["Running"])
    return False


def test_edited_engine_moves_the_container(world: RealContainers, second: OwnEngine, there: APIClient) -> None:
    keeper = keeper_of(ContainerAgent, world, second)
    keeper.make(before := container(world, None))
    name = before.container_name
    plan = keeper.plan(after := container(world, "nas"))
    assert (plan.action, plan.disruption) == (Action.REPLACE, Disruption.RECREATE)
    assert [(each.path, each.observed, each.desired) for each in plan.changes] == [
        ("engine", "(the agent's own)", "nas")
    ]
    keeper.make(after)
    assert is_there(there, name)
    assert not is_there(world.engine, name)
    assert keeper.plan(after).empty
    keeper.make(container(world, None))
    assert is_there(world.engine, name)
    assert not is_there(there, name)


def test_move_that_was_interrupted_goes_on(world: RealContainers, second: OwnEngine, there: APIClient) -> None:
    keeper = keeper_of(ContainerAgent, world, second)
    keeper.make(before := container(world, None))
    step = keeper.steps(after := container(world, "nas"))[0]
    alone = keeper.agent.of(after)  # type: ignore[attr-defined]
    made = keeper_of(ContainerAgent, world, second)
    made.agent = alone
    assert isinstance(made.apply(made.steps(after))[after.key], Done)  # and here the process was killed
    assert is_there(world.engine, before.container_name)
    assert step.plan.action is Action.REPLACE
    assert keeper.plan(after).action is Action.UPDATE
    keeper.make(after)
    assert is_there(there, after.container_name)
    assert not is_there(world.engine, before.container_name)


def test_container_stays_where_it_is_while_the_other_engine_can_not_make_it(
    world: RealContainers, second: OwnEngine, there: APIClient
) -> None:
    keeper = keeper_of(ContainerAgent, world, second)
    keeper.make(before := container(world, None))
    broken = container(world, "nas", command=["there-is-no-such-program"])
    refused = keeper.apply(keeper.steps(broken))[broken.key]
    assert isinstance(refused, Stalled), refused
    assert is_there(world.engine, before.container_name)
    assert there.containers(all=True) == []  # nobody would know of it once the edit is taken back
    assert keeper.plan(before).empty


def test_move_waits_for_an_old_engine_that_is_away(world: RealContainers, second: OwnEngine, there: APIClient) -> None:
    keeper = keeper_of(ContainerAgent, world, second)
    keeper.make(container(world, "nas"))
    second.stop()
    moved = container(world, None)
    waits = keeper.apply(keeper.steps(moved))[moved.key]
    assert isinstance(waits, Retry), waits
    assert is_there(world.engine, moved.container_name)
    second.start()
    keeper.make(moved)
    assert not is_there(there, moved.container_name)


def test_what_is_on_an_engine_that_is_configured_no_more_is_left(
    world: RealContainers, second: OwnEngine, there: APIClient
) -> None:
    keeper = keeper_of(ContainerAgent, world, second)
    keeper.make(container(world, "nas"))
    moved = container(world, None)
    keeper.agent = keeper_of(ContainerAgent, world, None).agent
    done = keeper.apply(keeper.steps(moved))[moved.key]
    assert isinstance(done, Done), done
    assert "what was on the engine nas is left there" in done.message
    assert is_there(there, moved.container_name)


def test_deletion_is_on_the_engine_that_has_it(world: RealContainers, second: OwnEngine, there: APIClient) -> None:
    keeper = keeper_of(ContainerAgent, world, second)
    keeper.make(resource := container(world, "nas"))
    keeper.delete(resource)
    assert there.containers(all=True) == []


def test_what_is_ours_is_found_on_all_engines(world: RealContainers, second: OwnEngine, there: APIClient) -> None:
    keeper = keeper_of(ContainerAgent, world, second)
    keeper.make(resource := container(world, "nas"))
    found = {each.mark.key: each.resource for each in keeper.agent.owned(keeper.context)}  # type: ignore[attr-defined]
    recovered = found[resource.key]
    assert (recovered.spec.engine, recovered.container_name) == ("nas", resource.container_name)
    assert keeper.look(recovered).value is not None


def test_network_moves(world: RealContainers, second: OwnEngine, there: APIClient) -> None:
    keeper = keeper_of(NetworkAgent, world, second)
    keeper.make(before := other(NetworkAgent, world, None, internal=True))
    keeper.make(after := other(NetworkAgent, world, "nas", internal=True))
    assert there.networks(names=[after.world_name])
    assert not world.engine.networks(names=[before.world_name])
    keeper.delete(after)
    assert not there.networks(names=[after.world_name])


def test_moved_volume_is_empty_and_the_plan_says_so(world: RealContainers, second: OwnEngine, there: APIClient) -> None:
    keeper = keeper_of(VolumeAgent, world, second)
    keeper.make(before := other(VolumeAgent, world, None))
    plan: Plan = keeper.plan(after := other(VolumeAgent, world, "nas"))
    assert plan.loses_data
    assert "does not move along" in plan.notes[0]
    keeper.make(after)
    assert there.inspect_volume(after.world_name)
    assert world.engine.inspect_volume(before.world_name)  # which deletionPolicy, being Retain, has kept
    there.remove_volume(after.world_name)


def test_volume_that_may_go_goes_from_its_former_engine(
    world: RealContainers, second: OwnEngine, there: APIClient, tmp_path: Path
) -> None:
    keeper = keeper_of(VolumeAgent, world, second)
    keeper.make(before := other(VolumeAgent, world, None, deletionPolicy="Delete"))
    keeper.make(after := other(VolumeAgent, world, "nas", deletionPolicy="Delete"))
    with pytest.raises(NotFound):
        world.engine.inspect_volume(before.world_name)
    keeper.delete(after)
