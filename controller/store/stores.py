"""Opens everything that the loop keeps, in one database. Wiring calls it with the home; tests without one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from controller.engine.stores import Stores
from controller.store.audit import SqliteAudit
from controller.store.brakes import SqliteBrakes
from controller.store.database import Database, open_database
from controller.store.errors import HomeError
from controller.store.events import SqliteEvents
from controller.store.history import KEEP, SqliteHistory
from controller.store.holds import SqliteHolds
from controller.store.home import Home
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


def open_stores(home: Home | None, journal: Path | None = None) -> OpenStores:
    """The stores of a home, or with None stores in memory that are gone when closed.

    With `journal`, the socket of the system's journal, that is told what the audit is told.

    A read-only home gives stores that can't write; what they read is empty where there is no database yet.
    Raises HomeError when home or database can't be used.
    """
    if home is None:
        return _stores_on(open_database(None), journal)
    home.prepare()
    keep = KEEP if home.read_only else _history_kept(home)
    return _stores_on(open_database(home.database, read_only=home.read_only), journal, keep)


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


def _stores_on(database: Database, socket: Path | None, keep: int = KEEP) -> OpenStores:
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
    )
