"""A home whose database, id or key was lost, damaged or exchanged: nothing in the world is recreated or deleted because of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

from controller.store.aside import set_aside
from tests.chaos.damage import DAMAGES, cut, inventory_torn
from tests.chaos.yard import Yard
from tests.cli.story import Shown, Story
from tests.support import Controller, all_ready, at_rest, eventually, fingerprint, listed, told

NAMES = [f"n{number}" for number in range(20)]
# Every command that reads or writes the database, in a form that has nothing to change in the world.
COMMANDS = [
    ("get",),
    ("get", "-o", "json"),
    ("describe", "file/n1"),
    ("events",),
    ("health",),
    ("diff",),
    ("confirm",),
    ("suspend", "file/n5"),
    ("resume", "file/n5"),
    ("delete", "file/n1", "--yes"),
    ("apply", "--only", "file/n2"),
    ("apply", "--yes"),
]


def write_files(story: Story) -> None:
    """Files that are made, one that is adopted, one that is suspended; applied."""
    (story.world / "n3").write_text("theirs")
    for name in NAMES:
        story.write(f"{name}.yaml", story.file(name, **({"adopt": "true"} if name == "n3" else {})))
    assert story.p2("apply").code == 0
    assert story.p2("suspend", "file/n7").code == 0
    assert story.p2("apply").code == 0


def one_line(shown: Shown) -> bool:
    """Whether it worked, or said in one clear line why not."""
    errors = [line for line in shown.err.splitlines() if line.startswith("error: ")]
    return "mistake in Pegasus2" not in shown.err and len(errors) <= 1 and all("cannot " in line for line in errors)


# -- a damaged database --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed", range(5 * len(DAMAGES)), ids=lambda seed: f"{DAMAGES[seed % len(DAMAGES)].__name__}-{seed}"
)
def test_damaged_database_changes_nothing_and_is_recovered_from(story: Story, home: Path, seed: int) -> None:
    write_files(story)
    world = fingerprint(story.world)
    DAMAGES[seed % len(DAMAGES)](home / "p2.db", Random(seed))
    for command in COMMANDS:
        shown = story.p2(*command)
        assert one_line(shown), f"{command}: {shown}"
        assert fingerprint(story.world) == world, f"{command}: {shown}"
    recovered = story.p2("recover")
    assert recovered.code == 0, recovered
    assert fingerprint(story.world) == world
    applied = story.p2("apply", "--yes")
    assert applied.code == 0, applied
    assert "Converged" in applied.last
    assert fingerprint(story.world) == world
    assert listed(story).keys() == set(NAMES)


@pytest.mark.parametrize("damage", [cut, inventory_torn])
def test_damaged_database_names_the_command_and_is_moved_aside_with_its_log(
    story: Story, home: Path, damage: Callable[[Path, Random], None]
) -> None:
    write_files(story)
    damage(home / "p2.db", Random(3))
    for command in ("get", "apply"):
        refused = story.p2(command)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused
        assert f"error: cannot use {home}/p2.db: it is damaged (" in refused.err
        assert "run 'p2 recover'" in refused.err
    damaged = (home / "p2.db").read_bytes()
    assert story.p2("recover").code == 0
    (aside,) = (path for path in home.glob("p2.db.damaged-*") if not path.name.endswith(("-wal", "-shm")))
    assert aside.read_bytes() == damaged
    assert "Converged" in story.p2("apply").last


def test_what_a_damaged_database_still_tells_is_kept(story: Story, home: Path) -> None:
    """Of the twenty records some are lost; what is suspended stays so, and the adopted file's old content is put back."""
    write_files(story)
    with closing(sqlite3.connect(home / "p2.db")) as connection, connection:
        connection.execute("UPDATE inventory SET handle = 'file:/elsewhere' WHERE key = 'File/default/n1'")
    assert "damaged" in story.p2("get", "file/n1", "-o", "wide").err + story.p2("diff").err
    recovered = story.p2("recover")
    assert "read from it: 19 records" in recovered.out, recovered
    assert "Suspended" in story.p2("get", "file/n7").out
    assert told(story, "Adopted") != []
    story.remove("n3.yaml")
    assert story.p2("apply", "--yes").code == 0
    assert (story.world / "n3").read_text() == "theirs"


