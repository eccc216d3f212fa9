"""The database file: made whole, migrated, never silently replaced, readable without writing."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from controller.engine.stores import Event, Level
from controller.store.database import DatabaseError, open_database
from controller.store.home import Home
from controller.store.schema import MIGRATIONS
from controller.store.stores import OpenStores, open_stores
from resources.meta import Key
from tests.unit.store_samples import key, record

WRITER = """
import sys
from pathlib import Path
from controller.store.home import Home
from controller.store.stores import open_stores
from tests.unit.store_samples import record
stores = open_stores(Home(Path(sys.argv[1])))
for number in range(1_000_000):
    stores.inventory.intend([record(f"file-{number}")])
    print(number, flush=True)
"""

ADDED_LATER = (*MIGRATIONS, ("ALTER TABLE inventory ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'",))


def filled(home: Path) -> Path:
    """A database with one record, closed; its path."""
    with open_stores(Home(home)) as stores:
        stores.inventory.intend([record("web")])
    return home / "p2.db"


def read_only(home: Path) -> OpenStores:
    return open_stores(Home(home, read_only=True))


def test_reopened_database_knows_what_was_written(home: Path) -> None:
    path = filled(home)
    assert path.stat().st_mode & 0o777 == 0o600
    with open_stores(Home(home)) as stores:
        assert stores.inventory.find(key("web")) == record("web")


def test_reading_where_no_database_exists_is_empty_and_creates_nothing(home: Path) -> None:
    with read_only(home) as stores:
        assert stores.inventory.sources() == []
        assert stores.statuses.all() == {}
        assert stores.events.since() == []
        assert stores.overrides.suspended() == frozenset()
        assert stores.holds.all("/srv/state") == []
    assert not home.exists()


def test_reader_sees_what_a_running_writer_keeps(home: Path) -> None:
    with open_stores(Home(home)) as writer, read_only(home) as reader:
        writer.events.record(Event(1.0, key("web"), Level.NORMAL, "Created", "created"))
        writer.overrides.suspend([key("web")])
        assert [event.reason for event in reader.events.since()] == ["Created"]
        assert reader.overrides.suspended() == {key("web")}


def test_reader_cannot_write(home: Path) -> None:
    filled(home)
    with read_only(home) as reader:
        with pytest.raises(DatabaseError, match=f"cannot use {home}/p2.db: .*readonly"):
            reader.inventory.forget([key("web")])
        assert reader.inventory.find(key("web"))


def test_reading_leaves_the_database_file_as_it_is(home: Path) -> None:
    before = filled(home).read_bytes()
    with read_only(home) as reader:
        assert reader.inventory.find(key("web"))
    assert (home / "p2.db").read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user to whom a read-only directory is one")
def test_database_on_a_read_only_file_system_can_be_read(tmp_path: Path) -> None:
    home = Path(tempfile.mkdtemp())  # pytest's own directories are closed to other users
    try:
        shutil.copy(filled(tmp_path / "p2home"), home)
        for path in (home, home / "p2.db"):
            os.chown(path, 65534, 65534)
        home.chmod(0o500)
        (home / "p2.db").chmod(0o444)
        reading = multiprocessing.get_context("fork").Process(target=_read_as_nobody, args=(home,))
        reading.start()
        reading.join()
        assert reading.exitcode == 0
    finally:
        shutil.rmtree(home)


def _read_as_nobody(home: Path) -> None:
    os.setuid(65534)
    with read_only(home) as stores:
        assert stores.inventory.find(key("web"))
    with pytest.raises(DatabaseError, match="readonly"), open_stores(Home(home)) as stores:
        stores.inventory.forget([key("web")])


def test_older_database_is_migrated_and_keeps_its_content(home: Path) -> None:
    path = filled(home)
    database = open_database(path, migrations=ADDED_LATER)
    with database.read() as connection:
        assert connection.execute("SELECT key, colour FROM inventory").fetchall() == [(str(key("web")), "blue")]
    database.close()


def test_reading_an_older_database_does_not_migrate_the_file(home: Path) -> None:
    path = filled(home)
    database = open_database(path, read_only=True, migrations=ADDED_LATER)
    with database.read() as connection:
        assert connection.execute("SELECT colour FROM inventory").fetchall() == [("blue",)]
    database.close()
    with open_stores(Home(home)) as stores:
        assert stores.inventory.find(key("web"))


def test_failed_migration_leaves_the_old_schema(home: Path) -> None:
    path = filled(home)
    broken = (*MIGRATIONS, ("CREATE TABLE half (done TEXT)", "this is not SQL"))
    with pytest.raises(DatabaseError, match="syntax error"):
        open_database(path, migrations=broken)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchone() is None


@pytest.mark.parametrize("reading", [False, True])
def test_database_of_a_newer_program_is_refused(home: Path, reading: bool) -> None:
    path = filled(home)
    open_database(path, migrations=ADDED_LATER).close()
    with pytest.raises(DatabaseError, match=r"a newer Pegasus2 wrote it .*upgrade Pegasus2"):
        open_stores(Home(home, read_only=reading))


@pytest.mark.parametrize("reading", [False, True])
@pytest.mark.parametrize("content", [b"", b"this is no database, whatever its name says", bytes(8192)])
def test_damaged_database_is_refused_and_left_alone(home: Path, content: bytes, reading: bool) -> None:
    home.mkdir(mode=0o700)
    (home / "p2.db").write_bytes(content)
    with pytest.raises(DatabaseError, match=rf"{home}/p2.db: .*put it back from a backup"):
        open_stores(Home(home, read_only=reading))
    assert (home / "p2.db").read_bytes() == content


@pytest.mark.parametrize("reading", [False, True])
def test_truncated_database_is_refused(home: Path, reading: bool) -> None:
    with open_stores(Home(home)) as stores:
        stores.inventory.intend([record(f"file-{number}") for number in range(500)])
    with (home / "p2.db").open("r+b") as file:
        file.truncate(20_480)
    with pytest.raises(DatabaseError, match=r"p2.db: it is damaged .*backup"):
        open_stores(Home(home, read_only=reading)).inventory.find(key("web"))


def test_full_disk_is_named_and_nothing_kept_is_lost(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        stores.inventory.intend([record("web")])
        with stores.database.read() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DatabaseError, match=f"cannot write {home}/p2.db: the disk is full; make room"):
            stores.inventory.intend([record(f"file-{number}") for number in range(1000)])
        assert list(stores.inventory.records("/srv/state")) == [key("web")]
    with read_only(home) as reader:
        assert list(reader.inventory.records("/srv/state")) == [key("web")]


def test_what_was_written_survives_a_kill_at_any_moment(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    for _ in range(200):
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    last = max([last, *map(int, process.stdout.read().split())])
    process.wait()
    with read_only(home) as stores:
        found = stores.inventory.records("/srv/state")
    assert {Key("File", "default", f"file-{number}") for number in range(last + 1)} <= found.keys()


def test_several_first_starts_make_one_database(home: Path) -> None:
    writers = [open_stores(Home(home)) for _ in range(4)]
    for number, stores in enumerate(writers):
        stores.overrides.suspend([key(f"web-{number}")])
    assert len(writers[0].overrides.suspended()) == 4
    for stores in writers:
        stores.close()
    assert sorted(path.name for path in home.iterdir()) == ["id", "p2.db"]
