"""What stops all changes on this machine, on SQLite. `p2 pause`, `p2 stop` and a controller that kept crashing put brakes on.

Commands write while a controller runs, which is then poked; so what is in the database is asked for anew each time.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.engine.stores import Brake
from controller.store.database import Database
from resources.conditions import Reason

_GRAVEST = (Reason.STOPPED, Reason.SAFE_MODE, Reason.PAUSED)


class SqliteBrakes:
    """Implements `engine.stores.Brakes`. A brake that can't be written holds this process until it is released here."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unwritten: dict[str, Brake] = {}

    def all(self) -> Sequence[Brake]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT reason, who, why, at FROM brake").fetchall()
        found = {**self._unwritten, **{row[0]: Brake(*row) for row in rows}}
        return sorted(found.values(), key=lambda brake: _GRAVEST.index(Reason(brake.reason)))

    def put_on(self, brake: Brake) -> bool:
        self._unwritten.setdefault(brake.reason, brake)
        with self._database.write() as connection:
            row = (brake.reason, brake.by, brake.why, brake.at)
            done = connection.execute("INSERT OR IGNORE INTO brake (reason, who, why, at) VALUES (?, ?, ?, ?)", row)
            new = done.rowcount == 1
        del self._unwritten[brake.reason]
        return new

    def release(self) -> Sequence[Brake]:
        found = self.all()
        if found:
            with self._database.write() as connection:
                connection.execute("DELETE FROM brake")
            self._unwritten.clear()
        return found

    def lapse(self, reason: str) -> None:
        self._unwritten.pop(reason, None)
