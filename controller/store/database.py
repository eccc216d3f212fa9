"""The SQLite file behind all stores: opening it, its schema, its transactions and its errors.

`open_stores` (stores.py) opens one; the stores get at it through `read` and `write` only. One connection serves all
threads, one at a time: every statement here takes microseconds, and SQLite has one writer anyway.

A commit survives the death of the process. Power loss may take the last commits with it (WAL with synchronous=NORMAL,
https://www.sqlite.org/pragma.html#pragma_synchronous) but leaves the database whole; what was done in the world since
then is found again as after any crash.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock

from controller.engine.stores import NotKept
from controller.store.errors import HomeError, publish, told
from controller.store.schema import MIGRATIONS, Migration

BUSY_TIMEOUT = 10.0  # seconds to wait for another process's transaction

_FULL = "cannot write {}: the disk is full; make room. What was kept before is still there"
_ROOM = 64 * 1024  # bytes that SQLite needs beside the database, at least
_REMEDY = "put it back from a backup, or move it away: then Pegasus2 forgets what it owns"


class DatabaseError(HomeError, NotKept):
    """The database can't be read or written; the message names the file and what to do."""


class Database:
    """An open database. `path` is None for one in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self._path = path
        self._lock = RLock()
        self._afterwards: list[Callable[[], None]] = []

    @property
    def lock(self) -> RLock:
        """Held within `read` and `write`. What mirrors the database in memory guards that with this lock, too."""
        return self._lock

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that only read. Raises DatabaseError."""
        with self._lock, explained(self._path):
            yield self._connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed when the body ends, undone when it raises. Raises DatabaseError.

        Within another one it is a part of that.
        """
        with self._lock, explained(self._path):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._afterwards.clear()
                # Some errors (a full disk) have undone the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            afterwards, self._afterwards = self._afterwards, []
            for each in afterwards:
                each()

    def afterwards(self, do: Callable[[], None]) -> None:
        """To be called within `write`: does something once the transaction is committed, or never. It must not fail."""
        self._afterwards.append(do)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Makes one transaction of all that is written within. Raises DatabaseError."""
        with self.write():
            yield

    def copy(self) -> bytes:
        """The whole database as a file would hold it, as it is at this moment, whoever writes meanwhile.

        Raises DatabaseError when it is damaged.
        """
        with self._lock, explained(self._path), closing(_connect(":memory:")) as copy:
            self._connection.backup(copy)
            _refuse_damaged(copy, self._path)
            return copy.serialize()

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def open_database(
    path: Path | None, *, read_only: bool = False, migrations: Sequence[Migration] = MIGRATIONS
) -> Database:
    """The database at `path`, made or brought up to the newest schema; with None one in memory.

    Read-only, a database that does not exist reads as empty, one with an older schema as if it were up to date.
    Raises DatabaseError when it is damaged, newer than this program, or can't be used.
    """
    if path is None or (read_only and not path.exists()):
        return Database(_new_in_memory(migrations), path)
    with explained(path):
        if not path.exists():
            _make(path, migrations)
        _refuse_truncated(path)
        connection = _connect_read_only(path, migrations) if read_only else _connect_to_write(path, migrations)
    return Database(connection, path)


def verify_database(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raises DatabaseError unless the file is a sound database of ours; makes it ready to be put in place."""
    with explained(path), closing(_connect(str(path))) as connection:
        if not _version(connection, path, migrations):
            raise DatabaseError(f"cannot use {path}: it is no database of Pegasus2")
        _refuse_damaged(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")


def _refuse_damaged(connection: sqlite3.Connection, path: Path | None) -> None:
    found: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise DatabaseError(f"cannot use {path}: it is damaged ({found}); {_REMEDY}")


def _make(path: Path, migrations: Sequence[Migration]) -> None:
    """Makes the file under another name first: so an empty file under its own name is always damage, never a beginning."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    with told(path, "create"):
        draft.touch(mode=0o600)
        try:
            with closing(_connect(str(draft))) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                _migrate(connection, migrations)
            publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def _refuse_truncated(path: Path) -> None:
    with told(path, "open"):
        if path.stat().st_size == 0:
            raise DatabaseError(f"cannot open {path}: it is empty, so its content was lost; {_REMEDY}")


def _connect_to_write(path: Path, migrations: Sequence[Migration]) -> sqlite3.Connection:
    connection = _connect(str(path))
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        if _version(connection, path, migrations) < len(migrations):
            _migrate(connection, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_read_only(path: Path, migrations: Sequence[Migration]) -> sqlite3.Connection:
    connection = _connect(f"{path.absolute().as_uri()}?mode=ro{'' if _can_change(path) else '&immutable=1'}")
    try:
        if _version(connection, path, migrations) < len(migrations):
            return _upgraded_copy(connection, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _can_change(path: Path) -> bool:
    """Whether somebody may be writing. A reader in WAL mode makes files beside the database; where it can't, nobody can."""
    log = path.with_name(f"{path.name}-wal")
    can_make_files = os.access(path.parent, os.W_OK) and not _is_full(path)
    return can_make_files or (log.exists() and log.stat().st_size > 0)


def _upgraded_copy(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> sqlite3.Connection:
    copy = _connect(":memory:")
    with closing(connection):
        connection.backup(copy)
    _migrate(copy, migrations)
    return copy


def _new_in_memory(migrations: Sequence[Migration]) -> sqlite3.Connection:
    connection = _connect(":memory:")
    _migrate(connection, migrations)
    return connection


def _connect(name: str) -> sqlite3.Connection:
    # isolation_level=None: transactions begin where this module says, not where the driver guesses.
    return sqlite3.connect(
        name, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, uri=name.startswith("file:")
    )


def _version(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > len(migrations):
        raise DatabaseError(
            f"cannot open {path}: a newer Pegasus2 wrote it (schema {found}, this one knows {len(migrations)}); "
            "upgrade Pegasus2, or set PEGASUS2_HOME to another directory"
        )
    return found


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read within the transaction: another process may have migrated in between.
        done: int = connection.execute("PRAGMA user_version").fetchone()[0]
        for migration in migrations[done:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(done, len(migrations))}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path | None) -> Iterator[None]:
    """Turns SQLite's errors into a DatabaseError that names the file and says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(_explanation(path or Path(":memory:"), error)) from error


def _explanation(path: Path, error: sqlite3.Error) -> str:
    # The low byte is the primary result code: https://www.sqlite.org/rescode.html
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return f"cannot use {path}: it is damaged ({error}); {_REMEDY}"
        case sqlite3.SQLITE_FULL:
            return _FULL.format(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"cannot write {path}: another process has been using it for {BUSY_TIMEOUT:.0f} s; see who holds it"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
            return _explanation_of_place(path, error)
    return f"cannot use {path}: {error}"


def _explanation_of_place(path: Path, error: sqlite3.Error) -> str:
    """SQLite does not say which of these it was, when it can't make the files that it needs beside the database."""
    if _is_full(path):
        return _FULL.format(path)
    return (
        f"cannot use {path}: {error}; check its permissions, whether its file system is read-only, and the room on it"
    )


def _is_full(path: Path) -> bool:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _ROOM
