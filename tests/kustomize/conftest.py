from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import story as story
from tests.cli.story import Story
from tests.kustomize.environments import STAGING
from tests.support import Background


@pytest.fixture
def controller(story: Story) -> Iterator[Background]:
    """`p2 run` over the overlay, to be started by the test when the first files are written."""
    made = Background(
        ["run", STAGING], story.root, story.root.parent / "controller.log", {"PEGASUS2_METRICS_PORT": "0"}
    )
    yield made
    made.kill()
