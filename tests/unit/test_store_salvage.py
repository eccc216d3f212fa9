"""What can still be read of a damaged database, and what is not believed although it can be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from controller.engine.stores import Event, Level
from controller.store.database import DamagedError
from controller.store.home import Home
from controller.store.mending import mend, survey
from controller.store.salvage import salvage
from controller.store.stores import open_stores
from tests.unit.store_samples import key, record
from tests.unit.test_store_versions import DATABASES, load

COUNT = 300


@pytest.fixture
def database(home: Path) -> Path:
    """With many records, events and a suspended key; closed."""
    with open_stores(Home(home)) as stores:
        stores.inventory.intend([record(f"file-{number}") for number in range(COUNT)])
        for number in range(COUNT):
            stores.events.record(
                Event(float(number + 1), key(f"file-{number}"), Level.NORMAL, "Created", "as declared")
            )
        stores.overrides.suspend([key("file-1")])
        stores.overrides.confirm([key("file-2")])
    return home / "p2.db"


def change(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


def test_sound_database_is_read_as_a_whole(database: Path, home: Path) -> None:
    found = salvage(database)
    assert found.installation == (home / "id").read_text().strip()
    assert len(found.records) == COUNT
    assert [event.at for event in found.events] == [float(number + 1) for number in range(COUNT)]
    assert found.suspended == {key("file-1")}


@pytest.mark.parametrize("field", ["handle", "applied", "source", "retain", "kept", "key"])
def test_record_that_is_not_what_was_written_is_refused_and_left_behind(database: Path, home: Path, field: str) -> None:
    change(database, f"UPDATE inventory SET {field} = '1' || substr({field}, 2) WHERE key = 'File/default/file-7'")
    for read_only in (True, False):
        with (
            pytest.raises(DamagedError, match=r"it is damaged .*run 'p2 recover'"),
            open_stores(Home(home, read_only=read_only)) as stores,
        ):
            stores.inventory.find(key("file-1"))
    found = salvage(database).records
    assert len(found) == COUNT - 1
    assert key("file-7") not in found


def test_cut_database_gives_what_its_whole_pages_hold(database: Path) -> None:
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.truncate(size * 2 // 3)
    found = salvage(database)
    assert 0 < len(found.records) + len(found.events) < 2 * COUNT
    assert all(found.records[each.key] == each for each in [record(k.name) for k in found.records])


def test_salvaging_leaves_the_damaged_files_as_they_are(database: Path, home: Path) -> None:
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    salvage(database)
    assert {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()} == before


def test_what_belongs_to_another_installation_is_left(database: Path) -> None:
    assert not salvage(database, "feedfacefeedface").records


@pytest.mark.parametrize("dump", DATABASES, ids=lambda path: path.stem)
def test_database_from_before_there_were_seals_is_believed_where_it_agrees_with_itself(
    dump: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p2.db"
    load(dump, path, tmp_path, str(tmp_path))
    assert len(salvage(path).records) == 5
    change(path, "UPDATE inventory SET key = 'File/default/another' WHERE key = 'File/default/page'")
    assert {each.name for each in salvage(path).records} == {"notes", "motd", "old", "paused"}


def test_mended_home_holds_all_that_was_salvaged_and_no_confirmation(database: Path, home: Path) -> None:
    change(database, "UPDATE inventory SET handle = 'x' WHERE key = 'File/default/file-7'")
    found = survey(Home(home, read_only=True))
    assert found.damage
    mended = mend(Home(home), found.in_file)
    assert mended.aside is not None
    assert mended.aside.exists()
    with open_stores(Home(home)) as stores:
        records = stores.inventory.records("/srv/state").values()
        assert len(records) == COUNT - 1
        assert all(each.recovered for each in records)
        assert stores.overrides.suspended() == {key("file-1")}
        assert stores.overrides.confirmed() == frozenset()
        assert stores.installation == found.in_file
    again = mend(Home(home), found.in_file)
    assert again.aside is None, "it is sound now"
