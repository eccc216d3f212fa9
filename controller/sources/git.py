"""Whether git is changing the working tree just now. `files.py` asks before it reads what has changed.

Git holds `index.lock` from before it touches the first file until after the last one (checkout, pull, merge, stash,
reset): a branch switch seen while it lasts looks like hundreds of deletions.
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