def test_salvaged_record_that_nobody_declares_is_held_and_deleted_on_demand(story: Story, home: Path) -> None:
    write_files(story)
    story.remove("n1.yaml")
    story.remove("n2.yaml")
    with closing(sqlite3.connect(home / "p2.db")) as connection, connection:
        connection.execute("UPDATE inventory SET handle = 'file:/elsewhere' WHERE key = 'File/default/n9'")
    assert story.p2("recover").code == 0
    applied = story.p2("apply", "--yes")
    assert "held back (Recovered): 2 resources" in applied.out, applied
    assert applied.code == 1
    assert (story.world / "n1").exists()
    assert story.p2("delete", "file/n1", "--yes").code == 0
    assert not (story.world / "n1").exists()
    assert story.p2("confirm", "file/n2").code == 0
    assert story.p2("apply", "--yes").code == 0
    assert not (story.world / "n2").exists()
    assert len(list(story.world.iterdir())) == len(NAMES) - 2


# -- a database that is gone, or older -----------------------------------------------------------------------------


def test_files_without_an_inventory_are_taken_back_only_if_they_are_as_declared(story: Story, home: Path) -> None:
    write_files(story)
    (home / "p2.db").unlink()
    (story.world / "n1").write_text("changed meanwhile")
    world = fingerprint(story.world)
    applied = story.p2("apply")
    assert "note: the inventory was rebuilt from the marks in the world" in applied.err
    assert fingerprint(story.world) == world
    assert len(told(story, "InventoryRebuilt")) == 1
    found = listed(story)
    assert found["n1"]["reason"] == "NotOwned"
    assert [name for name in NAMES if found[name]["status"] == "True"] == [name for name in NAMES if name != "n1"]
    (story.world / "n1").write_text("hello")
    assert story.p2("apply").code == 0
    assert "rebuilt" not in story.p2("apply").err


def test_content_that_an_adoption_has_kept_outlives_the_inventory(story: Story, home: Path) -> None:
    """Also where the file was changed after that: then the change is kept beside it."""
    (story.world / "motd").write_text("theirs")
    story.write("motd.yaml", story.file("motd", adopt="true"))
    assert story.p2("apply").code == 0
    for path in home.glob("p2.db*"):
        path.unlink()
    (story.world / "motd").write_text("changed meanwhile")
    assert story.p2("apply").code == 0
    assert (story.world / "motd").read_text() == "hello"
    story.remove("motd.yaml")
    story.write("other.yaml", story.file("other"))
    assert story.p2("apply", "--yes").code == 0
    assert (story.world / "motd").read_text() == "theirs"
    assert [path.read_text() for path in home.glob("kept/*/later-*")] == ["changed meanwhile"]


def test_controller_rebuilds_what_was_lost_while_it_was_away(story: Story, home: Path, controller: Controller) -> None:
    write_files(story)
    world = fingerprint(story.world)
    (home / "p2.db").unlink()
    controller.start()
    eventually(lambda: told(story, "InventoryRebuilt"), "it told that it rebuilt the inventory")
    eventually(lambda: all_ready(story, NAMES), "all was owned again")
    assert fingerprint(story.world) == world
    assert "InventoryRebuilt" in controller.log
    assert at_rest(controller)


def test_log_that_a_deleted_database_has_left_is_not_taken_for_that_of_the_next(story: Story, home: Path) -> None:
    write_files(story)
    stale = story.root / "stale"
    with closing(sqlite3.connect(home / "p2.db")) as connection:
        with connection:
            connection.execute("UPDATE status SET body = 'nonsense'")
        shutil.copyfile(home / "p2.db-wal", stale)
    (home / "p2.db").unlink()
    shutil.copyfile(stale, home / "p2.db-wal")
    assert story.p2("apply").code == 0
    assert all_ready(story, set(NAMES))
    assert len(list(home.glob("p2.db.damaged-*-wal"))) == 1


