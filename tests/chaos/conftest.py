from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from docker import APIClient

from tests.chaos.yard import Yard
from tests.cli.conftest import story as story
from tests.cli.story import Story
from tests.support import Controller


@pytest.fixture
def controller(story: Story) -> Iterator[Controller]:
    """To be started by the test, when the first files are written."""
    made = Controller(story)
    yield made
    made.kill()


@pytest.fixture
def yard() -> Iterator[Yard]:
    """On the engine of this machine."""
    with closing(APIClient(timeout=30)) as engine:
        made = Yard(engine)
        yield made
        made.clear()
