"""What the user said outside git, on SQLite: suspended keys and confirmations. `p2 suspend`, `resume` and `confirm` write it.

These commands write while a controller runs, which is then poked (`Home.poke`); so nothing is kept in memory here.
"""

from __future__ import annotations

from collections.abc import Iterable

from controller.store.database import Database
from controller.store.keys import read
from resources.meta import Key


class SqliteOverrides:
    """Implements `engine.stores.Overrides`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def suspended(self) -> frozenset[Key]:
        with self._database.read() as connection:
            return frozenset(read(key) for (key,) in connection.execute("SELECT key FROM suspended"))

    def suspend(self, keys: Iterable[Key]) -> None:
        with self._database.write() as connection:
            connection.executemany("INSERT OR IGNORE INTO suspended VALUES (?)", [(str(key),) for key in keys])

    def resume(self, keys: Iterable[Key]) -> None:
        self._remove("suspended", keys)

    def confirmed(self, source: str = "") -> frozenset[Key]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT key, source FROM confirmed").fetchall()
        return frozenset(read(key) for key, whose in rows if not source or whose in ("", source))

    def confirm(self, keys: Iterable[Key], source: str = "") -> None:
        with self._database.write() as connection:
            rows = [(str(key), source) for key in keys]
            connection.executemany("INSERT OR REPLACE INTO confirmed (key, source) VALUES (?, ?)", rows)

    def use(self, keys: Iterable[Key]) -> None:
        self._remove("confirmed", keys)

    def _remove(self, table: str, keys: Iterable[Key]) -> None:
        with self._database.write() as connection:
            connection.executemany(f"DELETE FROM {table} WHERE key = ?", [(str(key),) for key in keys])
