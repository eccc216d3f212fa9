"""A look at containers: what is found of each however many they are, how little is asked, and what may not be remembered."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from controller.agents.docker import lookup, paths
from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from controller.agents.docker.marks import PREDECESSOR
from controller.agents.docker.wire import Answer, Wire
from controller.engine.agent import Seen
from resources.kinds.container import Container, ContainerObserved
from resources.plan import Action
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC

# Nothing needs to run for it to be found.
LYING: dict[str, Any] = {**SPEC, "state": "stopped"}


class Counting:
    """Notes what is asked at once through a wire, and has something happen after each answer."""

    def __init__(self, wire: Wire) -> None:
        self.rounds: list[list[str]] = []
        self.afterwards: Callable[[], None] = lambda: None
        self._read_all = wire.read_all
        wire.read_all = self.read_all  # type: ignore[method-assign]

    def read_all(self, questions: Any) -> list[Answer]:
        answers = self._read_all(questions)
        if questions:
            self.rounds.append(list(questions))
            self.afterwards()
        return answers


@pytest.fixture(params=["few", "many"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of few and of many it is found out in two ways what a replacement has left; three are many here."""
    monkeypatch.setattr(lookup, "LIST_PASSING", 1 if request.param == "many" else 100)
    return str(request.param)


def counted(world: RealContainers, keeper: Keeper) -> Counting:
    """Has an agent of its own ask through what is returned."""
    client = connect(world.setup())
    keeper.agent = ContainerAgent(client, world.setup())
    return Counting(client._wire)


def observed(keeper: Keeper, *resources: Container) -> list[ContainerObserved | None]:
    seen = keeper.agent.observe(resources, keeper.context)
    found = [seen[resource.key] for resource in resources]
    assert all(isinstance(each, Seen) for each in found), found
    return [each.value for each in found if isinstance(each, Seen)]


def leave(world: RealContainers, resource: Container, suffix: str, labels: dict[str, str]) -> str:
    """A container beside that of a resource, as a replacement leaves it when it is killed."""
    config, name = {"Image": SPEC["image"], "Labels": labels}, f"{resource.container_name}{suffix}"
    return str(world.engine.create_container_from_config(config, name)["Id"])  # type: ignore[no-untyped-call]


def test_many_containers_take_one_question_each_and_one_more(world: RealContainers, keeper: Keeper) -> None:
    counting = counted(world, keeper)
    lying = world.resource("one", **LYING)
    keeper.make(lying)
    resources = [lying, *(world.resource(f"absent{at}", **SPEC) for at in range(lookup.LIST_PASSING - 1))]
    counting.rounds.clear()
    observed(keeper, *resources)
    (first, *others) = counting.rounds
    names = [paths.container(each.container_name) for each in resources]
    assert sorted(first) == sorted([*names, paths.temporary_containers(), paths.image(SPEC["image"])])
    assert len(others) == 1  # whether those that are not there have another name


def test_containers_that_are_there_take_one_round_trip(world: RealContainers, keeper: Keeper, size: str) -> None:
    resources = [world.resource(name, **LYING) for name in ("one", "two")]
    counting = counted(world, keeper)
    keeper.make(*resources)
    counting.rounds.clear()
    observed(keeper, *resources)
    assert [len(asked) for asked in counting.rounds] == [2 + 1 + 1 if size == "many" else 2 * 3 + 1]


def test_one_container_takes_no_list(world: RealContainers, keeper: Keeper) -> None:
    counting = counted(world, keeper)
    keeper.make(resource := world.resource("one", **LYING))
    counting.rounds.clear()
    observed(keeper, resource)
    assert [len(asked) for asked in counting.rounds] == [4]


def test_leftover_is_found_beside_its_container(world: RealContainers, keeper: Keeper, size: str) -> None:
    one, two = (world.resource(name, **LYING) for name in ("one", "two"))
    keeper.make(one, two)
    leave(world, one, ".p2-new", world.inspect(one)["Config"]["Labels"])
    first, second = observed(keeper, one, two)
    assert first and first.leftovers == (f"{one.container_name}.p2-new",)
    assert second and second.leftovers == ()
    keeper.make(one)
    assert world.names() == ["one", "two"]


def test_adopted_container_that_was_being_replaced_is_found(world: RealContainers, keeper: Keeper, size: str) -> None:
    """It carries no mark, and no name of its resource any more."""
    one = world.resource("one", **SPEC)
    world.make_strangers(one)
    former = world.identity(one)
    world.engine.rename(former, f"{one.container_name}.p2-old")
    labels = {**_labels_of_ours(world, keeper), "pegasus2.dev/key": str(one.key), PREDECESSOR: former}
    new = leave(world, one, "", labels)
    assert keeper.look(one).handle == former
    world.engine.start(new)
    found = keeper.look(one)
    assert found.value and found.handle == new
    assert found.value.leftovers == (f"{one.container_name}.p2-old",)