def test_an_older_copy_of_the_database_recreates_and_deletes_nothing(story: Story, home: Path) -> None:
    write_files(story)
    copy = story.root / "copy"
    with closing(sqlite3.connect(home / "p2.db")) as connection, closing(sqlite3.connect(copy)) as saved:
        connection.backup(saved)
    story.write("new.yaml", story.file("new"))
    story.write("n1.yaml", story.file("n1", "edited"))
    story.remove("n2.yaml")
    assert story.p2("apply", "--yes").code == 0
    world = fingerprint(story.world)
    for path in home.glob("p2.db*"):
        path.unlink()
    copy.rename(home / "p2.db")
    (story.world / "n2").write_text("a stranger's by now")
    world = fingerprint(story.world)
    applied = story.p2("apply", "--yes")
    assert "held back (Recovered): 1 resource" in applied.out, applied
    assert "the database is an older copy that was put back" in applied.err
    assert fingerprint(story.world) == world
    (story.world / "n2").unlink()
    assert story.p2("recover").code == 0
    applied = story.p2("apply", "--yes")
    assert (applied.code, applied.err) == (0, ""), applied
    assert all_ready(story, {*NAMES, "new"} - {"n2"})


def test_recovering_from_an_older_copy_holds_what_has_the_place_of_what_it_knows(story: Story, home: Path) -> None:
    write_files(story)
    copy = story.root / "copy"
    shutil.copyfile(home / "p2.db", copy)
    story.remove("n2.yaml")
    assert story.p2("apply", "--yes").code == 0
    (story.world / "n2").write_text("a stranger's by now")
    lose(home)
    copy.rename(home / "p2.db")
    recovered = story.p2("recover")
    assert "1 resource declared nowhere in state, held back: File/n2" in recovered.out, recovered
    story.p2("apply", "--yes")
    assert (story.world / "n2").read_text() == "a stranger's by now"


def test_what_was_deleted_since_an_older_copy_is_forgotten(story: Story, home: Path) -> None:
    write_files(story)
    copy = story.root / "copy"
    shutil.copyfile(home / "p2.db", copy)
    story.remove("n2.yaml")
    assert story.p2("apply", "--yes").code == 0
    world = fingerprint(story.world)
    lose(home)
    copy.rename(home / "p2.db")
    applied = story.p2("apply", "--yes")
    assert (applied.code, "nothing to do" in applied.last) == (0, True), applied
    assert fingerprint(story.world) == world
    assert all_ready(story, set(NAMES) - {"n2"})


# -- what carries marks --------------------------------------------------------------------------------------------


def write_yard(story: Story, yard: Yard) -> None:
    story.write("net.yaml", yard.document("Network", "net"))
    story.write("vol.yaml", yard.document("Volume", "vol"))
    mount = [{"type": "volume", "source": yard.name("vol"), "target": "/data"}]
    story.write("web.yaml", yard.container("web", networks=[{"name": yard.name("net")}], volumes=mount))
    story.write("old.yaml", yard.container("old", containerName=yard.name("by-another-name")))
    story.write("file.yaml", story.file("one"))


def identities(story: Story, yard: Yard) -> object:
    """What changes when anything is made anew or started again: in the engine, and of files."""
    volume = yard.engine.inspect_volume(yard.name("vol"))
    return yard.fingerprint(), yard.network("net"), volume["CreatedAt"], fingerprint(story.world)


def lose(home: Path) -> None:
    for path in home.glob("p2.db*"):
        path.unlink()


def damage(home: Path) -> None:
    cut(home / "p2.db", Random(1))


def exchange_for_an_empty_one(home: Path) -> None:
    """As an older copy from before anything was made."""
    with closing(sqlite3.connect(home / "p2.db")) as connection, connection:
        for table in ("inventory", "status", "event"):
            connection.execute(f"DELETE FROM {table}")


