"""The commit that a deployment makes: of its own files, and of nothing else; or none, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.sources.committing import CannotCommit, commit, refuse_uncommitted
from tests.cli.repository import ENVIRONMENT, git


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    place = tmp_path / "repository" / "overlays" / "staging"
    place.mkdir(parents=True)
    (place / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (place / "a.yaml").write_text("a: 1\n")
    git(tmp_path / "repository", "init", "-q", "-b", "main")
    git(tmp_path / "repository", "add", "-A")
    git(tmp_path / "repository", "commit", "-qm", "first")
    return place


def edited(overlay: Path) -> Path:
    (overlay / "kustomization.yaml").write_text("resources: [a.yaml]\nnamePrefix: a-\n")
    return overlay / "kustomization.yaml"


def test_only_the_named_file_is_committed_and_what_else_is_staged_stays_staged(overlay: Path) -> None:
    root = overlay.parent.parent
    (root / "notes").write_text("mine\n")
    git(root, "add", "notes")
    refuse_uncommitted([overlay])
    made = commit([edited(overlay)], "Deploy staging", [overlay])
    assert made == git(root, "rev-parse", "--short", "HEAD")
    shown = git(root, "show", "--name-only", "--format=%s by %an", "HEAD").splitlines()
    assert shown == ["Deploy staging by Ada", "", "overlays/staging/kustomization.yaml"]
    assert git(root, "status", "--porcelain") == "A  notes"


def test_other_edited_files_of_the_overlay_are_named_and_nothing_is_committed(overlay: Path) -> None:
    (overlay / "a.yaml").write_text("a: 2\n")
    for refuse in (
        lambda: refuse_uncommitted([overlay]),
        lambda: commit([edited(overlay)], "Deploy staging", [overlay]),
    ):
        with pytest.raises(CannotCommit, match=r"cannot commit: .* edited: overlays/staging/a\.yaml; commit them"):
            refuse()
    assert git(overlay, "log", "--oneline").count("\n") == 0


def test_an_edit_of_the_file_itself_is_refused_before_ours(overlay: Path) -> None:
    edited(overlay)
    with pytest.raises(CannotCommit, match=r"edited: overlays/staging/kustomization\.yaml"):
        refuse_uncommitted([overlay])


def test_a_base_counts_as_well(overlay: Path) -> None:
    base = overlay.parent.parent / "base"
    base.mkdir()
    (base / "b.yaml").write_text("b: 1\n")
    git(base, "add", "-A")
    git(base, "commit", "-qm", "base")
    (base / "b.yaml").write_text("b: 2\n")
    with pytest.raises(CannotCommit, match=r"edited: base/b\.yaml"):
        refuse_uncommitted([overlay, base])


def test_a_hook_that_refuses_is_heard_and_nothing_is_committed(overlay: Path) -> None:
    root = overlay.parent.parent
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Friday\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CannotCommit, match=r"cannot commit: git made no commit.*not on a Friday"):
        commit([edited(overlay)], "Deploy staging")
    assert git(root, "log", "--format=%s") == "first"


def test_nobody_is_asked_to_sign(overlay: Path) -> None:
    git(overlay, "config", "commit.gpgSign", "true")
    git(overlay, "config", "gpg.program", "false")
    assert commit([edited(overlay)], "Deploy staging") == git(overlay, "rev-parse", "--short", "HEAD")


def test_without_an_identity_it_says_how_to_give_one(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name)
    git(overlay, "config", "user.useConfigOnly", "true")
    with pytest.raises(CannotCommit, match="cannot commit: git does not know who commits"):
        refuse_uncommitted([overlay])


def test_outside_of_git_and_on_no_branch_it_says_so(overlay: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(CannotCommit, match="in no git repository"):
        refuse_uncommitted([tmp_path / "elsewhere"])
    git(overlay, "checkout", "-q", "--detach")
    with pytest.raises(CannotCommit, match="on no branch"):
        commit([edited(overlay)], "Deploy staging")
