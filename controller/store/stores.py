"""Opens everything that the loop keeps, in one database. Wiring calls it with the home; tests without one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from controller.engine.stores import Event, Level, Stores
from controller.store.age import is_older
from controller.store.database import Database, open_database
from controller.store.events import SqliteEvents
from controller.store.holds import SqliteHolds
from controller.store.home import Home
from controller.store.identity import LOST, NOBODY, OLDER, REBUILD, Identified, first_words, identify
from controller.store.inventory import SqliteInventory
from controller.store.overrides import SqliteOverrides
from controller.store.statuses import SqliteStatuses


@dataclass(frozen=True, slots=True)
class OpenStores(Stores):
    """The stores with the database behind them, to be closed."""

    database: Database
    installation: str = ""  # whose marks are ours
    news: str = ""  # what was put right when they were opened, for the user

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_stores(home: Home | None, *, examined: bool = False) -> OpenStores:
    """The stores of a home, or with None stores in memory that are gone when closed.

    A read-only home gives stores that can't write; what they read is empty where there is no database yet. `examined`,
    by whoever holds the lock: the database is looked through before anything is done by what it says.
    Raises HomeError when home or database can't be used.
    """
    if home is None:
        return stores_on(open_database(None))
    home.prepare()
    existed = home.database.exists()
    first = {} if home.read_only or existed else first_words(home)
    database = open_database(home.database, read_only=home.read_only, first=first)
    try:
        if examined:
            database.examine()
        found = identify(home, database, existed=existed)
        if first:
            found = replace(found, news="")  # it was never there
        stores = stores_on(database, found)
        if examined and is_older(home, database) and database.meta(REBUILD) != LOST:
            database.keep_meta(REBUILD, OLDER)
        if found.news:
            stores.events.record(Event(time.time(), None, Level.WARNING, "IdPutBack", found.news))
    except BaseException:
        database.close()
        raise
    home.installation = found.installation
    return stores


def stores_on(database: Database, found: Identified = NOBODY) -> OpenStores:
    return OpenStores(
        inventory=SqliteInventory(database),
        statuses=SqliteStatuses(database),
        events=SqliteEvents(database),
        overrides=SqliteOverrides(database),
        holds=SqliteHolds(database),
        database=database,
        installation=found.installation,
        news=found.news,
    )
