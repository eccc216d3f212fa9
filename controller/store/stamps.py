"""Stamps of files: whether one is another than before, told without reading it. Imports nothing heavy (`wiring/standing.py`)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

Stamp = list[int] | None  # of a file: inode, mode, owner and group, size, mtime and ctime; None where there is none

# The clock that files are stamped by, which goes in steps: https://man7.org/linux/man-pages/man2/clock_gettime.2.html
_COARSE = 5
_STEP = 0.0005  # seconds between looks at it
_PATIENCE = 0.05  # seconds; its steps take 10 ms at most
_SECOND = 1_000_000_000


def stamp_of(path: str) -> Stamp:
    """The stamp of a file; of a link its own."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return [
        found.st_ino,
        found.st_mode,
        found.st_uid,
        found.st_gid,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    ]


def are_past(stamps: Iterable[Stamp]) -> bool:
    """Whether each change of these files from now on gives them another stamp: waits until the clock has gone on since them.

    Never where a file system seems to count in seconds.
    """
    changed = [stamp[-1] for stamp in stamps if stamp]
    if any(at % _SECOND == 0 for at in changed):
        return False
    newest, give_up = max(changed, default=0), time.monotonic() + _PATIENCE
    while time.clock_gettime_ns(_COARSE) <= newest:
        if time.monotonic() >= give_up:
            return False
        time.sleep(_STEP)
    return True
