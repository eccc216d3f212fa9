"""The inventory on SQLite: what we own. The reconciler writes it before and after each change, prune reads it.

All of it is loaded at the first question and answered from memory from then on: ten thousand records take a few MB and
no parsing (`applied` stays the text it is). One process changes it at a time, the one that holds the home's lock.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from controller.engine.stores import Record
from controller.store.database import Database
from controller.store.keys import join, read, split
from controller.store.seals import NAME, SEALED, seal_of
from resources.meta import Key
from resources.plan import Action

_NAMES = (
    "key, source, generation, digest, handle, applied, file, dependencies, owner, intent, retain, adopted, kept, "
    "recovered, good, good_digest, tried, tried_at, given_up, given_up_why, intended"
)
COLUMNS = tuple(_NAMES.split(", "))
_PUT = f"INSERT OR REPLACE INTO inventory (seal, {_NAMES}) VALUES (?{', ?' * len(COLUMNS)})"
_READ = f"SELECT seal, {_NAMES} FROM inventory"


class SqliteInventory:
    """Implements `engine.stores.Inventory`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = database.lock  # one lock for both, so that a larger transaction can't wait for itself
        self._seal = ""  # the database's own text, which every seal begins with
        self._loaded: dict[Key, Record] | None = None
        self._by_source: dict[str, dict[Key, Record]] = {}

    def records(self, source: str) -> Mapping[Key, Record]:
        """What `source` owns, as it is now: later changes do not show in the answer."""
        with self._lock:
            self._all()
            return dict(self._by_source.get(source, {}))

    def count(self, source: str) -> int:
        with self._lock:
            self._all()
            return len(self._by_source.get(source, ()))

    def find(self, key: Key) -> Record | None:
        with self._lock:
            return self._all().get(key)

    def sources(self) -> Sequence[str]:
        with self._lock:
            self._all()
            return sorted(self._by_source)

    def intend(self, records: Iterable[Record]) -> None:
        self._keep(list(records))

    def confirm(self, records: Iterable[Record]) -> None:
        self._keep(list(records))

    def forget(self, keys: Iterable[Key]) -> None:
        gone = list(keys)
        with self._lock:
            self._all()
            with self._database.write() as connection:
                connection.executemany("DELETE FROM inventory WHERE key = ?", ((str(key),) for key in gone))
                self._database.afterwards(lambda: self._follow(gone, ()))

    def _keep(self, records: Sequence[Record]) -> None:
        with self._lock:
            self._all()
            with self._database.write() as connection:
                connection.executemany(_PUT, [sealed(self._seal, row_of(record)) for record in records])
                self._database.afterwards(lambda: self._follow((), records))

    def _follow(self, gone: Iterable[Key], new: Iterable[Record]) -> None:
        """Memory follows the disk: a write that failed, or is undone, is not remembered."""
        for key in gone:
            self._drop(key)
        for record in new:
            self._drop(record.key)
            self._remember(record)

    def _all(self) -> dict[Key, Record]:
        if self._loaded is None:
            self._seal = self._database.meta(NAME)
            with self._database.read() as connection, _collector_paused():
                records = [record_in(row, self._seal) for row in connection.execute(_READ)]
            # Not before all could be read: a part of it would pass for the whole.
            self._loaded = {}
            for record in records:
                self._remember(record)
        return self._loaded

    def _remember(self, record: Record) -> None:
        assert self._loaded is not None
        self._loaded[record.key] = record
        self._by_source.setdefault(record.source, {})[record.key] = record

    def _drop(self, key: Key) -> None:
        assert self._loaded is not None
        if old := self._loaded.pop(key, None):
            siblings = self._by_source[old.source]
            del siblings[key]
            if not siblings:
                del self._by_source[old.source]


def row_of(record: Record) -> tuple[Any, ...]:
    return (
        str(record.key),
        record.source,
        record.generation,
        record.digest,
        record.handle,
        record.applied,
        record.file,
        join(record.dependencies),
        record.owner and str(record.owner),
        record.intent,
        int(record.retain),
        int(record.adopted),
        record.kept,
        int(record.recovered),
        record.good,
        record.good_digest,
        record.tried,
        float(record.tried_at),  # as it is read back, for the seal
        record.given_up,
        record.given_up_why,
        record.intended,
    )


def sealed(text: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as it is kept."""
    return seal_of(text, row[:SEALED]), *row


def record_in(row: tuple[Any, ...], text: str) -> Record:
    """The record that a row holds, its seal first. Raises ValueError when it is not what was written."""
    seal, *values = row
    if seal != seal_of(text, values[:SEALED]):
        raise ValueError(f"the row of {values[0]!r} is not what was written")
    return record_of(values)


def record_of(values: Sequence[Any]) -> Record:
    """The record in the columns of a row, its seal aside. Raises ValueError and TypeError for what is none."""
    key, source, generation, digest, handle, applied, file, dependencies, *rest = values
    owner, intent, retain, adopted, kept, recovered, *trial = rest
    return Record(
        read(key),
        source,
        generation,
        digest,
        handle,
        applied,
        file,
        split(dependencies),
        read(owner) if owner else None,
        Action(intent) if intent else None,
        bool(retain),
        bool(adopted),
        kept,
        bool(recovered),
        *trial,
    )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Loading makes thousands of objects that stay; looking for garbage among them triples the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