@pytest.mark.docker
@pytest.mark.parametrize("mishap", [lose, damage, exchange_for_an_empty_one])
def test_marked_things_are_owned_again_without_being_touched(
    story: Story, home: Path, yard: Yard, mishap: Callable[[Path], None]
) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    before = identities(story, yard)
    mishap(home)
    recovered = story.p2("recover")
    assert recovered.code == 0, recovered
    assert identities(story, yard) == before
    applied = story.p2("apply")
    assert (applied.code, "5 ready" in applied.last) == (0, True), applied
    assert identities(story, yard) == before
    story.remove("old.yaml")  # it is owned again, so it goes as always
    assert story.p2("apply", "--yes").code == 0
    assert yard.names() == ["web"]


@pytest.mark.docker
def test_marked_things_that_nobody_declares_are_held_until_they_are_declared_or_deleted(
    story: Story, home: Path, yard: Yard
) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    before = identities(story, yard)
    lose(home)
    for file in ("net.yaml", "vol.yaml", "web.yaml", "old.yaml"):
        (story.root / "state" / file).rename(story.root / file)
    recovered = story.p2("recover")
    assert "4 resources declared nowhere in state, held back" in recovered.out, recovered
    applied = story.p2("apply", "--yes")
    assert (applied.code, "held back (Recovered): 4 resources" in applied.out) == (1, True), applied
    assert identities(story, yard) == before
    assert {hold["reason"] for hold in json.loads(story.p2("confirm", "-o", "json").out)} == {"Recovered"}
    deleted = story.p2("delete", f"container/{yard.name('old')}", "--yes")
    assert (deleted.code, yard.names()) == (0, ["web"]), deleted
    for file in ("net.yaml", "vol.yaml", "web.yaml"):
        (story.root / file).rename(story.root / "state" / file)
    applied = story.p2("apply", "--yes")
    assert (applied.code, "nothing to do" in applied.last) == (0, True), applied
    story.remove("web.yaml")  # declared once, it is held no more
    assert story.p2("apply", "--yes").code == 0
    assert yard.names() == []


@pytest.mark.docker
def test_every_recovered_thing_can_be_deleted_by_what_its_mark_says(story: Story, home: Path, yard: Yard) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    lose(home)
    for file in ("net.yaml", "vol.yaml", "web.yaml", "old.yaml"):
        story.remove(file)
    story.p2("apply")
    keys = [f"container/{yard.name(short)}" for short in ("web", "old")]
    assert story.p2("delete", *keys, "--yes").code == 0
    assert story.p2("delete", f"network/{yard.name('net')}", f"volume/{yard.name('vol')}", "--yes").code == 0
    assert (yard.names(), yard.network("net")) == ([], "")
    assert not yard.engine.volumes(filters={"name": yard.prefix})["Volumes"]


@pytest.mark.docker
def test_confirming_all_lets_no_volume_go_whose_last_declaration_nobody_knows(
    story: Story, home: Path, yard: Yard
) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    lose(home)
    for file in ("net.yaml", "vol.yaml", "web.yaml", "old.yaml"):
        story.remove(file)
    story.p2("apply")
    assert story.p2("confirm", "--all").code == 0
    story.p2("apply", "--yes")
    assert (yard.names(), yard.network("net")) == ([], "")
    assert yard.engine.inspect_volume(yard.name("vol"))
    assert listed(story)[yard.name("vol")]["reason"] == "Retained"


@pytest.mark.docker
def test_another_source_that_declares_a_recovered_thing_takes_it_up(story: Story, home: Path, yard: Yard) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    before = identities(story, yard)
    lose(home)
    other = story.root / "other"
    other.mkdir()
    (story.root / "state" / "web.yaml").rename(other / "web.yaml")
    (story.root / "state" / "net.yaml").rename(other / "net.yaml")
    (story.root / "state" / "vol.yaml").rename(other / "vol.yaml")
    assert "held back (Recovered): 3 resources" in story.p2("apply").out
    applied = story.p2("apply", "other")
    assert (applied.code, "3 ready" in applied.last) == (0, True), applied
    assert "held back" not in story.p2("apply").out
    assert identities(story, yard) == before


