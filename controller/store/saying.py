"""What the database says, noted beside the stamps of its files: whoever knows these need not open it to know that.

`wiring/standing.py` asks, and imports no SQLite for it; `wiring/looked.py` notes it after a look, and `surfaces/cli/unchanged.py`
after an entry into the audit, which is no part of what it says. Each may be killed at any point: then nothing is known.
"""

from __future__ import annotations

import json
import os
from _blake2 import blake2b  # hashlib loads OpenSSL, which takes longer than all the rest
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from controller.store.stamps import Stamp, are_past, stamp_of

if TYPE_CHECKING:
    from controller.store.database import Database

# Tables of what is only written down, and decides nothing; and SQLite's own, which counts their rows.
_RECORDS = frozenset({"audit", "begun", "event", "blob", "sqlite_sequence"})
_COUNTED = ("meta", "starts")  # table and name of what every start counts further: see age.py


def said(home: Path) -> str | None:
    """The digest of what the database says; None where that is not known."""
    try:
        noted = json.loads(_place(home).read_bytes())
        found: str | None = noted["said"] if noted["stamps"] == _stamps(home) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def note(home: Path, database: Database, digest: str) -> bool:
    """Notes that the database says this, as whoever has opened it knows. Whether that was possible.

    What others have committed since it was opened may be anything, and then it is not.
    """
    database.write_back()
    stamps = _stamps(home)
    # In this order: whatever is committed after it was asked for the last time changes the stamps.
    if not are_past(stamps) or not database.undisturbed:
        return False
    with suppress(OSError):  # a home that can't be written to does without
        put(_place(home), json.dumps({"said": digest, "stamps": stamps}))
        return True
    return False


def digest_of(database: Database) -> str:
    """Of all that it says."""
    found = blake2b(digest_size=16)
    with database.read() as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (table,) in tables:
            if table not in _RECORDS:
                found.update(f"{table}\n".encode())
                rows = connection.execute(f"SELECT * FROM {table}")
                for row in (row for row in rows if (table, row[0]) != _COUNTED):
                    found.update(repr(row).encode())
    return found.hexdigest()


def put(path: Path, text: str) -> None:
    """A file that appears as a whole, for our eyes. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _place(home: Path) -> Path:
    return home / "cache" / "database.said"


def _stamps(home: Path) -> list[Stamp]:
    """Of the database and its write-ahead log, which is empty or not there when nobody has it open."""
    database = f"{home}/p2.db"
    log = stamp_of(f"{database}-wal")
    return [stamp_of(database), log if log and log[4] else None]
