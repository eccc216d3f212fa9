"""Replacing a container: what is carried over, what comes back when it fails, and what a crash leaves."""

from __future__ import annotations

from typing import Any

import pytest

from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from controller.engine.agent import Retry, Stalled
from resources.kinds.container import Container
from resources.plan import Action, Disruption
from tests.agents.docker.engine import Crash, Mortal, RealContainers, free_port
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC

OLD: dict[str, Any] = {**SPEC, "restart": "always", "env": {"COLOR": "blue"}}
NEW: dict[str, Any] = {**OLD, "env": {"COLOR": "green"}}


def test_edited_environment_replaces_the_container(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD))
    identity = world.identity(old)
    new = world.resource("one", **NEW)
    plan = keeper.plan(new)
    assert (plan.action, plan.disruption) == (Action.REPLACE, Disruption.RECREATE)
    keeper.make(new)
    assert world.identity(new) != identity
    assert world.running(new)
    assert world.names() == ["one"]


def test_container_renamed_and_edited_at_once_is_replaced_under_its_new_name(
    world: RealContainers, keeper: Keeper
) -> None:
    keeper.make(world.resource("one", **OLD))
    moved = world.resource("one", **NEW, containerName=f"{world.prefix}-other")
    keeper.make(moved)
    assert world.names() == ["other"]
    assert keeper.plan(moved).empty


def test_anonymous_volumes_go_over_to_the_new_container(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("data", "VOLUME /of-the-image")
    own = [{"type": "volume", "target": "/of-the-spec"}]
    keeper.make(old := world.resource("one", **{**OLD, "image": image}, volumes=own))
    for directory in ("/of-the-image", "/of-the-spec"):
        world.execute(old, "sh", "-c", f"echo precious > {directory}/file")
    keeper.make(new := world.resource("one", **{**NEW, "image": image}, volumes=own))
    for directory in ("/of-the-image", "/of-the-spec"):
        assert world.execute(new, "cat", f"{directory}/file") == "precious\n"
    keeper.make(newer := world.resource("one", **NEW, volumes=own))  # of an image without that volume
    assert world.execute(newer, "cat", "/of-the-image/file") == "precious\n"
    assert keeper.plan(newer).empty


def test_anonymous_volume_that_is_no_longer_declared_is_left_behind(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD, volumes=[{"type": "volume", "target": "/data"}]))
    [volume] = (point["Name"] for point in world.inspect(old)["Mounts"])
    keeper.make(new := world.resource("one", **OLD))
    assert world.inspect(new)["Mounts"] == []
    assert keeper.plan(new).empty
    world.engine.remove_volume(volume)  # it is still there, and nobody uses it


def test_deleted_container_leaves_its_anonymous_volumes(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := world.resource("one", **OLD, volumes=[{"type": "volume", "target": "/data"}]))
    [volume] = (point["Name"] for point in world.inspect(resource)["Mounts"])
    keeper.delete(resource)
    world.engine.remove_volume(volume)


