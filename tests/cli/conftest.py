from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.story import Story
from tests.cli.yard import Yard
from tests.cli.yard import yard as made_yard


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A person in an empty directory."""
    root = tmp_path / "machine"
    (root / "world").mkdir(parents=True)
    monkeypatch.chdir(root)
    return Story(root)


@pytest.fixture
def yard() -> Iterator[Yard]:
    """Containers of the test's own, gone afterwards."""
    yield from made_yard()
