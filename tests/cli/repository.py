"""A story whose source lies in a git repository of its own, with an identity that no setting of the machine's has a say in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cli.story import Story

_ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}
ENVIRONMENT = _ALONE | IDENTITY


def git(place: Path, *words: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-C", str(place), *words],
        capture_output=True,
        text=True,
        env={**os.environ, **ENVIRONMENT},
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def committed(story: Story, message: str = "edit") -> str:
    """Commits everything in the story's source. Returns the commit."""
    git(story.root, "add", "state")
    git(story.root, "commit", "-qm", message)
    return git(story.root, "rev-parse", "HEAD")


def edits(story: Story, *contents: str) -> list[str]:
    """A repository in which `world/one` was made to hold these, one commit and one apply after the other. The commits."""
    if not (story.root / ".git").exists():
        git(story.root, "init", "-q", "-b", "main")
    commits = []
    for content in contents:
        story.write("a.yaml", story.file("one", content))
        commits.append(committed(story, f"say {content}"))
        assert story.p2("apply", "--yes").code == 0
    return commits
