"""Moving a database out of the way, with what lies beside it. `database.py` and `mending.py` do, before they make a new one."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_LOGS = ("-wal", "-shm")  # the files that SQLite keeps beside a database


def set_aside(path: Path) -> Path:
    """Moves a database away with its logs, which would be taken for those of the next one; those first. Its new name."""
    base = f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (base if number == 1 else f"{base}-{number}" for number in count(1))
    aside = next(path.with_name(name) for name in names if not any(path.parent.glob(f"{name}*")))
    for suffix in (*_LOGS, ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """One process at a time: what lies beside a database that is gone must not be that of one which was just made."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