def _labels_of_ours(world: RealContainers, keeper: Keeper) -> dict[str, str]:
    keeper.make(other := world.resource("other", **LYING))
    return dict(world.inspect(other)["Config"]["Labels"])


def test_stranger_of_a_similar_name_is_no_leftover(world: RealContainers, keeper: Keeper, size: str) -> None:
    keeper.make(one := world.resource("one", **LYING))
    leave(world, one, ".p2-new", {})
    leave(world, one, ".p2-newest", world.inspect(one)["Config"]["Labels"])
    (found,) = observed(keeper, one)
    assert found and found.leftovers == ()


def test_container_renamed_by_hand_is_found_among_others(world: RealContainers, keeper: Keeper, size: str) -> None:
    one, two = (world.resource(name, **LYING) for name in ("one", "two"))
    keeper.make(one, two)
    world.engine.rename(one.container_name, f"{one.container_name}-renamed")
    first, second = observed(keeper, one, two)
    assert first and first.containerName == f"{one.container_name}-renamed"
    assert second and second.containerName == two.container_name


def test_stranger_with_the_name_is_found(world: RealContainers, keeper: Keeper, size: str) -> None:
    one, two = (world.resource(name, **SPEC) for name in ("one", "two"))
    world.make_strangers(one)
    seen = keeper.agent.observe([one, two], keeper.context)
    first, second = seen[one.key], seen[two.key]
    assert isinstance(first, Seen) and first.value is not None and first.mark is None
    assert isinstance(second, Seen) and second.value is None


def test_leftover_that_goes_while_it_is_looked_for_is_none(
    world: RealContainers, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "LIST_PASSING", 1)
    keeper.make(one := world.resource("one", **LYING))
    left = leave(world, one, ".p2-new", world.inspect(one)["Config"]["Labels"])
    counting = counted(world, keeper)

    def removed() -> None:
        counting.afterwards = lambda: None
        world.engine.remove_container(left)

    counting.afterwards = removed
    (found,) = observed(keeper, one)
    assert found and found.leftovers == ()
    assert len(counting.rounds) == 2


def test_leftover_that_takes_its_place_while_it_is_looked_for_is_the_container(
    world: RealContainers, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "LIST_PASSING", 1)
    keeper.make(one := world.resource("one", **LYING))
    former = world.identity(one)
    new = leave(world, one, ".p2-new", world.inspect(one)["Config"]["Labels"])
    world.engine.rename(former, f"{one.container_name}.p2-old")
    counting = counted(world, keeper)

    def finished() -> None:
        counting.afterwards = lambda: None
        world.engine.remove_container(former)
        world.engine.rename(new, one.container_name)

    counting.afterwards = finished
    seen = keeper.look(one)
    assert seen.value and seen.handle == new
    assert (seen.value.leftovers, seen.value.containerName) == ((), one.container_name)


def test_nothing_new_gives_the_very_same_answer_and_plan(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(one := world.resource("one", **SPEC))
    (first,), (second,) = observed(keeper, one), observed(keeper, one)
    assert first is second
    assert keeper.agent.diff(one, one, first) is keeper.agent.diff(one, one, second)
    edited = world.resource("one", **{**SPEC, "memory": "96m"})
    assert keeper.agent.diff(edited, one, first).action is Action.UPDATE
    world.engine.kill(one.container_name)
    (third,) = observed(keeper, one)
    assert third and third.state == "stopped"
    assert keeper.agent.diff(one, one, third).action is Action.UPDATE


def test_time_passes_for_a_container_of_which_nothing_new_is_said(world: RealContainers, keeper: Keeper) -> None:
    spec = {**SPEC, "minReadySeconds": 3600}
    clock = Clock()
    keeper.agent = ContainerAgent(connect(world.setup()), world.setup(), clock)
    keeper.succeed(keeper.steps(one := world.resource("one", **spec)))
    waiting = keeper.look(one)
    clock.seconds += 7200
    ready = keeper.look(one)
    assert (waiting.health.ready, ready.health.ready) == (False, True)
    assert ready.value is waiting.value  # so it is the time alone


class Clock:
    def __init__(self) -> None:
        self.seconds = time.time()

    def __call__(self) -> float:
        return self.seconds


def test_image_that_the_tag_has_come_to_name_is_seen(world: RealContainers, keeper: Keeper) -> None:
    tag = world.build("moving", "LABEL edition=first")
    keeper.make(one := world.resource("one", **{**LYING, "image": tag}))
    assert keeper.plan(one).empty
    world.build("moving", "LABEL edition=second")
    assert keeper.plan(one).updates
