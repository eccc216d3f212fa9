"""A seal on each row of the inventory: the sum of what it says, by which damage that SQLite can't see is noticed.

SQLite checks its own structure, not what the rows hold; and a write-ahead log that belongs to another database is
replayed as if it were this one's. A record that says another path than the one that was made would have Pegasus2 delete
a stranger's file. So each row is summed up, beginning with a text of the database's own: `inventory.py` writes and
compares, `salvage.py` goes by it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

SEALED = 21  # columns of a row that its seal is about: all that there were when it came; a later one needs a new seal
NAME = "seal"  # of the database's own text, in the table `meta`


def seal_of(text: str, values: Iterable[Any]) -> int:
    """The seal of a row with these `values`; `text` is the database's own."""
    return zlib.crc32("\0".join([text, *map(str, values)]).encode(errors="surrogateescape"))


def row_seal(text: str, *values: Any) -> int:
    """The same as a function in SQL, for the migration that seals the rows of older databases."""
    return seal_of(text, values)
