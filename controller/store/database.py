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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from types import MappingProxyType

from controller.engine.kept import NotKept
from controller.store.aside import alone_in, set_aside
from controller.store.errors import HomeError, publish, told
from controller.store.schema import MIGRATIONS, Migration
from controller.store.seals import row_seal

BUSY_TIMEOUT = 10.0  # seconds to wait for another process's transaction

_FULL = "cannot write {}: the disk is full; make room. What was kept before is still there"
_LONG = 160  # characters of what SQLite says; it may quote the whole of a damaged text
_ROOM = 64 * 1024  # bytes that SQLite needs beside the database, at least
_REMEDY = "run 'p2 recover', or put it back from a backup"
# What SQLite says when a table, or a text in it, is not what a sound database of this schema has.
_SIGNS = ("no such table", "no such column", "decode to UTF-8", "malformed")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class DatabaseError(HomeError, NotKept):
    """The database can't be read or written; the message names the file and what to do."""


class DamagedError(DatabaseError):
    """The database was damaged, and is left as it is until `p2 recover`."""

    def __init__(self, path: Path, how: object) -> None:
        words = str(how)
        first_line = "a text in it is not UTF-8" if "decode" in words else words.partition("\n")[0][:_LONG]
        super().__init__(f"cannot use {path}: it is damaged ({first_line}); {_REMEDY}")


class Database:
    """An open database. `path` is None for one in memory. `version` is `_data_version`, None where none can be told."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path | None,
        version: int | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self._connection = connection
        self._path = path
        self._version = version
        self._read_only = read_only
        self._lock = RLock()
        self._afterwards: list[Callable[[], None]] = []

    @property
    def lock(self) -> RLock:
        """Held within `read` and `write`. What mirrors the database in memory guards that with this lock, too."""
        return self._lock

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that only read, and the reading of their answers. Raises DatabaseError."""
        with self._lock, explained(self._path):
            try:
                yield self._connection
            except (ValueError, TypeError, LookupError) as error:  # of what stands in the rows
                raise DamagedError(self.path, f"what it holds can't be read: {error}") from error

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

    @property
    def undisturbed(self) -> bool:
        """Whether nobody else has committed anything to the file since it was opened here. Raises DatabaseError."""
        with self.read() as connection:
            return self._version is not None and self._version == _data_version(connection)

    @property
    def changes(self) -> int:
        """How many rows were written here since it was opened."""
        return self._connection.total_changes

    def write_back(self) -> None:
        """Moves what is in the log into the file itself, if nobody is at it, as the last one to close it would."""
        if self._read_only:
            return
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute("PRAGMA busy_timeout = 0")
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")

    def copy(self) -> bytes:
        """The whole database as a file would hold it, as it is at this moment, whoever writes meanwhile.

        Raises DatabaseError when it is damaged.
        """
        with self._lock, explained(self._path), closing(_connect(":memory:")) as copy:
            self._connection.backup(copy)
            _refuse_damaged(copy, self._path)
            return copy.serialize()

    @property
    def path(self) -> Path:
        return self._path or Path(":memory:")

    def meta(self, name: str) -> str:
        """What the database says of itself under `name`; empty when it says nothing. Raises DatabaseError."""
        with self.read() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def keep_meta(self, name: str, value: str) -> None:
        """Empty: no more of it. Raises DatabaseError."""
        with self.write() as connection:
            if value:
                connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
            else:
                connection.execute("DELETE FROM meta WHERE name = ?", (name,))

    def examine(self, *, whole: bool = False) -> None:
        """Looks for damage in the structure of the whole file, some milliseconds; with `whole` in its indexes, too.

        Raises DatabaseError.
        """
        with self.read() as connection:
            check = "integrity_check" if whole else "quick_check"
            found: str = connection.execute(f"PRAGMA {check}(1)").fetchone()[0]
        if found != "ok":
            raise DamagedError(self.path, found)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def open_database(
    path: Path | None,
    *,
    read_only: bool = False,
    migrations: Sequence[Migration] = MIGRATIONS,
    first: Mapping[str, str] = _NOTHING,
) -> Database:
    """The database at `path`, made or brought up to the newest schema; with None one in memory.

    `first` is what one that is made now says of itself (see `Database.meta`).
    Read-only, a database that does not exist reads as empty, one with an older schema as if it were up to date.
    Raises DatabaseError when it is damaged, newer than this program, or can't be used.
    """
    if path is None or (read_only and not path.exists()):
        return Database(_new_in_memory(migrations), path)
    with explained(path):
        if not path.exists():
            _make(path, migrations, first)
        _refuse_truncated(path)
        connection = _connect_read_only(path, migrations) if read_only else _connect_to_write(path, migrations)
        return Database(connection, path, _data_version(connection), read_only=read_only)


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
        raise DamagedError(path or Path(":memory:"), found)


def _make(path: Path, migrations: Sequence[Migration], first: Mapping[str, str]) -> None:
    """Makes the file under another name first: so an empty file under its own name is always damage, never a beginning."""
    with told(path, "create"), alone_in(path.parent):
        if path.exists():
            return
        set_aside(path)
        with drafted(path, migrations) as draft:
            with closing(_connect(str(draft))) as connection:
                connection.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", first.items())
            publish(draft, path)


@contextmanager
def drafted(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Iterator[Path]:
    """A new database beside `path`, to be filled and published; gone afterwards under the name that it has here."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    draft.touch(mode=0o600)
    try:
        with closing(_connect(str(draft))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            _migrate(connection, migrations)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _refuse_truncated(path: Path) -> None:
    with told(path, "open"):
        if path.stat().st_size == 0:
            raise DamagedError(path, "it is empty")


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
    connection = sqlite3.connect(
        name, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, uri=name.startswith("file:")
    )
    connection.create_function("row_seal", -1, row_seal, deterministic=True)
    return connection


def _version(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > len(migrations):
        raise DatabaseError(
            f"cannot open {path}: a newer Pegasus2 wrote it (schema {found}, this one knows {len(migrations)}); "
            "upgrade Pegasus2, or set PEGASUS2_HOME to another directory"
        )
    return found


def _data_version(connection: sqlite3.Connection) -> int | None:
    """Another one after each commit by somebody else: https://www.sqlite.org/pragma.html#pragma_data_version.

    None of a copy in memory, which nobody else knows.
    """
    if not connection.execute("PRAGMA database_list").fetchone()[2]:
        return None
    found: int = connection.execute("PRAGMA data_version").fetchone()[0]
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
        raise _explained(path or Path(":memory:"), error) from error
    except UnicodeDecodeError as error:  # the driver fails to say what is wrong, where that quotes a damaged text
        raise DamagedError(path or Path(":memory:"), error) from error


def _explained(path: Path, error: sqlite3.Error) -> DatabaseError:
    # The low byte is the primary result code: https://www.sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    misses = code in (0, sqlite3.SQLITE_ERROR) and any(words in str(error) for words in _SIGNS)
    if misses or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH):
        return DamagedError(path, error)
    return DatabaseError(_explanation(path, error, code))


def _explanation(path: Path, error: sqlite3.Error, code: int) -> str:
    match code:
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
