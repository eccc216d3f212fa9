"""Variables from the spec, from files and from secrets; values of the latter two are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.engine.agent import Stalled
from resources.kinds.container import Container
from resources.plan import Action, Why
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE

BASE: dict[str, Any] = {"image": IMAGE, "pullPolicy": "never", "state": "stopped"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.env"
    path.write_text(
        "# comment\n\nPLAIN=one\nexport EXPORTED=two\nQUOTED=\"three = 3\"\nSINGLE='#4'\nEMPTY=\nPLAIN=five\n"
    )
    return path


def test_variables_are_read_from_files(world: RealContainers, keeper: Keeper, file: Path) -> None:
    keeper.make(resource := with_files(world, file, env={"EXPORTED": "mine"}))
    values = ["PLAIN=five", "EXPORTED=mine", "QUOTED=three = 3", "SINGLE=#4", "EMPTY="]
    assert {*values} <= {*world.environment_of(resource)}
    assert keeper.plan(resource).empty


def test_later_files_win(world: RealContainers, keeper: Keeper, file: Path, tmp_path: Path) -> None:
    (tmp_path / "more.env").write_text("PLAIN=more\n")
    keeper.make(resource := with_files(world, file, tmp_path / "more.env"))
    assert "PLAIN=more" in world.environment_of(resource)


@pytest.mark.parametrize("edit", ["PLAIN=hush-hush\n", "ADDED=hush-hush\n", ""], ids=["changed", "added", "removed"])
def test_edited_file_replaces_the_container(edit: str, world: RealContainers, keeper: Keeper, file: Path) -> None:
    keeper.make(resource := with_files(world, file))
    file.write_text(edit)
    plan = keeper.plan(resource)
    assert (plan.action, [change.path for change in plan.changes]) == (Action.REPLACE, ["envFile"])
    assert "hush-hush" not in repr(plan)
    keeper.make(resource)
    assert keeper.plan(resource).empty
    assert [text for text in world.environment_of(resource) if not text.startswith("PATH=")] == edit.split()


def test_dropped_file_takes_its_variables_along(world: RealContainers, keeper: Keeper, file: Path) -> None:
    keeper.make(with_files(world, file))
    plain = world.resource("one", **BASE)
    assert [change.why for change in keeper.plan(plain).changes] == [Why.DROPPED]
    keeper.make(plain)
    assert len(world.environment_of(plain)) == 1
    assert keeper.plan(plain).empty


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"no equals sign: hush-hush\n", b"=hush-hush"], ids=str)
def test_file_that_cannot_be_read_stalls_and_names_it(
    content: bytes | None, world: RealContainers, keeper: Keeper, tmp_path: Path
) -> None:
    path = tmp_path / "bad.env"
    if content is not None:
        path.write_bytes(content)
    resource = with_files(world, path)
    failure = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(failure, Stalled)
    assert str(path) in failure.message
    assert "hush-hush" not in failure.message


def test_file_that_is_gone_leaves_the_container_running(world: RealContainers, keeper: Keeper, file: Path) -> None:
    keeper.make(resource := with_files(world, file))
    identity = world.identity(resource)
    file.unlink()
    failure = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(failure, Stalled)
    assert world.identity(resource) == identity


def test_dropped_secret_goes_without_being_shown(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := with_secret(world, "hush-hush"))
    assert "TOKEN=hush-hush" in world.environment_of(resource)
    plain = world.resource("one", **BASE)
    plan = keeper.plan(plain)
    assert [(change.path, change.why) for change in plan.changes] == [("secretEnv", Why.DROPPED)] or plan.changes[
        0
    ].path == "secretEnv.TOKEN"
    assert "hush-hush" not in repr((plan, keeper.look(plain)))
    keeper.make(plain)
    assert len(world.environment_of(plain)) == 1


def test_secret_that_becomes_a_plain_variable_is_not_shown(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(with_secret(world, "hush-hush"))
    plain = world.resource("one", **BASE, env={"TOKEN": "known to all"})
    assert "hush-hush" not in repr((keeper.plan(plain), keeper.look(plain)))
    keeper.make(plain)
    assert "TOKEN=known to all" in world.environment_of(plain)
    assert keeper.plan(plain).empty


def test_secret_changed_by_hand_is_put_right(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := with_secret(world, "hush-hush"))
    other = with_secret(world, "other")
    keeper.make(other)
    resource = with_secret(world, "hush-hush")
    plan = keeper.plan(resource)
    assert [change.path for change in plan.changes] == ["secretEnv.TOKEN"]
    assert not any(value in repr(plan) for value in ("hush-hush", "other"))
    keeper.make(resource)
    assert "TOKEN=hush-hush" in world.environment_of(resource)


def test_secret_that_can_no_longer_be_found_leaves_the_container_alone(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := with_secret(world, "hush-hush"))
    identity = world.identity(resource)
    world.environment.clear()
    failure = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "SecretNotFound"
    assert world.identity(resource) == identity


def with_files(world: RealContainers, *files: Path, **spec: Any) -> Container:
    return world.resource("one", **BASE, envFile=[str(path) for path in files], **spec)


def with_secret(world: RealContainers, value: str) -> Container:
    world.environment["TOKEN"] = value
    return world.resource("one", **BASE, secretEnv={"TOKEN": {"env": "TOKEN"}})
