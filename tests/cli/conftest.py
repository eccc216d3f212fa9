from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.story import Story


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A person in an empty directory."""
    root = tmp_path / "machine"
    (root / "world").mkdir(parents=True)
    monkeypatch.chdir(root)
    return Story(root)