@pytest.mark.docker
@pytest.mark.parametrize("again", [True, False], ids=["adopt: true", "not adopted"])
def test_adopted_container_carries_no_mark_and_is_taken_back_only_by_its_spec(
    story: Story, home: Path, yard: Yard, again: bool
) -> None:
    yard.make_strangers("web")
    spec = {"command": ["sleep", "2000"]}
    story.write("web.yaml", yard.container("web", adopt=True, **spec))
    assert story.p2("apply").code == 0
    before = yard.fingerprint()
    lose(home)
    story.write("web.yaml", yard.container("web", adopt=again, **spec))
    assert story.p2("recover").code == 0
    story.p2("apply")
    assert listed(story)[yard.name("web")]["reason"] == ("Converged" if again else "NotOwned")
    assert yard.fingerprint() == before


@pytest.mark.docker
def test_lost_key_for_digests_is_no_drift(story: Story, home: Path, yard: Yard) -> None:
    secret = home / "secrets" / "db" / "password"
    secret.parent.mkdir(parents=True)
    home.chmod(0o700)
    secret.write_text("first")
    reference = {"secret": {"name": "db", "key": "password"}}
    story.write("db.yaml", yard.container("db", secretEnv={"PASSWORD": reference}))
    assert story.p2("apply").code == 0
    secret.write_text("second")
    assert story.p2("apply").code == 0  # it shows a digest, so there is a key from now on
    before = yard.fingerprint()
    (home / "digest.key").unlink()
    assert story.p2("diff").code == 0
    assert "nothing to do" in story.p2("apply").last
    assert yard.fingerprint() == before


# -- the id --------------------------------------------------------------------------------------------------------


def test_lost_id_is_put_back_from_the_database_and_told(story: Story, home: Path) -> None:
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    installation = (home / "id").read_text()
    (home / "id").unlink()
    assert story.p2("diff").code == 0
    assert not (home / "id").exists(), "reading changes nothing"
    applied = story.p2("apply")
    assert applied.code == 0
    assert f"note: {home}/id was gone, and was put back from p2.db" in applied.err
    assert (home / "id").read_text() == installation
    assert len(told(story, "IdPutBack")) == 1
    assert story.p2("apply").err == ""


def lose_the_id_everywhere(home: Path) -> None:
    (home / "id").unlink()
    with closing(sqlite3.connect(home / "p2.db")) as connection, connection:
        connection.execute("DELETE FROM meta WHERE name = 'installation'")


@pytest.mark.docker
def test_id_that_is_lost_everywhere_is_asked_for_with_what_is_found(story: Story, home: Path, yard: Yard) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    installation = (home / "id").read_text().strip()
    before = identities(story, yard)
    lose_the_id_everywhere(home)
    for command in COMMANDS:
        shown = story.p2(*command)
        if command[0] == "health":
            assert "p2 recover" in shown.out
            continue
        assert (shown.code, shown.err.count("\n")) == (2, 1), shown
        assert "cannot tell which installation this is" in shown.err
    asked = story.p2("recover")
    assert asked.code == 2
    assert "say it with --id" in asked.err
    (line,) = [line for line in asked.out.splitlines() if line.startswith(installation)]
    assert line.split("   ")[-1] == "2 Containers, 1 Network, 1 Volume"
    assert not (home / "id").exists()
    recovered = story.p2("recover", "--id", installation)
    assert recovered.code == 0, recovered
    applied = story.p2("apply")
    assert (applied.code, "5 ready" in applied.last) == (0, True), applied
    assert identities(story, yard) == before


