from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import story as story
from tests.cli.story import Story
from tests.support import Controller


@pytest.fixture
def controller(story: Story) -> Iterator[Controller]:
    """To be started by the test, when the first files are written."""
    made = Controller(story)
    yield made
    made.kill()
