"""strategy: startFirst: the new container has to be Ready before the old one goes."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from controller.engine import asking
from controller.engine.agent import Retry, Stalled
from resources.kinds.container import Container
from tests.agents.docker.engine import Crash, Mortal, RealContainers, eventually
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC

OLD: dict[str, Any] = {**SPEC, "strategy": "startFirst", "readyTimeout": "30s", "env": {"COLOR": "blue"}}
NEW: dict[str, Any] = {**OLD, "env": {"COLOR": "green"}}
ILL = {"healthcheck": {"test": ["CMD", "sh", "-c", "echo no luck; exit 1"], "interval": "200ms", "retries": 1}}
# Healthy as soon as somebody has made /tmp/up.
WAITING = {
    "tmpfs": {"/tmp": ""},
    "healthcheck": {"test": ["CMD", "test", "-e", "/tmp/up"], "interval": "200ms", "retries": 1000},
}


def test_new_container_takes_the_place_of_the_old_one_when_it_is_ready(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD))
    before = world.identity(old)
    new = world.resource("one", **{**NEW, **WAITING})
    applied: list[Any] = []
    work = threading.Thread(target=lambda: applied.append(keeper.apply(keeper.steps(new))[new.key]))
    work.start()
    eventually(lambda: applied or runs_beside(world, new))
    assert not applied, applied
    assert world.running(old), "both run"
    assert world.identity(old) == before
    assert world.inspect(old)["HostConfig"]["RestartPolicy"]["Name"] == SPEC["restart"]
    beside = f"{new.container_name}.p2-new"
    world.engine.exec_start(world.engine.exec_create(beside, ["touch", "/tmp/up"])["Id"])
    work.join()
    assert world.names() == ["one"]
    assert world.identity(new) != before
    assert "COLOR=green" in world.environment_of(new)
    assert keeper.plan(new).empty


def test_new_container_that_is_ill_goes_and_the_old_one_has_served_all_along(
    world: RealContainers, keeper: Keeper
) -> None:
    keeper.make(old := world.resource("one", **OLD))
    identity, started = world.identity(old), world.inspect(old)["State"]["StartedAt"]
    ill = world.resource("one", **{**NEW, **ILL, "readyTimeout": "2s"})
    failure = keeper.apply(keeper.steps(ill))[ill.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "NotReadyInTime"
    assert "was not Ready within 2s (Unhealthy: its healthcheck fails: no luck)" in failure.message
    assert (world.identity(old), world.names()) == (identity, ["one"])
    assert world.inspect(old)["State"]["StartedAt"] == started
    assert keeper.plan(old).empty


def test_new_program_that_exits_is_given_up_at_once_with_its_last_words(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD))
    identity = world.identity(old)
    says = "for n in 1 2 3 4 5 6; do echo line $n; done; echo 'no such table; giving up'; exit 3"
    broken = world.resource("one", **{**NEW, "restart": "no", "command": ["sh", "-c", says]})
    failure = keeper.apply(keeper.steps(broken))[broken.key]
    assert isinstance(failure, Stalled)
    assert "exited with code 3" in failure.message
    assert "its log ends: line 3 | line 4 | line 5 | line 6 | no such table, giving up" in failure.message
    assert (world.identity(old), world.running(old), world.names()) == (identity, True, ["one"])


def test_program_that_the_engine_restarts_again_and_again_is_given_up_early(
    world: RealContainers, keeper: Keeper
) -> None:
    keeper.make(old := world.resource("one", **OLD))
    broken = world.resource("one", **{**NEW, "restart": "always", "command": ["sh", "-c", "exit 3"]})
    failure = keeper.apply(keeper.steps(broken))[broken.key]
    assert isinstance(failure, Stalled)
    assert "it exits at each start" in failure.message
    assert (world.running(old), world.names()) == (True, ["one"])


def test_secret_that_the_new_program_prints_is_taken_out_of_its_last_words(
    world: RealContainers, keeper: Keeper
) -> None:
    world.environment["TOKEN"] = "correct-horse-battery"
    secretive = {"secretEnv": {"TOKEN": {"env": "TOKEN"}}}
    keeper.make(world.resource("one", **OLD, **secretive))
    says = {"command": ["sh", "-c", "echo token $TOKEN refused; exit 1"], "restart": "no"}
    broken = world.resource("one", **{**NEW, **says}, **secretive)
    failure = asking.apply(keeper.agent, keeper.steps(broken), keeper.context)[broken.key]
    assert isinstance(failure, Stalled)
    assert "token (secret) refused" in failure.message


def test_new_container_that_cannot_start_leaves_the_old_one_alone(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD))
    identity = world.identity(old)
    broken = world.resource("one", **{**NEW, "command": ["there-is-no-such-program"]})
    failure = keeper.apply(keeper.steps(broken))[broken.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "StartFailed"
    assert (world.identity(old), world.running(old), world.names()) == (identity, True, ["one"])


@pytest.mark.parametrize("how", ["cancelled", "overtaken"])
def test_wait_for_the_new_container_can_be_broken_off(how: str, world: RealContainers, keeper: Keeper) -> None:
    keeper.make(old := world.resource("one", **OLD))
    identity = world.identity(old)
    new = world.resource("one", **{**NEW, **WAITING})
    edited = threading.Event()
    context = replace(keeper.context, cancelled=threading.Event(), overtaken=lambda key: edited.is_set())
    outcomes: list[Any] = []
    work = threading.Thread(target=lambda: outcomes.append(keeper.agent.apply(keeper.steps(new), context)[new.key]))
    work.start()
    eventually(lambda: outcomes or runs_beside(world, new))
    assert not outcomes, outcomes
    (context.cancelled if how == "cancelled" else edited).set()
    work.join(10)
    [failure] = outcomes
    assert isinstance(failure, Retry)
    assert (world.identity(old), world.running(old), world.names()) == (identity, True, ["one"])


def test_stopped_container_is_replaced_without_being_started(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", **OLD, state="stopped"))
    keeper.make(new := world.resource("one", **NEW, state="stopped"))
    assert (world.running(new), world.names()) == (False, ["one"])
    assert "COLOR=green" in world.environment_of(new)


# create new, start new, rename old, rename new, stop, remove old
CHANGES = 6


def test_crash_points_are_all_there_are(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", **OLD))
    crash(world, keeper, world.resource("one", **NEW), CHANGES)
    with pytest.raises(AssertionError, match="survived"):
        crash(world, keeper, world.resource("one", **OLD), CHANGES + 1)


@pytest.mark.parametrize("point", range(1, CHANGES + 1))
@pytest.mark.parametrize("wanted_then", ["new", "old"])
def test_crash_on_the_way_is_repaired_and_one_of_the_two_serves(
    point: int, wanted_then: str, world: RealContainers, keeper: Keeper
) -> None:
    image = world.build("data", "VOLUME /data")
    specs = {"old": OLD, "new": NEW}
    old, new, then = (world.resource("one", **{**specs[name], "image": image}) for name in ("old", "new", wanted_then))
    keeper.make(old)
    world.execute(old, "sh", "-c", "echo precious > /data/file")

    crash(world, keeper, new, point)

    assert any(world.running(f"{world.prefix}-{name}") for name in world.names())
    seen = keeper.look(new)
    assert seen.value is not None
    assert seen.value.env["COLOR"] == ("blue" if point < 4 else "green"), "the old one, until the new one has its name"
    keeper.make(then)
    keeper.make(then)
    assert keeper.plan(then).empty, keeper.plan(then)
    assert world.names() == ["one"]
    assert world.running(then)
    assert f"COLOR={specs[wanted_then]['env']['COLOR']}" in world.environment_of(then)
    assert world.inspect(then)["HostConfig"]["RestartPolicy"]["Name"] == SPEC["restart"]
    assert world.execute(then, "cat", "/data/file") == "precious\n"


def runs_beside(world: RealContainers, resource: Container) -> bool:
    """Whether a new container runs that has yet to take the name."""
    beside = f"{resource.container_name}.p2-new"
    return bool(world.engine.containers(filters={"name": f"^/{beside}$"}))


def crash(world: RealContainers, keeper: Keeper, resource: Container, point: int) -> None:
    """Begins to make `resource` as declared and dies after `point` changes."""
    setup = world.setup()
    agent = ContainerAgent(Mortal(connect(setup), point), setup)
    try:
        agent.apply(keeper.steps(resource), keeper.context)
    except Crash:
        return
    raise AssertionError("survived")
