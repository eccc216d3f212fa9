"""Opens everything that the loop keeps, in one database. Wiring calls it with the home; tests without one."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from controller.engine.stores import Stores
from controller.store.brakes import SqliteBrakes
from controller.store.database import Database, open_database
from controller.store.events import SqliteEvents
from controller.store.holds import SqliteHolds
from controller.store.home import Home
from controller.store.inventory import SqliteInventory
from controller.store.overrides import SqliteOverrides
from controller.store.starts import SqliteStarts
from controller.store.statuses import SqliteStatuses


@dataclass(frozen=True, slots=True)
class OpenStores(Stores):
    """The stores with the database behind them, to be closed."""

    database: Database

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_stores(home: Home | None) -> OpenStores:
    """The stores of a home, or with None stores in memory that are gone when closed.

    A read-only home gives stores that can't write; what they read is empty where there is no database yet.
    Raises HomeError when home or database can't be used.
    """
    if home is None:
        return _stores_on(open_database(None))
    home.prepare()
    return _stores_on(open_database(home.database, read_only=home.read_only))


def _stores_on(database: Database) -> OpenStores:
    return OpenStores(
        inventory=SqliteInventory(database),
        statuses=SqliteStatuses(database),
        events=SqliteEvents(database),
        overrides=SqliteOverrides(database),
        holds=SqliteHolds(database),
        brakes=SqliteBrakes(database),
        starts=SqliteStarts(database),
        database=database,
    )
