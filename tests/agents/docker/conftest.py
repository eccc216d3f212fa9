"""Shared by the tests of the Docker agents: containers on the real engine, and somebody who keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.docker)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RealContainers]:
    made = RealContainers(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keeper(world: RealContainers) -> Keeper:
    return Keeper(world)
