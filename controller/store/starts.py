"""The controller's starts and how they ended, on SQLite: the last hundred. `engine/crashes.py` counts with them."""

from __future__ import annotations

from collections.abc import Sequence

from controller.engine.stores import Start
from controller.store.database import Database

RETENTION = 100


class SqliteStarts:
    """Implements `engine.stores.Starts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unended(self) -> Sequence[Start]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT at, boot, uptime, pid FROM start WHERE NOT ended ORDER BY number")
            return [Start(*row) for row in rows]

    def begin(self, start: Start) -> int:
        with self._database.write() as connection:
            number = connection.execute(
                "INSERT INTO start (at, boot, uptime, pid, ended) VALUES (?, ?, ?, ?, 0)",
                (start.at, start.boot, start.uptime, start.pid),
            ).lastrowid
            assert number is not None
            connection.execute("DELETE FROM start WHERE number <= ?", (number - RETENTION,))
        return number

    def end(self, number: int) -> None:
        with self._database.write() as connection:
            connection.execute("UPDATE start SET ended = 1 WHERE number = ?", (number,))

    def forget(self, but: int = 0) -> int:
        with self._database.write() as connection:
            # Of several with that process id the last one is meant: ids come again.
            return connection.execute(
                "UPDATE start SET ended = 1 WHERE NOT ended "
                "AND number IS NOT (SELECT max(number) FROM start WHERE pid = ? AND NOT ended)",
                (but,),
            ).rowcount
