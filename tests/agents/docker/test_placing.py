"""Files that are put into a container: what they hold, that an edit is noticed, and that a secret is never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controller.engine.agent import Stalled
from resources.kinds.container import Container
from resources.plan import Action
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE

SECRET = "hush-hush"


def with_files(world: RealContainers, **files: Any) -> Container:
    """Each file's name is that of a keyword, in /etc."""
    placed = {f"/etc/{name}": file for name, file in files.items()}
    return world.resource("one", image=IMAGE, command=["sleep", "600"], stopGracePeriod="1s", init=True, files=placed)


@pytest.fixture
def secret(world: RealContainers) -> dict[str, Any]:
    world.environment["KEY"] = SECRET
    return {"secret": {"env": "KEY"}}


def test_files_are_there_with_rights_and_owners(world: RealContainers, keeper: Keeper, secret: Any) -> None:
    motd = {"content": "Hellö\n", "mode": "0640", "uid": 1000, "gid": 1001}
    keeper.make(resource := with_files(world, motd=motd, key=secret, empty={"content": ""}))
    shown = world.execute(resource, "stat", "-c", "%a %u %g", "/etc/motd", "/etc/key").split("\n")[:2]
    assert shown == ["640 1000 1001", "444 0 0"]
    assert world.execute(resource, "cat", "/etc/motd") == "Hellö\n"
    assert world.execute(resource, "cat", "/etc/key", "/etc/empty") == SECRET
    assert keeper.plan(resource).empty


def test_a_secret_stands_in_no_label_and_no_plan(world: RealContainers, keeper: Keeper, secret: Any) -> None:
    keeper.make(resource := with_files(world, key=secret))
    assert SECRET not in json.dumps(world.inspect(resource))
    world.environment["KEY"] = f"{SECRET}-2"
    plan = keeper.plan(resource)
    assert (plan.action, [change.path for change in plan.changes]) == (Action.REPLACE, ["files./etc/key"])
    assert SECRET not in repr(plan)
    assert SECRET not in repr(keeper.look(resource))


@pytest.mark.parametrize(
    "edited",
    [
        {"motd": {"content": "two"}},
        {"motd": {"content": "one", "mode": "0600"}},
        {"motd": {"content": "one", "uid": 5}},
        {"motd": {"content": "one"}, "more": {"content": "one"}},
        {"more": {"content": "one"}},
        {},
    ],
    ids=["content", "mode", "owner", "added", "renamed", "removed"],
)
def test_an_edit_replaces_the_container(edited: dict[str, Any], world: RealContainers, keeper: Keeper) -> None:
    keeper.make(with_files(world, motd={"content": "one"}))
    resource = with_files(world, **edited)
    assert keeper.plan(resource).action is Action.REPLACE
    keeper.make(resource)
    assert keeper.plan(resource).empty
    there = world.execute(resource, "ls", "/etc").split()
    assert {name for name in ("motd", "more") if name in there} == {*edited}


def test_a_container_that_never_got_its_files_is_made_anew(world: RealContainers, keeper: Keeper) -> None:
    """Killed between making it and putting them in: it has the label, and was not started."""
    keeper.make(resource := with_files(world, motd={"content": "one"}))
    labels = world.inspect(resource)["Config"]["Labels"]
    world.engine.remove_container(resource.container_name, force=True)
    config = {"Image": IMAGE, "Cmd": ["sleep", "600"], "Labels": labels, "StopTimeout": 1, "HostConfig": {"Init": True}}
    world.engine.create_container_from_config(config, resource.container_name)
    assert keeper.plan(resource).action is Action.REPLACE
    keeper.make(resource)
    assert world.execute(resource, "cat", "/etc/motd") == "one"


@pytest.mark.parametrize(("held", "adopted"), [("one", True), ("two", False)])
def test_a_container_of_others_is_looked_into(held: str, adopted: bool, world: RealContainers, keeper: Keeper) -> None:
    resource = with_files(world, motd={"content": "one"})
    host = {"Init": True}
    config = {"Image": IMAGE, "Cmd": ["sh", "-c", f"printf {held} > /etc/motd; exec sleep 600"], "HostConfig": host}
    resource = resource.model_copy(update={"spec": resource.spec.model_copy(update={"command": tuple(config["Cmd"])})})
    made = world.engine.create_container_from_config({**config, "StopTimeout": 1}, resource.container_name)
    world.engine.start(made["Id"])
    assert world.execute(resource, "sh", "-c", "until [ -s /etc/motd ]; do :; done; cat /etc/motd") == held
    assert (keeper.plan(resource).changes == ()) is adopted


def test_a_secret_that_is_not_there_stalls_and_is_named(world: RealContainers, keeper: Keeper) -> None:
    resource = with_files(world, key={"secret": {"env": "MISSING"}})
    outcome = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(outcome, Stalled)
    assert "MISSING" in outcome.message
