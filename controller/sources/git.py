"""What the files under `.git` say, without starting git: whether it is changing the working tree, and what is checked out.

`files.py` asks the first before it reads what has changed, `texts.py` the second for the history. Git holds `index.lock`
from before it touches the first file until after the last one (checkout, pull, merge, stash, reset): a branch switch seen
while it lasts looks like hundreds of deletions.
"""

from __future__ import annotations

import os
from pathlib import Path

PATIENCE = 30.0  # seconds; a lock that is older was left behind by a git that died


class GitLock:
    """The lock of the repository that a directory lies in, if it lies in one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: tuple[int, int] | None = None  # inode and mtime of the lock
        self._since = 0.0

    def held(self, now: float) -> bool:
        """Whether git holds its lock at the monotonic time `now`. A lock is believed for `PATIENCE` seconds."""
        try:
            found = os.stat(_git_directory(self._directory) / "index.lock")
        except (OSError, ValueError):
            self._seen = None
            return False
        if (identity := (found.st_ino, found.st_mtime_ns)) != self._seen:
            self._seen, self._since = identity, now
        return now - self._since < PATIENCE


def _git_directory(directory: Path) -> Path:
    """Raises FileNotFoundError when `directory` lies in no working tree."""
    for place in (directory, *directory.parents):
        git = place / ".git"
        if git.is_dir():
            return git
        if git.is_file():  # a worktree, or a submodule: the file says where
            return place / git.read_text().removeprefix("gitdir:").strip()
    raise FileNotFoundError(directory)


def head_commit(directory: Path) -> str:
    """The commit that is checked out where `directory` lies; empty outside of git, and before the first commit."""
    try:
        git = _git_directory(directory)
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head if _is_commit(head) else ""
        return _resolved(git, head.removeprefix("ref: "))
    except (OSError, ValueError):
        return ""


def _resolved(git: Path, name: str) -> str:
    """A branch is a file, or a line among the packed ones; those of a worktree are in the repository it is of."""
    shared = git / "commondir"
    common = (git / shared.read_text().strip()) if shared.is_file() else git
    for place in (git / name, common / name):
        if place.is_file() and _is_commit(found := place.read_text().strip()):
            return found
    packed = common / "packed-refs"
    for line in packed.read_text().splitlines() if packed.is_file() else ():
        commit, _, ref = line.partition(" ")
        if ref == name and _is_commit(commit):
            return commit
    return ""


def _is_commit(text: str) -> bool:
    return len(text) in (40, 64) and all(letter in "0123456789abcdef" for letter in text)
