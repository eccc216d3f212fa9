"""Events on SQLite: the last ten thousand, equal ones in a row merged. Whoever tells the user something records it here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.engine.stores import Event, Level
from controller.store.database import Database
from controller.store.keys import read
from resources.meta import Key

RETENTION = 10_000

_NAMES = "key, at, level, reason, message, count, first"
COLUMNS = tuple(_NAMES.split(", "))


class SqliteEvents:
    """Implements `engine.stores.Events`."""

    def __init__(self, database: Database, retention: int = RETENTION) -> None:
        self._database = database
        self._retention = retention

    def record(self, event: Event) -> None:
        """Keeps an event. One that says the same as the last of its key replaces it and counts both."""
        key = str(event.key) if event.key else None
        count, first = event.count, event.first or event.at
        with self._database.write() as connection:
            last = connection.execute(
                "SELECT number, reason, message, count, first FROM event WHERE key IS ? ORDER BY number DESC LIMIT 1",
                (key,),
            ).fetchone()
            if last and last[1:3] == (event.reason, event.message):
                connection.execute("DELETE FROM event WHERE number = ?", last[:1])
                count, first = count + last[3], last[4]
            number = connection.execute(
                f"INSERT INTO event ({_NAMES}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, event.at, event.level, event.reason, event.message, count, first),
            ).lastrowid
            connection.execute("DELETE FROM event WHERE number <= ?", ((number or 0) - self._retention,))

    def since(self, at: float = 0.0, key: Key | None = None, limit: int = 1000) -> Sequence[Event]:
        """The newest `limit` events later than `at`, oldest first."""
        chosen, arguments = ("AND key = ?", (at, str(key), limit)) if key else ("", (at, limit))
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_NAMES} FROM event WHERE at > ? {chosen} ORDER BY number DESC LIMIT ?", arguments
            ).fetchall()
            return [event_in(row) for row in reversed(rows)]


def event_in(row: tuple[Any, ...]) -> Event:
    key, at, level, reason, message, count, first = row
    return Event(float(at), read(key) if key else None, Level(level), reason, message, int(count), float(first))
