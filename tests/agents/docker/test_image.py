"""What the image supplies, what it is called, and what its tag comes to mean."""

from __future__ import annotations

from typing import Any

from resources.plan import Action, Why
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE

SUPPLIES = (
    "ENV COLOR=blue TZ=UTC",
    "LABEL tier=web whose=image",
    "USER 1000:1000",
    "WORKDIR /srv",
    "EXPOSE 80/tcp",
    "VOLUME /data",
    "STOPSIGNAL SIGKILL",
    "HEALTHCHECK --interval=1h --timeout=3s --retries=5 CMD true",
    'ENTRYPOINT ["sleep"]',
    'CMD ["1000"]',
)
# The same, and other values, as a spec would say it.
EQUAL: dict[str, Any] = {
    "env": {"COLOR": "blue"},
    "labels": {"tier": "web"},
    "user": "1000:1000",
    "workingDir": "/srv",
    "stopSignal": "KILL",
    "healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "60m", "retries": 5},
    "entrypoint": ["sleep"],
    "command": ["1000"],
}
OTHER: dict[str, Any] = {
    "env": {"COLOR": "red", "MORE": "x"},
    "labels": {"tier": "db", "more": "x"},
    "user": "0",
    "workingDir": "/",
    "stopSignal": "USR1",
    "healthcheck": {"test": ["CMD", "false"], "interval": "2h", "startPeriod": "5s"},
    "entrypoint": ["sleep", "--"],
    "command": ["2000"],
}


def test_what_the_image_supplies_is_no_difference(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", image=world.build("full", *SUPPLIES), state="stopped")
    keeper.make(resource)
    assert keeper.plan(resource).empty, keeper.plan(resource)
    seen = keeper.look(resource).value
    assert {field: getattr(seen, field) or None for field in EQUAL} == dict.fromkeys(EQUAL)


def test_declaring_what_the_image_supplies_changes_nothing(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("full", *SUPPLIES)
    keeper.make(world.resource("one", image=image, state="stopped"))
    declared = world.resource("one", image=image, state="stopped", **EQUAL)
    assert keeper.plan(declared).empty, keeper.plan(declared)
    keeper.last[declared.key] = declared
    assert keeper.plan(world.resource("one", image=image, state="stopped")).empty  # nor does leaving it out again


def test_fields_that_are_dropped_go_back_to_the_image(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("full", *SUPPLIES)
    for field, value in OTHER.items():
        keeper.make(declared := world.resource("one", image=image, state="stopped", **{field: value}))
        assert keeper.plan(declared).empty, keeper.plan(declared)
        plain = world.resource("one", image=image, state="stopped")
        plan = keeper.plan(plain)
        assert {change.why for change in plan.changes} == {Why.DROPPED}, field
        keeper.make(plain)
        assert keeper.plan(plain).empty, keeper.plan(plain)


def test_part_of_a_healthcheck_takes_the_rest_from_the_image(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("full", *SUPPLIES)
    for healthcheck in ({"interval": "5s"}, {"disable": True}, {"timeout": "9s", "retries": 1}):
        keeper.make(declared := world.resource("one", image=image, state="stopped", healthcheck=healthcheck))
        assert keeper.plan(declared).empty, keeper.plan(declared)


def test_entrypoint_of_the_image_can_be_taken_away(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("full", *SUPPLIES)
    keeper.make(world.resource("one", image=image, state="stopped"))
    bare = world.resource("one", image=image, state="stopped", entrypoint=[], command=["sleep", "1000"])
    assert [change.path for change in keeper.plan(bare).changes] == ["command", "entrypoint"]
    keeper.make(bare)
    assert world.inspect(bare)["Path"] == "sleep"
    assert keeper.plan(bare).empty, keeper.plan(bare)


def test_edited_image_replaces_the_container(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", image=world.build("old", "ENV AGE=old"), state="stopped"))
    new = world.resource("one", image=world.build("new", "ENV AGE=new"), state="stopped")
    plan = keeper.plan(new)
    assert (plan.action, [change.path for change in plan.changes]) == (Action.REPLACE, ["image"])
    keeper.make(new)
    assert "AGE=new" in world.environment_of(new)


def test_image_spelled_otherwise_is_the_same_image(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", image=IMAGE, state="stopped"))
    assert keeper.plan(world.resource("one", image=f"docker.io/{IMAGE}", state="stopped")).empty


def test_another_name_of_the_same_image_is_no_difference(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("first", "ENV AGE=old")
    keeper.make(world.resource("one", image=image, state="stopped"))
    world.engine.tag(image, f"{world.prefix}", "second")
    renamed = world.resource("one", image=f"{world.prefix}:second", state="stopped")
    assert keeper.plan(renamed).empty, keeper.plan(renamed)
    world.build("second", "ENV AGE=new")
    assert keeper.plan(renamed).action is Action.REPLACE


def test_tag_that_names_another_image_now_replaces_the_container(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("moving", "ENV AGE=old")
    keeper.make(resource := world.resource("one", image=image, state="stopped"))
    world.build("moving", "ENV AGE=new")
    plan = keeper.plan(resource)
    assert (plan.action, [change.path for change in plan.changes]) == (Action.REPLACE, ["image"])
    keeper.make(resource)
    assert "AGE=new" in world.environment_of(resource)
    assert keeper.plan(resource).empty


def test_tag_that_is_gone_is_no_difference(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("untagged", "ENV AGE=old")
    keeper.make(resource := world.resource("one", image=image, state="stopped"))
    world.engine.tag(image, f"{world.prefix}", "other")
    world.engine.remove_image(image)
    assert keeper.plan(resource).empty, keeper.plan(resource)