def test_new_container_that_does_not_start_gives_way_to_the_old_one(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD))
    identity = world.identity(old)
    broken = world.resource("one", **{**OLD, "command": ["there-is-no-such-program"]})
    failure = keeper.apply(keeper.steps(broken))[broken.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "StartFailed"
    assert "the former container is back" in failure.message
    assert (world.identity(old), world.running(old), world.names()) == (identity, True, ["one"])
    assert world.inspect(old)["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert keeper.plan(old).empty


def test_new_container_whose_port_is_taken_gives_way_to_the_old_one(world: RealContainers, keeper: Keeper) -> None:
    port = free_port()
    keeper.make(world.resource("two", **OLD, ports=[f"{port}:80"]))
    keeper.make(old := world.resource("one", **OLD))
    identity = world.identity(old)
    broken = world.resource("one", **OLD, ports=[f"{port}:80"])
    failure = keeper.apply(keeper.steps(broken))[broken.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "PortTaken"
    assert (world.identity(old), world.running(old), world.names()) == (identity, True, ["one", "two"])


def test_image_that_is_not_there_leaves_the_old_container_alone(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD))
    started = world.inspect(old)["State"]["StartedAt"]
    broken = world.resource("one", **{**OLD, "image": "p2test/there-is-no-such-image:1"})
    failure = keeper.apply(keeper.steps(broken))[broken.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "ImageNotFound"
    assert world.inspect(old)["State"]["StartedAt"] == started


def test_stranger_in_the_way_of_a_new_name_leaves_the_old_container_alone(
    world: RealContainers, keeper: Keeper
) -> None:
    keeper.make(old := world.resource("one", **OLD))
    world.make_strangers(world.resource("taken", **OLD))
    moved = world.resource("one", **NEW, containerName=f"{world.prefix}-taken")
    failure = keeper.apply(keeper.steps(moved))[old.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "NotOwned"
    assert world.running(old)
    assert world.names() == ["one", "taken"]


def test_container_made_to_vanish_when_it_stops_can_be_replaced(world: RealContainers, keeper: Keeper) -> None:
    config = {
        "Image": SPEC["image"],
        "Cmd": ["sleep", "1000"],
        "StopSignal": "SIGKILL",
        "HostConfig": {"AutoRemove": True},
    }
    resource = world.resource("one", **OLD)
    made = world.engine.create_container_from_config(config, resource.container_name)  # type: ignore[no-untyped-call]
    world.engine.start(made["Id"])
    keeper.succeed([keeper.adoption(resource)])
    assert world.running(resource)
    assert keeper.plan(resource).empty
    assert world.names() == ["one"]


# create new, take the restart policy away, stop, rename old, rename new, start, remove old
CHANGES_OF_A_REPLACEMENT = 7


def test_crash_points_are_all_there_are(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", **OLD))
    crash(world, keeper, world.resource("one", **NEW), CHANGES_OF_A_REPLACEMENT)
    with pytest.raises(AssertionError, match="survived"):
        crash(world, keeper, world.resource("one", **OLD), CHANGES_OF_A_REPLACEMENT + 1)


@pytest.mark.parametrize("point", range(1, CHANGES_OF_A_REPLACEMENT + 1))
@pytest.mark.parametrize("wanted_then", ["new", "old", "newer"])
def test_crash_in_a_replacement_is_repaired(
    point: int, wanted_then: str, world: RealContainers, keeper: Keeper
) -> None:
    image = world.build("data", "VOLUME /data")
    specs = {"old": OLD, "new": NEW, "newer": {**NEW, "env": {"COLOR": "red"}}}
    old, new, then = (world.resource("one", **{**specs[name], "image": image}) for name in ("old", "new", wanted_then))
    keeper.make(old)
    world.execute(old, "sh", "-c", "echo precious > /data/file")

    crash(world, keeper, new, point)

    keeper.make(then)
    keeper.make(then)
    assert keeper.plan(then).empty, keeper.plan(then)
    assert world.names() == ["one"]
    assert world.running(then)
    assert f"COLOR={specs[wanted_then]['env']['COLOR']}" in world.environment_of(then)
    assert world.inspect(then)["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert world.execute(then, "cat", "/data/file") == "precious\n"


@pytest.mark.parametrize("point", range(1, CHANGES_OF_A_REPLACEMENT))
def test_crash_in_a_replacement_that_leaves_the_restart_policy_alone_is_repaired(
    point: int, world: RealContainers, keeper: Keeper
) -> None:
    old, new = (world.resource("one", **{**spec, "restart": "unless-stopped"}) for spec in (OLD, NEW))
    keeper.make(old)
    crash(world, keeper, new, point)
    keeper.make(new)
    keeper.make(new)
    assert keeper.plan(new).empty, keeper.plan(new)
    assert world.names() == ["one"]
    assert world.running(new)
    assert world.inspect(new)["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("point", range(1, CHANGES_OF_A_REPLACEMENT + 1))
def test_crash_in_the_replacement_of_an_adopted_container_is_repaired(
    point: int, world: RealContainers, keeper: Keeper
) -> None:
    resource, setup = world.resource("one", **OLD), world.setup()
    config = {"Image": SPEC["image"], "Cmd": ["sleep", "2000"], "StopSignal": "SIGKILL"}
    config["HostConfig"] = {"RestartPolicy": {"Name": "always"}}
    strangers = world.engine.create_container_from_config(config, resource.container_name)  # type: ignore[no-untyped-call]
    world.engine.start(strangers["Id"])
    with pytest.raises(Crash):
        ContainerAgent(Mortal(connect(setup), point), setup).apply([keeper.adoption(resource)], keeper.context)
    seen = keeper.look(resource)
    assert seen.mark is not None or keeper.agent.same_owner(strangers["Id"], seen), "ours, by mark or by the inventory"
    keeper.make(resource)
    keeper.make(resource)
    assert keeper.plan(resource).empty, keeper.plan(resource)
    assert world.names() == ["one"]
    assert world.running(resource)


@pytest.mark.parametrize("point", range(1, CHANGES_OF_A_REPLACEMENT + 1))
def test_engine_lost_in_a_replacement_is_waited_for(point: int, world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", **OLD))
    new, setup = world.resource("one", **NEW), world.setup()
    agent = ContainerAgent(Mortal(connect(setup), point, cut_off=True), setup)
    failure = agent.apply(keeper.steps(new), keeper.context)[new.key]
    assert isinstance(failure, Retry)
    assert failure.reason == "AgentUnavailable"
    keeper.make(new)
    assert keeper.plan(new).empty
    assert world.names() == ["one"]
    assert world.running(new)


def test_copy_that_somebody_made_of_our_container_is_not_ours_to_remove(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := world.resource("one", **OLD))
    config = {"Image": SPEC["image"], "Cmd": ["sleep", "1000"], "StopSignal": "SIGKILL"}
    config["Labels"] = world.inspect(resource)["Config"]["Labels"]
    made = world.engine.create_container_from_config(config, f"{world.prefix}-copy")  # type: ignore[no-untyped-call]
    world.engine.start(made["Id"])
    world.engine.rename(resource.container_name, f"{world.prefix}-elsewhere")
    keeper.make(resource)
    keeper.make(world.resource("one", **NEW))
    assert len(world.names()) == 2
    assert world.names()[-1] == "one"


def test_restart_policy_that_no_spec_declares_survives_a_crash(world: RealContainers, keeper: Keeper) -> None:
    silent = {name: value for name, value in OLD.items() if name != "restart"}
    keeper.make(old := world.resource("one", **silent))
    world.engine.update_container(old.container_name, restart_policy={"Name": "always"})
    crash(world, keeper, world.resource("one", **{**silent, "env": {"COLOR": "green"}}), point=3)
    keeper.make(old)
    assert world.inspect(old)["HostConfig"]["RestartPolicy"]["Name"] == "always"


def crash(world: RealContainers, keeper: Keeper, resource: Container, point: int) -> None:
    """Begins to make `resource` as declared and dies after `point` changes."""
    setup = world.setup()
    agent = ContainerAgent(Mortal(connect(setup), point), setup)
    try:
        agent.apply(keeper.steps(resource), keeper.context)
    except Crash:
        return
    raise AssertionError("survived")
