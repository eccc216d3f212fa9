from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.agents.docker.engine import free_port
from tests.cli.repository import ENVIRONMENT
from tests.cli.shop import Shop
from tests.cli.story import Story
from tests.cli.yard import Yard
from tests.cli.yard import yard as made_yard

if TYPE_CHECKING:
    from tests.cli.desk import Desk


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A person in an empty directory."""
    root = tmp_path / "machine"
    (root / "world").mkdir(parents=True)
    monkeypatch.chdir(root)
    return Story(root)


@pytest.fixture
def desk(
    story: Story, home: Path, engine: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Desk]:
    """As declared, and looked at; its things are gone afterwards. With the mark `bare` nothing but a volume."""
    from controller.wiring import looked
    from tests.cli.desk import Desk

    monkeypatch.setattr(looked, "RECENT", 0.0)
    bare = request.node.get_closest_marker("bare") is not None
    made = Desk(story, home, engine, f"p2still-{uuid4().hex[:8]}", bare)
    made.write()
    try:
        made.settle()
        yield made
    finally:
        made.clear()


@pytest.fixture
def yard() -> Iterator[Yard]:
    """Containers of the test's own, gone afterwards."""
    yield from made_yard()


@pytest.fixture
def shop(story: Story, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Something to deploy. Its images are gone afterwards, too."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    made = Shop(story, yard, free_port())
    made.begin()
    yield made
    made.clear()


@pytest.fixture
def engine() -> Iterator[Any]:
    """The SDK's client of the engine, which has the tests' image."""
    from docker import APIClient  # here, for most of these tests need neither

    from tests.agents.worlds.docker import need_image

    with closing(APIClient(timeout=30)) as client:
        need_image(client)
        yield client