@pytest.mark.docker
def test_home_that_is_lost_as_a_whole_is_made_again_by_its_id(story: Story, home: Path, yard: Yard) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    installation = (home / "id").read_text().strip()
    before = identities(story, yard)
    shutil.rmtree(home)
    assert installation in story.p2("recover").out
    assert not home.exists(), "asking makes no home"
    assert story.p2("recover", "--id", installation).code == 0
    assert "5 ready" in story.p2("apply").last
    assert identities(story, yard) == before


@pytest.mark.docker
def test_home_whose_id_is_known_in_the_world_gets_no_other(story: Story, home: Path, yard: Yard) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    kept = (home / "id").read_text()
    for wish in ("5ca1ab1e0ddba11f", "new"):
        refused = story.p2("recover", "--id", wish)
        assert refused.code == 2
        assert "4 things in the world would be a stranger's" in refused.err
    assert (home / "id").read_text() == kept


@pytest.mark.parametrize("right", ["the file's", "the database's"])
def test_id_and_database_of_two_homes_are_refused_until_it_is_said_which_is_right(
    story: Story, home: Path, right: str
) -> None:
    write_files(story)
    world = fingerprint(story.world)
    in_database = (home / "id").read_text().strip()
    (home / "id").write_text("5ca1ab1e0ddba11f\n")
    for command in COMMANDS:
        shown = story.p2(*command)
        said = shown.out if command[0] == "health" else shown.err
        assert f"its file id says 5ca1ab1e0ddba11f and its database p2.db says {in_database}" in said, shown
        assert one_line(shown)
    assert story.p2("recover").code == 2
    chosen = "5ca1ab1e0ddba11f" if right == "the file's" else in_database
    recovered = story.p2("recover", "--id", chosen)
    assert recovered.code == 0, recovered
    assert (home / "id").read_text().strip() == chosen
    assert bool(list(home.glob("p2.db.damaged-*"))) == (right == "the file's"), "a foreign database is moved aside"
    applied = story.p2("apply")
    assert applied.code == 0, applied
    assert fingerprint(story.world) == world


def test_damaged_id_is_named_and_comes_back_from_the_database(story: Story, home: Path) -> None:
    write_files(story)
    kept = (home / "id").read_text()
    (home / "id").write_text("not an id")
    refused = story.p2("apply")
    assert refused.code == 2
    assert "what it said is in p2.db, too" in refused.err
    assert story.p2("recover").code == 0
    assert (home / "id").read_text() == kept


# -- recovering ----------------------------------------------------------------------------------------------------


def test_recovering_a_sound_home_changes_nothing(story: Story, home: Path) -> None:
    write_files(story)
    world, before = fingerprint(story.world), listed(story)
    recovered = story.p2("recover")
    assert recovered.code == 0
    assert "20 declared resources owned, 0 not yet" in recovered.out
    assert fingerprint(story.world) == world
    assert listed(story) == before
    assert not list(home.glob("p2.db.damaged-*"))


def test_recover_refuses_while_a_controller_runs(story: Story, home: Path, controller: Controller) -> None:
    write_files(story)
    controller.start()
    eventually(lambda: "watching" in controller.log, "it watched")
    refused = story.p2("recover")
    assert refused.code == 2
    assert f"process {controller.pid}" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--id", "web"), 'cannot use the id "web": it has 16 hex digits'),
        (("-s", "nowhere"), "cannot find the source nowhere"),
    ],
)
def test_recover_names_what_it_cannot_use(story: Story, home: Path, arguments: tuple[str, ...], message: str) -> None:
    write_files(story)
    before = (home / "p2.db").read_bytes()
    refused = story.p2("recover", *arguments)
    assert (refused.code, message in refused.err) == (2, True), refused
    assert (home / "p2.db").read_bytes() == before


