"""Volumes: every field converges, and none is lost by accident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.engine.agent import Retry
from resources.kinds.volume import VolumeSpec
from resources.meta import COMMON_FIELDS, DeletionPolicy
from resources.plan import Action
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC
from tests.agents.worlds.volume import Volumes

FIELDS: dict[str, tuple[Any, Any]] = {
    "driver": ("local", "local"),
    "options": ({"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, {}),
    "labels": ({"a": "1", "b": "2"}, {"a": "2"}),
}


@pytest.fixture
def volumes(tmp_path: Path) -> Iterator[Volumes]:
    made = Volumes(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keeper(volumes: Volumes) -> Keeper:
    return Keeper(volumes)


def test_every_field_is_tested() -> None:
    assert VolumeSpec.model_fields.keys() - COMMON_FIELDS - VolumeSpec.apart == FIELDS.keys() | {"volumeName"}


@pytest.mark.parametrize("field", FIELDS)
def test_field_is_created_changed_and_dropped(field: str, volumes: Volumes, keeper: Keeper) -> None:
    for spec in (*({field: value} for value in FIELDS[field]), {field: FIELDS[field][0]}, {}):
        keeper.make(resource := volumes.resource("one", **spec))
        assert keeper.plan(resource).empty, keeper.plan(resource)
        assert keeper.agent.diff(resource, None, keeper.look(resource).value).empty


def test_any_change_says_that_it_loses_data(volumes: Volumes, keeper: Keeper) -> None:
    keeper.make(volumes.resource("one"))
    plan = keeper.plan(volumes.resource("one", labels={"a": "1"}))
    assert (plan.action, plan.loses_data) == (Action.REPLACE, True)
    assert plan.notes == (f"everything in the volume {volumes.prefix}-one is lost",)


def test_another_name_means_another_volume(volumes: Volumes, keeper: Keeper) -> None:
    keeper.make(volumes.resource("one"))
    renamed = volumes.resource("one", volumeName=f"{volumes.prefix}_data")
    plan = keeper.plan(renamed)
    assert (plan.action, plan.loses_data) == (Action.REPLACE, True)
    assert [change.path for change in plan.changes] == ["volumeName"]
    keeper.make(renamed)
    assert keeper.plan(renamed).empty
    found = volumes.engine.volumes(filters={"name": volumes.prefix})["Volumes"]
    assert [each["Name"] for each in found] == [renamed.volume_name]


def test_volume_is_kept_when_its_resource_is_gone_unless_told_otherwise(volumes: Volumes) -> None:
    assert volumes.resource("one").spec.deletionPolicy is DeletionPolicy.RETAIN
    assert volumes.resource("one", deletionPolicy="Delete").spec.deletionPolicy is DeletionPolicy.DELETE


def test_volume_in_use_is_neither_replaced_nor_deleted(volumes: Volumes, keeper: Keeper, world: RealContainers) -> None:
    keeper.make(volume := volumes.resource("one"))
    mount = {"type": "volume", "source": volume.world_name, "target": "/data", "external": True}
    Keeper(world).make(user := world.resource("user", **SPEC, volumes=[mount]))
    world.execute(user, "sh", "-c", "echo precious > /data/file")
    edited = volumes.resource("one", labels={"a": "1"})
    for step in (*keeper.steps(edited), *keeper.deletions(volume)):
        failure = keeper.apply([step])[volume.key]
        assert isinstance(failure, Retry)
        assert failure.reason == "InUse"
        assert user.container_name in failure.message
    assert world.execute(user, "cat", "/data/file") == "precious\n"


def test_container_waits_for_its_volume_rather_than_get_one_of_the_engines_own(
    volumes: Volumes, keeper: Keeper, world: RealContainers
) -> None:
    mount = {"type": "volume", "source": f"{volumes.prefix}-one", "target": "/data"}
    resource = world.resource("user", **SPEC, volumes=[mount])
    failure = Keeper(world).apply(Keeper(world).steps(resource))[resource.key]
    assert isinstance(failure, Retry)
    assert failure.reason == "VolumeMissing"
    keeper.make(volumes.resource("one"))
    Keeper(world).make(resource)
    assert Keeper(world).plan(resource).empty
