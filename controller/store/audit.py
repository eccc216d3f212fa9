"""The audit on SQLite: entries are added, and never changed. The ledger writes it by way of the witness, commands by themselves.

The database itself refuses changes, and removals of the newest entries (schema.py). What has begun stands in a table of its
own, and becomes an entry when it is known how it ended: at the end, or at the next start if the process died before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from sqlite3 import Connection
from typing import Any, Protocol

from controller.engine.audit import AuditEntry, AuditQuery, Ending
from controller.store.database import Database
from controller.store.process import is_alive, this_process
from controller.store.schema import NEVER_PRUNED

_COLUMNS = "at, action, outcome, key, user, command, cause, fields, generation, file, reason, message, code, seconds"
_ADD = f"INSERT INTO audit ({_COLUMNS}) VALUES ({', '.join('?' * 14)})"
_AT_ONCE = 1000  # rows that one transaction prunes, so that nobody waits long for it

_DIED = "the process ended while it was under way; the next look at the machine finds out how far it came"
_LOST = "how it ended could not be written down"


class Told(Protocol):
    """Who else is told of every entry: the journal. Never fails, never blocks."""

    def record(self, entry: AuditEntry) -> None: ...


class SqliteAudit:
    """Implements `engine.stores.Audit`."""

    def __init__(self, database: Database, told: Told | None = None) -> None:
        self._database = database
        self._told = told
        self._process = this_process()

    def begin(self, entries: Mapping[str, AuditEntry]) -> None:
        rows = [(name, self._process, _to_json(entry)) for name, entry in entries.items()]
        with self._database.write() as connection:
            lost = [entry for name in entries if (entry := _begun(connection, name))]
            self._add(connection, [_interrupted(entry, max(e.at for e in entries.values()), _LOST) for entry in lost])
            connection.executemany("INSERT OR REPLACE INTO begun (name, process, entry) VALUES (?, ?, ?)", rows)

    def under_way(self) -> bool:
        """Whether anything has begun of which it is not known how it ended."""
        with self._database.read() as connection:
            return connection.execute("SELECT 1 FROM begun").fetchone() is not None

    def end(self, entries: Mapping[str, AuditEntry]) -> None:
        with self._database.write() as connection:
            connection.executemany("DELETE FROM begun WHERE name = ?", ((name,) for name in entries))
            self._add(connection, entries.values())

    def recover(self, at: float) -> Sequence[AuditEntry]:
        with self._database.write() as connection:
            rows = connection.execute("SELECT name, process, entry FROM begun ORDER BY name").fetchall()
            found = [(name, _from_json(entry), process) for name, process, entry in rows]
            # Actions are only ever carried out under the lock, which we hold; commands wait for it, too.
            dead = [(name, entry) for name, entry, process in found if entry.key or not is_alive(process)]
            ended = [_interrupted(entry, at, _DIED) for _, entry in dead]
            connection.executemany("DELETE FROM begun WHERE name = ?", ((name,) for name, _ in dead))
            self._add(connection, ended)
        return ended

    def entries(self, query: AuditQuery) -> Sequence[AuditEntry]:
        conditions, arguments = _where(query)
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM audit WHERE {conditions} ORDER BY number DESC LIMIT ?",
                (*arguments, query.limit),
            ).fetchall()
        return [_entry(row) for row in reversed(rows)]

    def prune(self, before: float) -> int:
        gone = 0
        while True:
            with self._database.write() as connection:
                removed = connection.execute(
                    "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < ? "
                    "AND number <= (SELECT max(number) FROM audit) - ? ORDER BY number LIMIT ?)",
                    (before, NEVER_PRUNED, _AT_ONCE),
                ).rowcount
            gone += removed
            if removed < _AT_ONCE:
                return gone

    def _add(self, connection: Connection, entries: Iterable[AuditEntry]) -> None:
        new = list(entries)
        connection.executemany(_ADD, map(_row, new))
        if self._told and new:
            self._database.afterwards(lambda: self._tell(new))

    def _tell(self, entries: Iterable[AuditEntry]) -> None:
        assert self._told
        for entry in entries:
            self._told.record(entry)


def _begun(connection: Connection, name: str) -> AuditEntry | None:
    row = connection.execute("SELECT entry FROM begun WHERE name = ?", (name,)).fetchone()
    return _from_json(row[0]) if row else None


def _interrupted(entry: AuditEntry, at: float, message: str) -> AuditEntry:
    """`seconds` is the time until this was noticed: longer than it was worked on."""
    return replace(entry, at=at, outcome=Ending.INTERRUPTED, message=message, seconds=round(max(0.0, at - entry.at), 4))


def _where(query: AuditQuery) -> tuple[str, list[Any]]:
    """The condition of a query, and its arguments."""
    parts: list[tuple[str, Sequence[Any]]] = []
    if query.keys or query.kinds:
        keys, kinds = sorted(map(str, query.keys)), sorted(query.kinds)
        parts.append(
            (
                f"(key IN ({_places(keys)}) OR substr(key, 1, instr(key, '/') - 1) IN ({_places(kinds)}))",
                [*keys, *kinds],
            )
        )
    if query.since:
        parts.append(("at >= ?", [query.since]))
    if query.user:
        parts.append(("(user = ? OR instr(user, '(' || ? || ')') > 0)", [query.user, query.user]))
    if query.action:
        parts.append(("action = ?", [query.action]))
    if query.outcome:
        parts.append(("outcome = ?", [query.outcome]))
    return " AND ".join(text for text, _ in parts) or "1", [value for _, values in parts for value in values]


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _row(entry: AuditEntry) -> tuple[Any, ...]:
    return (
        entry.at,
        entry.action,
        entry.outcome,
        str(entry.key) if entry.key else None,
        entry.user,
        entry.command,
        entry.cause,
        "\n".join(entry.fields),
        entry.generation,
        entry.file,
        entry.reason,
        entry.message,
        entry.code,
        entry.seconds,
    )


def _entry(row: Sequence[Any]) -> AuditEntry:
    at, action, outcome, key, user, command, cause, fields, *rest = row
    if key:
        from controller.store.keys import read  # knows the models, which who only adds an entry does without

        key = read(key)
    return AuditEntry(at, action, Ending(outcome), key, user, command, cause, tuple(fields.splitlines()), *rest)


def _to_json(entry: AuditEntry) -> str:
    return json.dumps(_row(entry), ensure_ascii=False, separators=(",", ":"))


def _from_json(text: str) -> AuditEntry:
    return _entry(json.loads(text))