@pytest.mark.parametrize("when", ["before it is moved aside", "after"])
def test_recovery_that_was_killed_is_carried_out_by_the_next_one(
    story: Story, home: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path) -> None:
        if when == "after":
            set_aside(path)
        raise KeyboardInterrupt

    write_files(story)
    world = fingerprint(story.world)
    cut(home / "p2.db", Random(1))
    with monkeypatch.context() as patch:
        patch.setattr("controller.store.mending.set_aside", die)
        assert story.p2("recover").code == 130
    assert (home / "p2.db").exists() == (when != "after")
    assert story.p2("recover").code == 0
    assert story.p2("apply").code == 0
    assert fingerprint(story.world) == world


# -- the first start -----------------------------------------------------------------------------------------------

FIRST = [
    *COMMANDS,
    ("apply", "nowhere"),
    ("apply", "broken"),
    ("validate",),
    ("recover",),
    ("recover", "--id", "web"),
    ("recover", "--id", "5ca1ab1e0ddba11f", "-s", "nowhere"),
]


@pytest.mark.parametrize("command", FIRST, ids=" ".join)
def test_no_command_makes_half_a_home(story: Story, home: Path, command: tuple[str, ...]) -> None:
    story.write("a.yaml", story.file("one"))
    (story.root / "broken").mkdir()
    (story.root / "broken" / "a.yaml").write_text("kind: [")
    shown = story.p2(*command)
    assert one_line(shown), shown
    if home.exists():
        assert {"id", "p2.db"} <= {path.name for path in home.iterdir()}
    assert story.p2("apply").err.count("note:") == 0
    assert told(story, "InventoryRebuilt") == []


def test_first_apply_that_is_killed_at_any_moment_leaves_a_home_to_go_on_with(story: Story, home: Path) -> None:
    random = Random(11)
    story.write("a.yaml", *[story.file(name) for name in NAMES])
    for _ in range(12):
        process = story.start("apply")
        with suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0.1, 0.5))
        process.kill()
        process.communicate()
        after = story.p2("apply")
        assert (after.code, one_line(after)) == (0, True), after
        assert all_ready(story, NAMES)
        assert told(story, "InventoryRebuilt") == []
        assert (home / "id").exists()
        shutil.rmtree(home)
        shutil.rmtree(story.world)
        story.world.mkdir()


# -- systems that are away, and what else is written meanwhile ------------------------------------------------------


@pytest.mark.docker
def test_what_an_engine_has_that_was_away_is_found_when_it_answers(
    story: Story, home: Path, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    before = identities(story, yard)
    lose(home)
    for file in ("net.yaml", "vol.yaml", "web.yaml", "old.yaml"):
        story.remove(file)
    with monkeypatch.context() as away:
        away.setenv("DOCKER_HOST", f"unix://{story.root}/no-engine.sock")
        applied = story.p2("apply", "--yes")
        assert applied.code == 0, applied
        assert "what docker has is found when it answers" in applied.err
        assert story.p2("apply", "--yes").err == "", "told once"
        recovered = story.p2("recover")
        assert recovered.code == 1
        assert "what docker has is found when it answers" in recovered.err
    applied = story.p2("apply", "--yes")
    assert "4 things found" in applied.err, applied
    assert "held back (Recovered): 4 resources" in applied.out
    assert story.p2("apply", "--yes").err == ""
    assert identities(story, yard) == before


@pytest.mark.docker
def test_inventory_is_rebuilt_although_another_command_made_a_database_first(
    story: Story, home: Path, yard: Yard
) -> None:
    write_yard(story, yard)
    assert story.p2("apply").code == 0
    before = identities(story, yard)
    lose(home)
    story.remove("old.yaml")
    assert "p2.db is gone" in story.p2("health").out
    refused = story.p2("delete", f"container/{yard.name('old')}", "--yes")
    assert (refused.code, "'p2 recover' rebuilds it" in refused.err) == (2, True), refused
    assert story.p2("suspend", "file/one").code == 0
    applied = story.p2("apply", "--yes")
    assert "held back (Recovered): 1 resource" in applied.out, applied
    assert "Suspended" in story.p2("get", "file/one").out
    assert identities(story, yard) == before
