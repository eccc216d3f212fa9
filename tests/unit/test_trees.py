"""Directories whose whole content is desired state."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from controller import trees
from controller.trees import Trees, walk
from resources.meta import Tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    for path in ("a", "sub/b", "sub/deep/c", "node_modules/x/y"):
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(path)
    return made


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once: what is remembered of them is used."""
    monkeypatch.setattr(trees, "_RACY", -1)


def tree(root: Path) -> Tree:
    return Tree(str(root), (f"{root}/Dockerfile.dockerignore", f"{root}/.dockerignore"))


def test_all_that_counts_is_found_in_order(root: Path) -> None:
    (root / ".dockerignore").write_text("node_modules\n")
    assert [item.path for item in walk(tree(root))] == [".dockerignore", "a", "sub", "sub/b", "sub/deep", "sub/deep/c"]


def test_an_ignored_directory_is_there_for_what_is_brought_back_in(root: Path) -> None:
    (root / ".dockerignore").write_text("*\n!sub/deep/c\n")
    assert [item.path for item in walk(tree(root))] == ["sub", "sub/deep", "sub/deep/c"]


def test_the_first_ignore_file_that_is_there_counts(root: Path) -> None:
    (root / ".dockerignore").write_text("a\n")
    (root / "Dockerfile.dockerignore").write_text("sub\nnode_modules\n")
    assert [item.path for item in walk(tree(root))] == [".dockerignore", "Dockerfile.dockerignore", "a"]


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "sub/deep/c").write_text("other"),
    "mode": lambda root: (root / "a").chmod(0o755),
    "mode of a directory": lambda root: (root / "sub").chmod(0o700),
    "new file": lambda root: (root / "new").write_text(""),
    "new empty directory": lambda root: (root / "new").mkdir(),
    "removed": lambda root: (root / "a").unlink(),
    "renamed": lambda root: (root / "a").rename(root / "b"),
    "link": lambda root: (root / "link").symlink_to("a"),
    "ignored": lambda root: (root / ".dockerignore").write_text("a\n"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen(root: Path, what: str) -> None:
    looking = Trees()
    before = looking.survey(tree(root)).digest
    assert looking.survey(tree(root)).digest == before
    CHANGES[what](root)
    assert looking.survey(tree(root)).digest != before


def test_another_target_of_a_link_is_seen(root: Path) -> None:
    (root / "link").symlink_to("a")
    looking = Trees()
    before = looking.survey(tree(root)).digest
    (root / "link").unlink()
    (root / "link").symlink_to("b")
    assert looking.survey(tree(root)).digest != before


def test_time_owner_and_place_do_not_count(root: Path, tmp_path: Path) -> None:
    before = Trees().survey(tree(root)).digest
    os.utime(root / "a", (1, 1))
    assert Trees().survey(tree(root)).digest == before
    moved = root.rename(tmp_path / "moved")
    assert Trees().survey(tree(moved)).digest == before


def test_what_has_not_changed_is_not_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = Trees()
    before = looking.survey(tree(root))
    (root / "new").write_text("x")
    read: list[str] = []
    digest_of = trees._digest_of
    monkeypatch.setattr(trees, "_digest_of", lambda path: read.append(path) or digest_of(path))  # type: ignore[func-returns-value]
    assert looking.survey(tree(root)).digest != before.digest
    assert read == [str(root / "new")]


def test_ignored_directories_are_not_entered(root: Path) -> None:
    (root / ".dockerignore").write_text("node_modules\n")
    survey = Trees().survey(tree(root))
    assert survey.directories == {str(root), str(root / "sub"), str(root / "sub/deep")}


@pytest.mark.parametrize("broken", ["missing", "bad pattern", "no text"])
def test_a_tree_that_cannot_be_used_says_why(root: Path, broken: str) -> None:
    good = Trees().survey(tree(root))
    match broken:
        case "missing":
            root.rename(root.with_name("elsewhere"))
        case "bad pattern":
            (root / ".dockerignore").write_text("[a\n")
        case "no text":
            (root / ".dockerignore").write_bytes(b"\xff\xfe")
    survey = Trees().survey(tree(root))
    assert survey.trouble
    assert survey.digest != good.digest


def test_sockets_and_pipes_are_left_out(root: Path) -> None:
    before = Trees().survey(tree(root)).digest
    os.mkfifo(root / "pipe")
    assert Trees().survey(tree(root)).digest == before
