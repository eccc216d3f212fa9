"""What was read ahead saves questions, and never hides what has happened since."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker import lookup
from controller.agents.docker.ahead import Ahead, begin
from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from controller.agents.docker.marks import PREDECESSOR
from controller.agents.docker.wire import Answer
from controller.agents.docker.writing import WritableWire
from controller.engine.agent import Setup
from resources.docker.names import INSTALLATION as LABEL
from resources.kinds.container import Container, ContainerObserved
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.world import INSTALLATION
from tests.agents.worlds.container import SPEC


class Counting:
    """Reads and changes, and remembers what was asked."""

    def __init__(self, wire: WritableWire) -> None:
        self._wire = wire
        self.asked: list[str] = []
        self.follow, self.close, self.change = wire.follow, wire.close, wire.change

    def read_all(self, questions: Any) -> list[Answer]:
        self.asked += questions
        return self._wire.read_all(questions)


def reading_ahead(world: RealContainers) -> tuple[Keeper, Counting]:
    """Somebody whose agent has read ahead, and what it asks from then on."""
    writing = world.setup()
    client = connect(writing)
    assert isinstance(client._wire, WritableWire)
    ahead = Ahead()
    ahead.start(client._wire, f"{LABEL}={INSTALLATION}")
    client._ahead, client._wire = ahead, (counting := Counting(client._wire))
    return Keeper(world, ContainerAgent(client, writing)), counting


def observed(keeper: Keeper, resource: Container) -> ContainerObserved:
    value = keeper.look(resource).value
    assert isinstance(value, ContainerObserved)
    return value


@pytest.mark.parametrize("many", [1, 100])
def test_first_look_at_our_containers_asks_nothing_more(
    many: int, world: RealContainers, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "LIST_PASSING", many)
    resources = [world.resource(name, **SPEC) for name in ("one", "two", "three")]
    keeper.make(*resources)
    ahead, counting = reading_ahead(world)
    seen = ahead.agent.observe(resources, ahead.context)
    assert counting.asked == []
    assert seen == keeper.agent.observe(resources, keeper.context)


def test_second_look_sees_what_has_changed(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := world.resource("one", **SPEC))
    ahead, counting = reading_ahead(world)
    assert observed(ahead, resource).state == "running"
    world.engine.kill(resource.container_name)
    assert observed(ahead, resource).state == "stopped"
    assert counting.asked


def test_own_change_makes_it_forget(world: RealContainers, keeper: Keeper) -> None:
    one, two = world.resource("one", **SPEC), world.resource("two", **SPEC)
    keeper.make(one, two)
    ahead, _ = reading_ahead(world)
    ahead.delete(one)
    world.engine.kill(two.container_name)
    assert observed(ahead, two).state == "stopped"


def test_absent_container_is_asked_for(world: RealContainers, keeper: Keeper) -> None:
    ahead, counting = reading_ahead(world)
    assert ahead.look(world.resource("absent", **SPEC)).value is None
    assert counting.asked


def test_leftover_is_seen(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := world.resource("one", **SPEC))
    labels = world.inspect(resource)["Config"]["Labels"]
    config = {"Image": SPEC["image"], "Labels": labels}
    world.engine.create_container_from_config(config, f"{resource.container_name}.p2-new")  # type: ignore[no-untyped-call]
    ahead, _ = reading_ahead(world)
    assert observed(ahead, resource).leftovers == (f"{resource.container_name}.p2-new",)
    ahead.make(resource)
    assert world.names() == ["one"]


def test_leftover_that_was_adopted_and_carries_no_mark_is_seen(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := world.resource("one", **SPEC))
    labels, former = world.inspect(resource)["Config"]["Labels"], f"{resource.container_name}.p2-old"
    world.remove(resource)
    left = world.engine.create_container_from_config({"Image": SPEC["image"]}, former)["Id"]  # type: ignore[no-untyped-call]
    config = {"Image": SPEC["image"], "Cmd": ["sleep", "1000"], "Labels": {**labels, PREDECESSOR: left}}
    world.engine.create_container_from_config(config, resource.container_name)  # type: ignore[no-untyped-call]
    world.engine.start(resource.container_name)
    ahead, _ = reading_ahead(world)
    assert observed(ahead, resource).leftovers == (former,)


def test_old_answers_are_not_used(world: RealContainers, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper.make(resource := world.resource("one", **SPEC))
    ahead, counting = reading_ahead(world)
    now = time.monotonic()
    monkeypatch.setattr("controller.agents.docker.ahead.time.monotonic", lambda: now + 60)
    ahead.look(resource)
    assert counting.asked


def test_absent_engine_is_no_matter(tmp_path: Path, world: RealContainers, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "id").write_text(INSTALLATION)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ahead = begin(tmp_path)
    assert ahead is not None
    assert ahead.take(["/version"]) == {}
    assert begin(tmp_path / "no-home") is None
    assert Setup(INSTALLATION, tmp_path, world.secrets).ahead is None


def test_settings_are_found_where_a_tilde_says_that_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "id").write_text(INSTALLATION)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/docker.yaml").write_text("engine: unix:///elsewhere.sock\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PEGASUS2_AGENTS_CONFIG", "~/agents")
    assert begin(tmp_path) is None
