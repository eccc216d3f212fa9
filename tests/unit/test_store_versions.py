"""Databases that released versions have written: each is brought up to date whole, and a controller goes on with it."""

from __future__ import annotations

import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from controller.agents.environment.kept import Kept
from controller.store.database import open_database
from controller.store.home import Home
from controller.store.schema import MIGRATIONS, SEAL_ROWS
from controller.store.seals import row_seal
from controller.store.stores import open_stores
from resources.kinds.file import File
from resources.meta import Key
from resources.parsed import digest_of
from resources.plan import Action
from tests.agents.file_driver import Driver, declare
from tests.cli.conftest import story as story
from tests.cli.story import Story
from tests.support import Controller, eventually, fingerprint, listed

DATABASES = sorted((Path(__file__).parent / "databases").glob("v*.sql"))
INSTALLATION = "0ddba11f5ca1ab1e"

MIGRATE = """
import sys
from pathlib import Path
from controller.store.database import open_database
for path in sys.argv[1:]:
    print(path, flush=True)
    open_database(Path(path)).close()
"""


@pytest.fixture(params=DATABASES, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, story: Story, home: Path) -> Iterator[Story]:
    """The world as that version has left it, with its home."""
    contents = {"page": "hello again", "notes": "my notes", "old": "old", "paused": "as declared"}
    (story.world / "motd").write_text("theirs")
    driver = Driver(home)
    driver.make(declare(story.world / "motd", content="ours", adopt=True), Action.ADOPT)
    for name, content in contents.items():
        (story.world / name).write_text(content)
    retained = {"deletionPolicy": "Retain"}
    page, notes = story.file("page", "hello again"), story.file("notes", "my notes", **retained)
    story.write("site.yaml", page, notes)
    story.write("motd.yaml", story.file("motd", "ours", adopt="true"))
    story.write("paused.yaml", story.file("paused", "as declared"))
    home.chmod(0o700)
    (home / "id").write_text(INSTALLATION + "\n")
    place = Kept(None, home).place(str(story.world / "motd"))  # type: ignore[arg-type]  # the path alone
    load(request.param, home / "p2.db", story.root, place)
    yield story


def load(sql: Path, path: Path, root: Path, kept: str) -> None:
    """The database that a dump describes; digests in it are those of the places that it is in now."""
    text = sql.read_text().replace("@ROOT@", str(root)).replace("@KEPT@", kept)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(text)
        rows = connection.execute("SELECT digest, applied FROM inventory").fetchall()
    for digest, applied in rows:
        text = text.replace(digest, digest_of(File.model_validate_json(applied)))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)
        connection.execute("PRAGMA journal_mode = WAL")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            connection.create_function("row_seal", -1, row_seal)
            with connection:
                connection.execute(SEAL_ROWS)
    path.chmod(0o600)


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def test_there_is_a_database_of_the_first_version() -> None:
    assert DATABASES[0].name == "v1.sql"
    assert "PRAGMA user_version = 1;" in DATABASES[0].read_text()


def test_old_database_keeps_what_it_knows(old: Story, home: Path) -> None:
    with open_stores(Home(home)) as stores:
        records = stores.inventory.records(f"{old.root}/state")
        assert {key.name for key in records} == {"page", "notes", "motd", "old", "paused"}
        motd, page = (records[Key("File", "default", name)] for name in ("motd", "page"))
        assert (motd.adopted, motd.kept.startswith(f"{home}/kept/"), motd.recovered) == (True, True, False)
        assert page.generation == 2
        assert stores.overrides.suspended() == {Key("File", "default", "paused")}
        assert {"Adopted", "Created", "Updated", "Retained"} <= {event.reason for event in stores.events.since()}
        assert stores.statuses.all().keys() == records.keys()
        assert stores.installation == INSTALLATION
    assert version_of(home / "p2.db") == len(MIGRATIONS)


def test_looking_with_an_old_database_leaves_it_as_it_is(old: Story, home: Path) -> None:
    before = version_of(home / "p2.db")
    diff = old.p2("diff", "-o", "json")
    assert diff.code == 0, diff
    assert json.loads(diff.out)["actions"] == []
    assert "Retained" in old.p2("get").out
    assert version_of(home / "p2.db") == before


def test_controller_goes_on_with_an_old_database(old: Story, home: Path) -> None:
    world = fingerprint(old.world)
    controller = Controller(old).start()
    try:
        eventually(lambda: listed(old)["page"].get("status") == "True", "it looked at everything")
        (old.world / "page").write_text("changed by hand")
        eventually(lambda: (old.world / "page").read_text() == "hello again", "it healed")
        assert controller.end() == 0
    finally:
        controller.kill()
    assert {name: at for name, at in fingerprint(old.world).items() if name != "page"} == {
        name: at for name, at in world.items() if name != "page"
    }
    assert "nothing to do" in old.p2("apply").last
    old.remove("motd.yaml")
    old.remove("paused.yaml")
    applied = old.p2("apply", "--yes")
    assert (old.world / "motd").read_text() == "theirs", applied
    assert (old.world / "paused").exists()
    assert (old.world / "old").exists()
    assert old.p2("resume", "file/paused").code == 0
    assert old.p2("apply", "--yes").code == 0
    assert not (old.world / "paused").exists()
    assert old.p2("delete", "file/old", "--yes").code == 0
    assert sorted(path.name for path in old.world.iterdir()) == ["motd", "notes", "page"]


def test_migration_that_is_killed_leaves_one_version_or_the_other_whole(old: Story, home: Path, tmp_path: Path) -> None:
    source, before, random = home / "p2.db", version_of(home / "p2.db"), Random(7)
    copies = [tmp_path / f"copy-{number}.db" for number in range(60)]
    for copy in copies:
        copy.write_bytes(source.read_bytes())
    left = list(copies)
    while left:
        process = subprocess.Popen([sys.executable, "-c", MIGRATE, *map(str, left)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(random.randrange(1, 12)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done = [copy for copy in left if version_of(copy) == len(MIGRATIONS)]
        assert all(version_of(copy) == before for copy in left if copy not in done)
        left = [copy for copy in left[1:] if copy not in done]
    for copy in copies:
        open_database(copy).close()
        assert version_of(copy) == len(MIGRATIONS)


def _opened(path: Path) -> int:
    with closing(open_database(path)) as database, database.read() as connection:
        count: int = connection.execute("SELECT count(*) FROM inventory WHERE seal != 0").fetchone()[0]
    return count


def test_processes_that_migrate_at_once_do_it_once(old: Story, home: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert set(pool.map(_opened, [home / "p2.db"] * 16)) == {5}
    assert version_of(home / "p2.db") == len(MIGRATIONS)


def test_database_of_a_newer_program_is_refused_by_every_command(story: Story, home: Path) -> None:
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    with closing(sqlite3.connect(home / "p2.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    world = fingerprint(story.world)
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.name in ("p2.db", "id")}
    for command in (
        ["get"],
        ["describe", "file/one"],
        ["events"],
        ["diff"],
        ["apply"],
        ["run"],
        ["confirm"],
        ["suspend", "file/one"],
        ["resume", "file/one"],
        ["delete", "file/one", "--yes"],
        ["recover"],
    ):
        refused = story.p2(*command)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused
        assert "a newer Pegasus2 wrote it" in refused.err
        assert "upgrade Pegasus2" in refused.err
    assert "a newer Pegasus2 wrote it" in story.p2("health").out
    assert fingerprint(story.world) == world
    assert {path.name: path.read_bytes() for path in home.iterdir() if path.name in before} == before
