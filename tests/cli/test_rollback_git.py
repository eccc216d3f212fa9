"""Rollback in a git work tree: one commit of the source's own files, or a refusal that changes nothing and says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.repository import ENVIRONMENT, IDENTITY, committed, edits, git
from tests.cli.story import Story


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_a_rollback_is_one_commit_and_then_the_machine_is_so(story: Story) -> None:
    edits(story, "first", "second")
    before = git(story.root, "rev-parse", "HEAD")
    shown = story.p2("rollback")
    assert shown.code == 0, shown.err
    assert (story.world / "one").read_text() == "first"
    assert git(story.root, "rev-parse", "HEAD~1") == before
    assert git(story.root, "show", "--name-only", "--format=%s by %an", "HEAD").splitlines() == [
        "Roll back state to revision 1 by Ada",
        "",
        "state/a.yaml",
    ]
    assert git(story.root, "status", "--porcelain", "--", "state") == ""
    assert f"in commit {git(story.root, 'rev-parse', '--short', 'HEAD')}" in shown.err
    assert story.p2("diff").code == 0


def test_files_that_came_and_went_since_are_removed_and_put_back(story: Story) -> None:
    edits(story, "first")
    story.remove("a.yaml")
    story.write("deep/b.yaml", story.file("two"))
    committed(story)
    assert story.p2("apply", "--yes").code == 0
    assert story.p2("rollback", "1", "--yes").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == ["one"]
    assert git(story.root, "ls-files", "state") == "state/a.yaml"
    assert git(story.root, "status", "--porcelain", "--", "state") == ""


def test_what_is_staged_or_edited_elsewhere_stays_so_and_out_of_the_commit(story: Story) -> None:
    (story.root / "notes").write_text("one\n")
    (story.root / "staged").write_text("one\n")
    git(story.root, "init", "-q", "-b", "main")
    git(story.root, "add", "notes", "staged")
    (story.root / "state").mkdir()
    (story.root / "state" / "README").write_text("one\n")
    edits(story, "first", "second")
    (story.root / "notes").write_text("two\n")
    (story.root / "staged").write_text("two\n")
    git(story.root, "add", "staged")
    (story.root / "staged").write_text("three\n")
    (story.root / "state" / "README").write_text("edited, and no desired state\n")
    (story.root / "new").write_text("new\n")
    git(story.root, "add", "new")
    before = git(story.root, "status", "--porcelain", "--untracked-files=no")
    assert story.p2("rollback").code == 0
    assert git(story.root, "status", "--porcelain", "--untracked-files=no") == before
    assert git(story.root, "show", "--name-only", "--format=", "HEAD") == "state/a.yaml"
    assert git(story.root, "show", ":staged") == "two"


def detached(story: Story) -> None:
    git(story.root, "checkout", "-q", "--detach")


def merging(story: Story) -> None:
    git(story.root, "checkout", "-qb", "side", "HEAD~2")
    story.write("a.yaml", story.file("one", "side"))
    committed(story)
    git(story.root, "checkout", "-q", "main")
    git(story.root, "merge", "side", check=False)


def rebasing(story: Story) -> None:
    merging(story)
    git(story.root, "merge", "--abort")
    git(story.root, "rebase", "side", check=False)


def picking(story: Story) -> None:
    merging(story)
    git(story.root, "merge", "--abort")
    git(story.root, "cherry-pick", "side", check=False)


def reverting(story: Story) -> None:
    git(story.root, "revert", "--no-edit", "HEAD~2", check=False)


def bisecting(story: Story) -> None:
    git(story.root, "bisect", "start", "HEAD", "HEAD~1", check=False)


def edited(story: Story) -> None:
    story.write("a.yaml", story.file("one", "not committed"))


def untracked(story: Story) -> None:
    story.write("deep/er/new.yaml", story.file("two"))


def staged(story: Story) -> None:
    edited(story)
    git(story.root, "add", "state")


def without_identity(story: Story) -> None:
    git(story.root, "config", "user.useConfigOnly", "true")
    for name in IDENTITY:
        os.environ.pop(name, None)


def followed(story: Story) -> None:
    bare = story.root.parent / "remote.git"
    git(story.root, "init", "-q", "--bare", str(bare))
    git(story.root, "remote", "add", "origin", str(bare))
    git(story.root, "push", "-qu", "origin", "main")


def refused_by_a_hook(story: Story) -> None:
    hook = story.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho nobody commits on a Friday >&2\nexit 1\n")
    hook.chmod(0o755)


REFUSALS: dict[Callable[[Story], None], str] = {
    detached: "is on no branch (detached HEAD), so a commit would be lost; check out a branch first: git switch BRANCH",
    merging: "a merge is under way in {root}; finish it, or end it with: git merge --abort",
    rebasing: "a rebase is under way in {root}; finish it, or end it with: git rebase --abort",
    picking: "a cherry-pick is under way in {root}; finish it, or end it with: git cherry-pick --abort",
    reverting: "a revert is under way in {root}; finish it, or end it with: git revert --abort",
    bisecting: "a bisect is under way in {root}; finish it, or end it with: git bisect reset",
    edited: "files of the source are edited: state/a.yaml; commit them, or put them away with: git stash",
    staged: "files of the source are edited: state/a.yaml; commit them, or put them away with: git stash",
    untracked: "files of the source are not in git yet: state/deep/er/new.yaml; commit them",
    without_identity: "git does not know who commits in {root}; say so: git config --global user.name",
    followed: "the source follows origin/main, which would bring the newer versions back; make it there:\n",
    refused_by_a_hook: "git made no commit, so the files are as before: nobody commits on a Friday",
}


def everything(root: Path) -> dict[str, bytes]:
    """All files of the repository but git's own, and what git says of it."""
    files = {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and ".git" not in path.parts}
    said = [
        git(root, "status", "--porcelain=v2", "--branch"),
        git(root, "rev-parse", "HEAD"),
        git(root, "ls-files", "-s"),
    ]
    return files | {"git": "\n".join(said).encode()}


