"""Deletions that are held back, on SQLite, per source. Prune replaces them at every revision; the surfaces show them."""

from __future__ import annotations

from collections.abc import Sequence

from controller.engine.stores import Hold
from controller.store.database import Database
from controller.store.keys import join, split


class SqliteHolds:
    """Implements `engine.stores.Holds`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, source: str) -> Sequence[Hold]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT reason, message, keys, at FROM hold WHERE source = ? ORDER BY position", (source,)
            ).fetchall()
            return [Hold(reason, message, split(keys), at) for reason, message, keys, at in rows]

    def replace(self, source: str, holds: Sequence[Hold]) -> None:
        rows = [
            (source, place, hold.reason, hold.message, join(hold.keys), hold.at) for place, hold in enumerate(holds)
        ]
        with self._database.write() as connection:
            connection.execute("DELETE FROM hold WHERE source = ?", (source,))
            connection.executemany(
                "INSERT INTO hold (source, position, reason, message, keys, at) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
