"""A rollback that is refused for files outside of the source names a command for them that does it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from controller.sources.restoring import Restoring
from controller.sources.worktree import CannotRestore
from tests.cli.repository import ENVIRONMENT, git


def repository(directory: Path, *files: str) -> list[Path]:
    """Files that were "old" in its first commit, and are "new" since the second."""
    git(directory.parent, "init", "-q", "-b", "main", str(directory))
    paths = [directory / file for file in files]
    for text in ("old", "new"):
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        git(directory, "add", "-A")
        git(directory, "commit", "-qm", text)
    return paths


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The source in a repository of its own, which has a base beside it."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    repository(tmp_path / "ours", "state/a.yaml", "base/b.yaml")
    return tmp_path / "ours" / "state"


def refusal(source: Path, old: list[Path], new: list[Path]) -> str:
    texts: dict[str, bytes | None] = {str(path): b"old" for path in old} | dict.fromkeys(map(str, new))
    commit = git(source, "rev-parse", "HEAD~1").strip()
    with pytest.raises(CannotRestore) as refused:
        Restoring(source, 7, texts, commit, source.parent / "aside", 0.0)
    return str(refused.value)


def test_command_has_only_files_of_one_repository_that_were_there_then(source: Path) -> None:
    base, theirs = source.parent / "base/b.yaml", repository(source.parent.parent / "theirs", "c.yaml", "d.yaml")
    came_since = source.parent / "base/0.yaml"
    came_since.write_text("new")
    said = refusal(source, [base, *theirs], [came_since])
    assert "put those back by themselves, remove what was not there then (../base/0.yaml), then roll back to" in said
    assert said.endswith("\n  and 2 more"), said
    found = re.search(r"^  (git .*)$", said, re.MULTILINE)
    assert found
    subprocess.run(found[1], shell=True, check=True)
    assert [path.read_text() for path in (base, *theirs, came_since)] == ["old", "new", "new", "new"]


def test_without_anything_to_put_back_no_command_is_named(source: Path) -> None:
    came_since = source.parent / "base/0.yaml"
    came_since.write_text("new")
    said = refusal(source, [], [came_since])
    assert said.endswith(
        "others may use them: ../base/0.yaml; remove what was not there then (../base/0.yaml), then roll back to revision 7"
    )


def test_what_a_command_leaves_out_is_counted(source: Path) -> None:
    files = repository(source.parent.parent / "theirs", *(f"{n}.yaml" for n in range(7)))
    said = refusal(source, files, [])
    assert "restore --source=COMMIT -- " in said
    assert (said.count(str(files[0].parent) + "/"), said.endswith("\n  and 2 more")) == (5, True)
