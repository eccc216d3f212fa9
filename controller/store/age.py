"""Whether the database is an older copy that somebody has put back. `stores.py` asks, for whoever holds the lock.

Every start counts one further, in the database and in `run/starts`, in this order. A database that is behind the file is
not the one that was used last: what was deleted since, it still calls ours, and what has its place now may be a stranger's.
"""

from __future__ import annotations

from controller.store.database import Database
from controller.store.errors import told
from controller.store.home import Home
from controller.store.identity import LOST, OLDER, REBUILD

STARTS = "starts"  # in the table `meta`


def count_start(home: Home, database: Database) -> None:
    """Counts this start; where the database was behind, the marks in the world are to be asked. Raises HomeError."""
    if is_older(home, database) and database.meta(REBUILD) != LOST:
        database.keep_meta(REBUILD, OLDER)


def is_older(home: Home, database: Database) -> bool:
    """Counts this start; whether the database was behind. Raises HomeError."""
    in_database, in_file = _number(database.meta(STARTS)), _number(home.starts())
    starts = str(max(in_database, in_file) + 1)
    database.keep_meta(STARTS, starts)
    with told(home.path, "write"):
        home.keep_starts(starts)
    return in_file > in_database


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 16 else 0