@pytest.mark.parametrize("arranged", REFUSALS, ids=lambda each: each.__name__)
def test_a_rollback_is_refused_with_what_to_do_and_nothing_changed(
    story: Story, monkeypatch: pytest.MonkeyPatch, arranged: Callable[[Story], None]
) -> None:
    edits(story, "first", "second", "third")
    story.write("b.yaml", story.file("extra"))
    committed(story)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)  # so that what the arrangement takes away comes back
    arranged(story)
    before = everything(story.root)
    shown = story.p2("rollback", "1", "--yes")
    assert shown.code == 2
    assert shown.err.count("error: cannot roll back: ") == 1
    assert REFUSALS[arranged].format(root=story.root) in shown.err
    assert everything(story.root) == before
    assert not (story.root.parent / "p2home" / "aside").exists()


def test_the_revert_that_is_printed_does_it(story: Story) -> None:
    edits(story, "first", "second", "third")
    followed(story)
    refused = story.p2("rollback", "1")
    commands = [line.strip() for line in refused.err.splitlines() if line.strip().startswith("git -C")]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command, shell=True, check=True, env={**os.environ, **ENVIRONMENT})
    assert story.p2("apply").code == 0
    assert (story.world / "one").read_text() == "first"
    assert git(story.root, "rev-parse", "origin/main") == git(story.root, "rev-parse", "main")


def test_a_revision_that_was_never_committed_is_restored_from_its_commit_and_pushed(story: Story) -> None:
    commits = edits(story, "first")
    story.write("a.yaml", story.file("one", "second"))
    git(story.root, "checkout", "-q", "--orphan", "other")
    committed(story)
    story.p2("apply")
    followed_by = story.root.parent / "remote.git"
    git(story.root, "init", "-q", "--bare", str(followed_by))
    git(story.root, "remote", "add", "origin", str(followed_by))
    git(story.root, "push", "-qu", "origin", "other")
    assert f"restore --source={commits[0]} --staged --worktree" in story.p2("rollback", "1").err


def test_a_work_tree_of_its_own_is_rolled_back_there(story: Story) -> None:
    main = story.root.parent / "main"
    main.mkdir()
    git(main, "init", "-q", "-b", "main")
    (main / "readme").write_text("hello\n")
    git(main, "add", ".")
    git(main, "commit", "-qm", "begin")
    shutil.rmtree(story.root)
    git(main, "worktree", "add", "-q", "-b", "machine", str(story.root))
    story.world.mkdir()
    os.chdir(story.root)
    edits(story, "first", "second")
    assert story.p2("rollback").code == 0
    assert git(story.root, "log", "--format=%s", "-1", "machine") == "Roll back state to revision 1"
    assert git(main, "log", "--format=%s", "-1", "main") == "begin"


def test_a_source_that_git_ignores_is_rolled_back_as_if_there_were_no_git(story: Story) -> None:
    git(story.root, "init", "-q", "-b", "main")
    (story.root / ".gitignore").write_text("state/\n")
    git(story.root, "add", ".gitignore")
    git(story.root, "commit", "-qm", "begin")
    for content in ("first", "second"):
        story.write("a.yaml", story.file("one", content))
        story.p2("apply")
    shown = story.p2("rollback")
    assert shown.code == 0
    assert "the newer ones are in" in shown.err
    assert git(story.root, "rev-list", "--count", "HEAD") == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_a_repository_of_another_user_is_refused_with_how_to_trust_it(story: Story) -> None:
    edits(story, "first", "second")
    for path in (story.root, story.root / ".git"):
        os.chown(path, 65534, 65534)
    shown = story.p2("rollback")
    assert shown.code == 2
    assert f"git config --global --add safe.directory {story.root}" in shown.err


def test_the_history_knows_the_commit_and_whether_files_were_otherwise(story: Story) -> None:
    commits = edits(story, "first")
    story.write("a.yaml", story.file("one", "not committed"))
    story.p2("apply")
    newest, oldest = story.p2("history").out.splitlines()[1:]
    assert f"{commits[0][:7]}*" in newest
    assert f"{commits[0][:7]} " in oldest


def test_a_hook_that_git_runs_us_from_does_not_lead_us_astray(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    edits(story, "first", "second")
    monkeypatch.setenv("GIT_DIR", str(story.root / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(story.root / "elsewhere" / "index"))
    shown = story.p2("rollback")
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert shown.code == 0, shown.err
    assert git(story.root, "log", "--format=%s", "-1") == "Roll back state to revision 1"
