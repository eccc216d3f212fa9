"""The examples of the kinds' pages do what they say, with an image that is here and a port that is free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from resources.kinds import container, network, volume
from resources.kinds.container import Container
from resources.kinds.network import Network
from resources.kinds.volume import Volume
from tests.agents.docker.engine import RealContainers, eventually, free_port
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE
from tests.agents.worlds.network import Networks
from tests.agents.worlds.volume import Volumes


def test_example_of_a_container_becomes_ready(world: RealContainers, keeper: Keeper) -> None:
    document = named(container.EXAMPLE, world.prefix)
    document["spec"]["image"] = IMAGE
    document["spec"]["ports"] = [f"127.0.0.1:{free_port()}:8080"]
    keeper.succeed(keeper.steps(resource := Container.model_validate(document)))
    eventually(lambda: keeper.look(resource).health.ready)
    assert keeper.plan(resource).empty


def test_example_of_a_network_is_made(tmp_path: Path) -> None:
    networks = Networks(tmp_path)
    try:
        keeper = Keeper(networks)
        keeper.make(resource := Network.model_validate(named(network.EXAMPLE, networks.prefix)))
        assert keeper.plan(resource).empty
    finally:
        networks.close()


def test_example_of_a_volume_is_made(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path)
    try:
        keeper = Keeper(volumes)
        keeper.make(resource := Volume.model_validate(named(volume.EXAMPLE, volumes.prefix)))
        assert keeper.plan(resource).empty
    finally:
        volumes.close()


def named(example: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(example)
    document["metadata"]["name"] = name
    return document
