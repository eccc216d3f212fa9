"""Makes a home whole again whose database or id was lost or damaged: the part of `p2 recover` that is about its files.

Nothing here looks at the world. It ends with an id and a sound database that agree, and that says that the marks in the
world are yet to be asked (`identity.REBUILD`), which whoever opens a workspace next does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from controller.store.age import STARTS
from controller.store.aside import set_aside
from controller.store.database import DamagedError, Database, drafted, open_database
from controller.store.errors import HomeError, told
from controller.store.home import Home
from controller.store.identity import DOUBTED, INSTALLATION, LOST, REBUILD
from controller.store.salvage import Salvaged, salvage
from controller.store.stores import open_stores, stores_on


@dataclass(frozen=True, slots=True)
class Survey:
    """What a home says of itself. `damage` is what is wrong with its database, empty when it is sound or not there."""

    in_file: str = ""  # the id
    in_database: str = ""
    has_database: bool = False
    damage: str = ""

    @property
    def ids(self) -> frozenset[str]:
        return frozenset((self.in_file, self.in_database)) - {""}


@dataclass(frozen=True, slots=True)
class Mended:
    """`aside` is where the damaged database is now; `salvaged` what of it could still be read."""

    installation: str
    damage: str = ""
    aside: Path | None = None
    salvaged: Salvaged | None = None
    is_damaged: bool = True  # else it was moved aside because it is another installation's


def survey(home: Home) -> Survey:
    """Reads everything in the database once; changes nothing. Raises HomeError for what mending does not put right."""
    home.prepare()
    in_file = ""
    with suppress(HomeError):  # a damaged id is none
        in_file = home.kept_id()
    if not home.database.exists():
        return Survey(in_file)
    try:
        with _opened(home.database) as database:
            return Survey(in_file, database.meta(INSTALLATION), True)
    except DamagedError as error:
        return Survey(in_file, salvage(home.database).installation, True, str(error))


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    database = open_database(path, read_only=True)
    try:
        database.examine(whole=True)
        stores = stores_on(database)
        for source in stores.inventory.sources():
            stores.holds.all(source)
        stores.statuses.all()
        stores.events.since(limit=1_000_000)
        stores.overrides.suspended()
        stores.overrides.confirmed()
        yield database
    finally:
        database.close()


def mend(home: Home, installation: str) -> Mended:
    """Gives the home this id and a sound database. The caller holds the lock. Raises HomeError."""
    found = survey(home)
    if found.in_file != installation:
        home.keep_id(installation, instead=True)
    if found.has_database and (found.damage or found.in_database not in ("", installation)):
        whose = f"it belongs to the installation {found.in_database}"
        mended = replace(_replaced(home, installation, found.damage or whose), is_damaged=bool(found.damage))
    else:
        mended = Mended(installation)
    with open_stores(home) as stores:
        if stores.database.meta(REBUILD) != LOST:
            stores.database.keep_meta(REBUILD, DOUBTED)
    return mended


def _replaced(home: Home, installation: str, damage: str) -> Mended:
    """A new database with what could be salvaged takes the place of the old one, which is moved aside."""
    salvaged = salvage(home.database, installation)
    with told(home.database, "replace"), drafted(home.database) as draft:
        database = open_database(draft)
        try:
            database.keep_meta(INSTALLATION, installation)
            database.keep_meta(REBUILD, DOUBTED)
            database.keep_meta(STARTS, home.starts())  # it is no older copy
            _fill(database, salvaged)
        finally:
            database.close()
        aside = set_aside(home.database)
        draft.rename(home.database)
    return Mended(installation, damage, aside, salvaged)


def _fill(database: Database, salvaged: Salvaged) -> None:
    """Nothing may go because of it: whatever is declared no more is held, and was it confirmed, it is to be so again."""
    stores = stores_on(database)
    stores.inventory.confirm([replace(record, recovered=True) for record in salvaged.records.values()])
    stores.statuses.save(salvaged.statuses)
    for event in salvaged.events:
        stores.events.record(event)
    stores.overrides.suspend(salvaged.suspended)
