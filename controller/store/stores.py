"""Opens everything that the loop keeps, in one database. Wiring calls it with the home; tests without one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from controller.engine.stores import Event, Level, Stores
from controller.store.age import count_start
from controller.store.audit import SqliteAudit
from controller.store.brakes import SqliteBrakes
from controller.store.database import Database, open_database
from controller.store.errors import HomeError
from controller.store.events import SqliteEvents
from controller.store.history import KEEP, SqliteHistory
from controller.store.holds import SqliteHolds
from controller.store.home import Home
from controller.store.identity import NOBODY, Identified, first_words, identify, refuse_lost
from controller.store.inventory import SqliteInventory
from controller.store.journal import Journal
from controller.store.overrides import SqliteOverrides
from controller.store.starts import SqliteStarts
from controller.store.statuses import SqliteStatuses


@dataclass(frozen=True, slots=True)
class OpenStores(Stores):
    """The stores with the database behind them, to be closed."""

    database: Database
    journal: Journal | None = None
    installation: str = ""  # whose marks are ours
    news: str = ""  # what was put right when they were opened, for the user

    def close(self) -> None:
        self.database.close()
        if self.journal:
            self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_stores(
    home: Home | None, journal: Path | None = None, *, examined: bool = False, derived: str = ""
) -> OpenStores:
    """The stores of a home, or with None stores in memory that are gone when closed.

    With `journal`, the socket of the system's journal, that is told what the audit is told.

    A read-only home gives stores that can't write; what they read is empty where there is no database yet. `examined`,
    by whoever holds the lock: the database is looked through before anything is done by what it says. `derived`: the id that a
    home gets which has none.
    Raises HomeError when home or database can't be used.
    """
    if home is None:
        return stores_on(open_database(None), socket=journal)
    home.prepare()
    keep = KEEP if home.read_only else _history_kept(home)
    existed = home.database.exists()
    if home.read_only:
        refuse_lost(home)
    first = {} if home.read_only or existed else first_words(home, derived)
    database = open_database(home.database, read_only=home.read_only, first=first)
    try:
        if examined:
            database.examine()
        found = identify(home, database, existed=existed)
        if first:
            found = replace(found, news="")  # it was never there
        stores = stores_on(database, found, journal, keep)
        if examined:
            count_start(home, database)
        if found.news:
            stores.events.record(Event(time.time(), None, Level.WARNING, "IdPutBack", found.news))
    except BaseException:
        database.close()
        raise
    home.installation = found.installation
    return stores


def _history_kept(home: Home) -> int:
    """How many entries of the history are kept: `history: {keep: N}` in the configuration. Raises HomeError."""
    section = home.config().get("history", {})
    keep = section.get("keep", KEEP) if isinstance(section, dict) else None
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        raise HomeError(
            f"cannot use {home.path / 'config.yaml'}: history must say how many revisions are kept, "
            f"such as history: {{keep: {KEEP}}}"
        )
    return keep


def stores_on(
    database: Database, found: Identified = NOBODY, socket: Path | None = None, keep: int = KEEP
) -> OpenStores:
    """The stores on an open database, which is `found` to be whose it is."""
    journal = Journal(socket) if socket else None
    return OpenStores(
        inventory=SqliteInventory(database),
        statuses=SqliteStatuses(database),
        events=SqliteEvents(database),
        overrides=SqliteOverrides(database),
        holds=SqliteHolds(database),
        audit=SqliteAudit(database, journal),
        together=database.together,
        history=SqliteHistory(database, keep),
        brakes=SqliteBrakes(database),
        starts=SqliteStarts(database),
        database=database,
        journal=journal,
        installation=found.installation,
        news=found.news,
    )
