"""Waiting for the database to change: what `get -w` and `events -w` do between two looks.

Looks at the times and sizes of the file and of its write-ahead log, four times a second: two system calls, no wake-up of
the controller, and nothing that the file systems of homes can't do (inotify sees no change made over a network).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

_PAUSE = 0.25  # seconds; what a person takes for at once


def changes(database: Path) -> Iterator[None]:
    """Yields at once, and from then on whenever somebody has written to the database."""
    files = (database, database.with_name(f"{database.name}-wal"))
    seen: object = None
    while True:
        now = tuple(map(_stamp, files))
        if now != seen:
            seen = now
            yield
        else:
            time.sleep(_PAUSE)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
