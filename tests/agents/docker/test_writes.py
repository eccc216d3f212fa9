"""Where a container writes what outlives it: what may stand in the way of going back to an older one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC

TMPFS = {"type": "tmpfs", "target": "/a"}
READ_ONLY = {"type": "bind", "source": "/tmp", "target": "/b", "readOnly": True}
BIND = {"type": "bind", "source": "/tmp", "target": "/c"}
VOLUME = {"type": "volume", "target": "/d"}


@pytest.mark.parametrize(
    ("spec", "writes"),
    [
        ({}, ""),
        ({"volumes": [TMPFS, READ_ONLY], "tmpfs": {"/e": ""}}, ""),
        ({"volumes": [TMPFS, READ_ONLY, VOLUME, BIND]}, "/c"),
        ({"volumes": [VOLUME]}, "/d"),
    ],
    ids=["nothing", "read-only and tmpfs", "a path of the machine", "a volume"],
)
def test_mounts_that_can_be_written_are_named(
    spec: dict[str, Any], writes: str, world: RealContainers, keeper: Keeper
) -> None:
    keeper.make(resource := world.resource("one", **SPEC, **spec))
    assert keeper.look(resource).writes == writes


def test_volume_that_the_image_declares_counts(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("writing", "VOLUME /declared")
    keeper.make(resource := world.resource("one", **{**SPEC, "image": image}))
    assert keeper.look(resource).writes == "/declared"
