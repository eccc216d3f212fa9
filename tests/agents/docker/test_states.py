"""What runs, what is stopped, what has completed, and when each of them counts as Ready."""

from __future__ import annotations

import time
from typing import Any

from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from resources.kinds.container import Container
from resources.plan import Action
from tests.agents.docker.engine import RealContainers, begin, eventually
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC


def test_stopped_by_hand_is_started_again(world: RealContainers, keeper: Keeper) -> None:
    resource = world.sample()
    keeper.make(resource)
    identity = world.identity(resource)
    world.engine.stop(resource.container_name, timeout=0)
    assert paths(keeper, resource) == ["state"]
    keeper.make(resource)
    assert (world.running(resource), world.identity(resource)) == (True, identity)


def test_paused_by_hand_goes_on(world: RealContainers, keeper: Keeper) -> None:
    resource = world.sample()
    keeper.make(resource)
    world.engine.pause(resource.container_name)
    assert paths(keeper, resource) == ["state"]
    keeper.make(resource)
    assert world.inspect(resource)["State"]["Status"] == "running"


def test_stopped_container_is_made_and_not_started(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", **SPEC, state="stopped")
    keeper.make(resource)
    assert world.inspect(resource)["State"]["Status"] == "created"
    assert keeper.look(resource).health.ready


def test_started_by_hand_is_stopped_again(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", **SPEC, state="stopped")
    keeper.make(resource)
    world.engine.start(resource.container_name)
    assert paths(keeper, resource) == ["state"]
    keeper.make(resource)
    assert not world.running(resource)


def test_replaced_stopped_container_stays_stopped(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", **SPEC, state="stopped"))
    edited = world.resource("one", **{**SPEC, "env": {"TZ": "CET"}}, state="stopped")
    keeper.make(edited)
    assert not world.running(edited)
    assert "TZ=CET" in world.inspect(edited)["Config"]["Env"]


def test_container_that_has_ended_well_is_ready_and_not_run_again(world: RealContainers, keeper: Keeper) -> None:
    resource = completing(world, "exit 0")
    keeper.make(resource)
    eventually(lambda: keeper.look(resource).health.ready)
    started = world.inspect(resource)["State"]["StartedAt"]
    assert keeper.plan(resource).empty
    keeper.make(resource)
    assert world.inspect(resource)["State"]["StartedAt"] == started


def test_container_that_is_still_at_work_is_not_ready(world: RealContainers, keeper: Keeper) -> None:
    resource = completing(world, "sleep 1000")
    begin(keeper, resource)
    health = keeper.look(resource).health
    assert (health.ready, health.reason) == (False, "Progressing")
    assert keeper.plan(resource).empty


def test_container_that_has_failed_says_so_and_is_not_run_again(world: RealContainers, keeper: Keeper) -> None:
    resource = completing(world, "exit 3")
    begin(keeper, resource)
    eventually(lambda: keeper.look(resource).health.stalled)
    health = keeper.look(resource).health
    assert (health.ready, health.reason) == (False, "Failed")
    assert "exit code 3" in health.message
    assert keeper.plan(resource).empty


def test_edited_container_that_had_completed_runs_again(world: RealContainers, keeper: Keeper) -> None:
    resource = completing(world, "exit 0")
    keeper.make(resource)
    eventually(lambda: keeper.look(resource).health.ready)
    edited = completing(world, "exit 0", memory="32m")  # live for others; here it means another run
    assert keeper.plan(edited).action is Action.REPLACE
    identity = world.identity(resource)
    keeper.make(edited)
    eventually(lambda: keeper.look(edited).health.ready)
    assert world.identity(edited) != identity


def test_crash_loop_is_not_ready_and_gives_the_exit_code(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", **{**SPEC, "command": ["sh", "-c", "exit 7"], "restart": "always"})
    begin(keeper, resource)
    eventually(lambda: world.inspect(resource)["RestartCount"] > 1)
    seen = keeper.look(resource)
    assert (seen.health.ready, seen.health.reason) == (False, "CrashLoop")
    eventually(lambda: "code 7" in keeper.look(resource).health.message)


def test_restarting_container_is_left_to_the_engine(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", **{**SPEC, "command": ["sh", "-c", "exit 7"], "restart": "always"})
    begin(keeper, resource)
    eventually(lambda: world.inspect(resource)["State"]["Restarting"])
    assert keeper.plan(resource).empty


def test_container_without_restart_policy_that_ends_is_started_again(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", **{**SPEC, "command": ["true"], "restart": "no"})
    begin(keeper, resource)
    eventually(lambda: not world.running(resource))
    assert paths(keeper, resource) == ["state"]


def test_container_is_ready_when_its_healthcheck_says_so(world: RealContainers, keeper: Keeper) -> None:
    check = {"test": ["CMD", "test", "-e", "/well"], "interval": "1s", "retries": 1}
    resource = world.resource("one", **SPEC, healthcheck=check)
    begin(keeper, resource)
    health = keeper.look(resource).health
    assert (health.ready, health.reason) == (False, "Progressing")
    assert health.again is not None
    eventually(lambda: keeper.look(resource).health.reason == "Unhealthy")
    world.execute(resource, "touch", "/well")
    eventually(lambda: keeper.look(resource).health.ready)


def test_container_is_ready_after_its_seconds(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", **SPEC, minReadySeconds=60)
    begin(keeper, resource)
    health = keeper.look(resource).health
    assert not health.ready
    assert health.again is not None and 50 < health.again <= 60
    setup = world.setup()
    later = Keeper(world, ContainerAgent(connect(setup), setup, now=lambda: time.time() + 61))
    assert later.look(resource).health.ready


def completing(world: RealContainers, script: str, **spec: Any) -> Container:
    return world.resource(
        "one", **{**SPEC, "command": ["sh", "-c", script], "restart": "no", "state": "completed", **spec}
    )


def paths(keeper: Keeper, resource: Container) -> list[str]:
    plan = keeper.plan(resource)
    assert plan.action is Action.UPDATE, plan
    return [change.path for change in plan.changes]
