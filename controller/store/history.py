"""History on SQLite: applied revisions, what each changed, and the files of the source as they were. The chronicle writes it.

Files are kept as differences: of each revision those that are others than before, their content once for each digest. The
tree of a revision is, path by path, the newest there is up to it. What retention takes away is moved, not lost: of
each path the newest text that a kept revision needs stays.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from sqlite3 import Connection
from typing import Any

from controller.engine.history import Deed, Deployment, Ending, Entry, Kept, Result, Rolled, Text
from controller.engine.requests import Cause
from controller.store.database import Database
from controller.store.keys import read
from resources.meta import Key
from resources.plan import Action

KEEP = 1000  # entries
_SLACK = 20  # one in so many is let pile up before the oldest are dropped, for dropping takes longer than adding
_QUICK = 1  # zlib's level: a hundred kilobytes take a millisecond

_COLUMNS = (
    "number, source, at, cause, user, command, restored, commit_id, dirty, ending, message, seconds, count, last, "
    "deployment"
)


class SqliteHistory:
    """Implements `engine.history.History`. `keep` is how many entries are kept."""

    def __init__(self, database: Database, keep: int = KEEP) -> None:
        self._database = database
        self._keep = keep

    # -- writing -----------------------------------------------------------------------------------------------

    def open(self, entry: Entry, texts: Sequence[Text]) -> int:
        with self._database.write() as connection:
            number = connection.execute(
                f"INSERT INTO revision ({_COLUMNS}) VALUES (NULL{', ?' * 14})", _row(entry)
            ).lastrowid
            assert number is not None
            for text in texts:
                if text.content is not None:
                    connection.execute(
                        "INSERT OR IGNORE INTO blob (digest, content) VALUES (?, ?)",
                        (text.digest, zlib.compress(text.content, _QUICK)),
                    )
            connection.executemany(
                "INSERT OR REPLACE INTO text (source, path, number, digest, whole) VALUES (?, ?, ?, ?, ?)",
                ((entry.source, t.path, number, t.digest or None, t.content is not None) for t in texts),
            )
            self._drop_oldest(connection, number)
        return number

    def note(self, number: int, entry: Entry, deeds: Sequence[Deed]) -> None:
        with self._database.write() as connection:
            connection.execute(
                "UPDATE revision SET cause = ?, ending = ?, message = ?, seconds = ? WHERE number = ?",
                (entry.cause, entry.ending, entry.message, entry.seconds, number),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO deed (number, key, action, fields, result, message) VALUES (?, ?, ?, ?, ?, ?)",
                ((number, str(d.key), d.action, "\n".join(d.fields), d.result, d.message) for d in deeds),
            )

    def merge(self, number: int, into: int) -> bool:
        with self._database.write() as connection:
            counted = connection.execute(
                "UPDATE revision SET count = count + 1, (last, ending, message, seconds) = "
                "(SELECT last, ending, message, seconds FROM revision WHERE number = ?) WHERE number = ?",
                (number, into),
            ).rowcount
            if not counted:
                return False
            connection.execute("DELETE FROM revision WHERE number = ?", (number,))
            connection.execute("DELETE FROM deed WHERE number = ?", (number,))
        return True

    def place(self, number: int, commit: str, dirty: bool | None) -> None:
        with self._database.write() as connection:
            connection.execute("UPDATE revision SET commit_id = ?, dirty = ? WHERE number = ?", (commit, dirty, number))

    def interrupt(self) -> None:
        with self._database.read() as connection:
            opened = connection.execute("SELECT 1 FROM revision WHERE ending = ?", (Ending.OPEN,)).fetchone()
        if opened:
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE revision SET ending = ?, message = ? WHERE ending = ?",
                    (Ending.INTERRUPTED, "the process ended before all was done", Ending.OPEN),
                )

    def _drop_oldest(self, connection: Connection, newest: int) -> None:
        """Entries beyond what is kept, and the texts that no kept revision needs."""
        count = connection.execute("SELECT count(*) FROM revision").fetchone()[0]
        if count <= self._keep + self._keep // _SLACK:
            return
        first = connection.execute(
            "SELECT number FROM revision ORDER BY number DESC LIMIT 1 OFFSET ?", (self._keep - 1,)
        ).fetchone()[0]
        connection.execute("DELETE FROM revision WHERE number < ?", (first,))
        connection.execute("DELETE FROM deed WHERE number < ?", (first,))
        unneeded = (
            "FROM text WHERE number < ? AND EXISTS (SELECT 1 FROM text AS newer WHERE newer.source = text.source "
            "AND newer.path = text.path AND newer.number > text.number AND newer.number <= ?)"
        )
        digests = connection.execute(f"SELECT DISTINCT digest {unneeded}", (first, first)).fetchall()
        connection.execute(f"DELETE {unneeded}", (first, first))
        connection.execute("DELETE FROM text WHERE number < ? AND digest IS NULL", (first,))
        connection.executemany(
            "DELETE FROM blob WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM text WHERE digest = ?1)", digests
        )

    # -- reading -----------------------------------------------------------------------------------------------

    def find(self, number: int) -> Entry | None:
        with self._database.read() as connection:
            return next(iter(_with_deeds(connection, "WHERE number = ?", (number,))), None)

    def entries(
        self, *, limit: int = 20, source: str = "", kinds: Collection[str] = (), keys: Collection[Key] = ()
    ) -> Sequence[Entry]:
        conditions: list[str] = []
        arguments: list[Any] = []
        if source:
            conditions.append("source = ?")
            arguments.append(source)
        if kinds or keys:
            about = [*("key LIKE ? || '/%'" for _ in kinds), *("key = ?" for _ in keys)]
            conditions.append(f"number IN (SELECT number FROM deed WHERE {' OR '.join(about)})")
            arguments += [*kinds, *map(str, keys)]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._database.read() as connection:
            return _with_deeds(connection, f"{where} ORDER BY number DESC LIMIT ?", (*arguments, limit))

    def drifts(self, source: str) -> Sequence[Entry]:
        since = "(SELECT coalesce(max(number), 0) FROM revision WHERE source = ?1 AND cause != ?2)"
        with self._database.read() as connection:
            return _with_deeds(connection, f"WHERE source = ?1 AND number > {since}", (source, Cause.DRIFT))

    def range(self, source: str = "") -> tuple[int, int]:
        where, arguments = ("WHERE source = ?", (source,)) if source else ("", ())
        with self._database.read() as connection:
            low, high = connection.execute(
                f"SELECT min(number), max(number) FROM revision {where}", arguments
            ).fetchone()
        return low or 0, high or 0

    def tree(self, source: str, number: int | None = None) -> Mapping[str, Kept]:
        upto, arguments = ("", (source,)) if number is None else ("AND number <= ?", (source, number))
        with self._database.read() as connection:
            # With max(), SQLite takes the other columns from the row that has it: https://www.sqlite.org/lang_select.html
            rows = connection.execute(
                f"SELECT path, digest, whole, max(number) FROM text WHERE source = ? {upto} GROUP BY path", arguments
            ).fetchall()
        return {path: Kept(digest, bool(whole)) for path, digest, whole, _ in rows if digest is not None}

    def content(self, digests: Iterable[bytes]) -> Mapping[bytes, bytes]:
        found = {}
        with self._database.read() as connection:
            for digest in set(digests):
                row = connection.execute("SELECT content FROM blob WHERE digest = ?", (digest,)).fetchone()
                if row:
                    found[digest] = zlib.decompress(row[0])
        return found

    def texts(self, number: int) -> Mapping[str, Kept | None]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT path, digest, whole FROM text WHERE number = ? ORDER BY path", (number,)
            ).fetchall()
        return {path: Kept(digest, bool(whole)) if digest is not None else None for path, digest, whole in rows}


def _with_deeds(connection: Connection, chosen: str, arguments: tuple[Any, ...]) -> list[Entry]:
    found = [_entry(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM revision {chosen}", arguments)]
    return [replace(entry, deeds=tuple(_deeds(connection, entry.number))) for entry in found]


def _deeds(connection: Connection, number: int) -> list[Deed]:
    rows = connection.execute(
        "SELECT key, action, fields, result, message FROM deed WHERE number = ? ORDER BY key", (number,)
    )
    return [
        Deed(read(key), Action(action), tuple(fields.split("\n")) if fields else (), Result(result), message)
        for key, action, fields, result, message in rows
    ]


def _row(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.source,
        entry.at,
        entry.cause,
        entry.user,
        entry.command,
        entry.restored,
        entry.commit,
        entry.dirty,
        entry.ending,
        entry.message,
        entry.seconds,
        entry.count,
        entry.last or entry.at,
        json.dumps(asdict(entry.deployment)) if entry.deployment else "",
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    number, source, at, cause, user, command, restored, commit, dirty, ending, message, seconds, count, last, rolled = (
        row
    )
    return Entry(
        source,
        at,
        Cause(cause),
        user,
        command,
        restored,
        commit,
        None if dirty is None else bool(dirty),
        number,
        Ending(ending),
        message,
        seconds,
        count,
        last,
        deployment=_deployment(rolled),
    )


def _deployment(text: str) -> Deployment | None:
    if not text:
        return None
    found = json.loads(text)
    return Deployment(found["environment"], tuple(Rolled(**each) for each in found["images"]), found["tests"])
