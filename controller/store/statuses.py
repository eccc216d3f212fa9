"""Statuses on SQLite, as JSON. The reconciler saves one after each pass; every surface that shows something reads them.

Nothing is kept in memory, so a reader (`p2 get -w`) always sees what the controller saved last.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from controller.store.database import Database
from controller.store.keys import read
from resources.conditions import Condition, Status, Truth, Type
from resources.meta import Key
from resources.plan import Change, Why


class SqliteStatuses:
    """Implements `engine.stores.Statuses`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: Key) -> Status | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT body FROM status WHERE key = ?", (str(key),)).fetchone()
            return status_from_json(row[0]) if row else None

    def all(self) -> Mapping[Key, Status]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT key, body FROM status ORDER BY key").fetchall()
            return {read(key): status_from_json(body) for key, body in rows}

    def tally(self) -> Mapping[tuple[str, Truth], int]:
        """How many resources there are by kind and Ready, without reading each one's status."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT substr(key, 1, instr(key, '/') - 1) AS kind, ready, count(*) FROM status GROUP BY kind, ready"
            ).fetchall()
            return {(kind, Truth(ready)): count for kind, ready, count in rows}

    def unready(self) -> Mapping[str, int]:
        """How many are not Ready, by the reason that they give."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT body FROM status WHERE ready <> ?", (Truth.TRUE.value,)).fetchall()
        found = (status_from_json(body).condition(Type.READY) for (body,) in rows)
        return Counter(condition.reason for condition in found if condition)

    def save(self, statuses: Mapping[Key, Status]) -> None:
        rows = [(str(key), _ready(status), status_to_json(status)) for key, status in statuses.items()]
        with self._database.write() as connection:
            connection.executemany("INSERT OR REPLACE INTO status (key, ready, body) VALUES (?, ?, ?)", rows)

    def forget(self, keys: Iterable[Key]) -> None:
        rows = [(str(key),) for key in keys]
        with self._database.write() as connection:
            connection.executemany("DELETE FROM status WHERE key = ?", rows)


def _ready(status: Status) -> Truth:
    found = status.condition(Type.READY)
    return found.status if found else Truth.UNKNOWN


def status_to_json(status: Status) -> str:
    """A status as text that `status_from_json` reads back."""
    return json.dumps(
        {
            "generation": status.generation,
            "observedGeneration": status.observed_generation,
            "conditions": [
                [c.type, c.status, c.reason, c.message, c.observed_generation, c.since] for c in status.conditions
            ],
            "drift": [[c.path, c.observed, c.desired, c.why] for c in status.drift],
            "digest": status.digest,
            "handle": status.handle,
            "at": status.at,
        },
        separators=(",", ":"),
        default=str,
    )


def status_from_json(text: str) -> Status:
    """The status that `status_to_json` wrote; lists in the values of its drift stay lists."""
    found: dict[str, Any] = json.loads(text)
    return Status(
        generation=found["generation"],
        observed_generation=found["observedGeneration"],
        conditions=tuple(
            Condition(Type(kind), Truth(truth), reason, message, observed, since)
            for kind, truth, reason, message, observed, since in found["conditions"]
        ),
        drift=tuple(Change(path, observed, desired, Why(why)) for path, observed, desired, why in found["drift"]),
        digest=found["digest"],
        handle=found["handle"],
        at=found["at"],
    )
