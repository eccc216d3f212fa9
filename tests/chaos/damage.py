"""What can happen to a database file: each is a function of the file and a random generator, and leaves it damaged, or older."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

Damage = Callable[[Path, Random], None]


def settle(database: Path) -> None:
    """Everything into the file itself; else the log beside it would put right what is done to the file."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def cut(database: Path, random: Random) -> None:
    settle(database)
    with database.open("r+b") as file:
        file.truncate(random.randrange(database.stat().st_size))


def torn(database: Path, random: Random) -> None:
    settle(database)
    _overwrite(database, random, random.randrange(1, 2000))


def inventory_torn(database: Path, random: Random) -> None:
    """The first page of the very table that says what is owned."""
    settle(database)
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'inventory'").fetchone()
    _write(database, 4096 * (page - 1), random.randbytes(200))


def bytes_changed(database: Path, random: Random) -> None:
    """A few single bytes: most of them in texts, where SQLite does not see them."""
    settle(database)
    for _ in range(random.randrange(1, 30)):
        _overwrite(database, random, 1)


def page_zeroed(database: Path, random: Random) -> None:
    settle(database)
    page = 4096 * random.randrange(database.stat().st_size // 4096)
    _write(database, page, bytes(4096))


def pages_exchanged(database: Path, random: Random) -> None:
    settle(database)
    content = database.read_bytes()
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    one, other = random.sample(range(1, len(pages)), 2)
    pages[one], pages[other] = pages[other], pages[one]
    database.write_bytes(b"".join(pages))


def log_torn(database: Path, random: Random) -> None:
    _with_log(database)
    _overwrite(log_of(database), random, random.randrange(1, 500))


def log_cut(database: Path, random: Random) -> None:
    _with_log(database)
    with log_of(database).open("r+b") as file:
        file.truncate(random.randrange(log_of(database).stat().st_size))


def log_lost(database: Path, random: Random) -> None:
    _with_log(database)
    log_of(database).unlink()


def log_of_another(database: Path, random: Random) -> None:
    """The log of a database that another installation has had at this place."""
    settle(database)
    other = database.with_name("other.db")
    shutil.copyfile(database, other)
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("UPDATE meta SET value = 'feedfacefeedface' WHERE name IN ('installation', 'seal')")
        connection.execute("UPDATE inventory SET applied = replace(applied, 'hello', 'other'), key = key || 'x'")
    _with_log(other, random.choice(["meta", "inventory"]))
    log_of(other).rename(log_of(database))
    for path in database.parent.glob("other.db*"):
        path.unlink()


DAMAGES: list[Damage] = [
    cut,
    torn,
    bytes_changed,
    page_zeroed,
    pages_exchanged,
    log_torn,
    log_cut,
    log_lost,
    log_of_another,
]


def _with_log(database: Path, table: str = "inventory") -> None:
    """Leaves the last writes in the log, as a process that was killed does."""
    settle(database)
    keys = {"inventory": "key", "meta": "value"}
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    with connection:
        connection.execute(f"UPDATE {table} SET {keys[table]} = {keys[table]}")
        connection.execute("UPDATE status SET body = body")
    saved = log_of(database).read_bytes()
    connection.close()
    log_of(database).write_bytes(saved)


def _overwrite(path: Path, random: Random, size: int) -> None:
    _write(path, random.randrange(path.stat().st_size), random.randbytes(size))


def _write(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content[: path.stat().st_size - at])
