"""The home: made lazily and privately, one id for ever, one holder of the lock, pokes, configuration."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.store.errors import HomeError
from controller.store.home import Home
from controller.store.lock import Holder
from controller.store.stores import open_stores

HOLDER = """
import sys
from pathlib import Path
from controller.store.home import Home
with Home(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def held_by_another_process(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_home_is_made_when_first_needed_and_closed_to_others(home: Path) -> None:
    opened = Home(home)
    assert not home.exists()
    assert len(opened.installation) == 16
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "id").stat().st_mode & 0o777 == 0o600


def test_read_only_home_creates_nothing(home: Path) -> None:
    opened = Home(home, read_only=True)
    opened.prepare()
    assert opened.installation
    assert opened.digest_key
    assert opened.holder() is None
    assert opened.config() == {}
    assert not home.exists()


def test_id_and_digest_key_stay_the_same(home: Path) -> None:
    first = Home(home)
    kept = (first.installation, first.digest_key)
    again = Home(home, read_only=True)
    assert (again.installation, again.digest_key) == kept
    assert len(first.digest_key) == 32
    assert (home / "digest.key").stat().st_mode & 0o777 == 0o600


def _installation(path: Path) -> str:
    with open_stores(Home(path)) as stores:
        return stores.installation


def test_first_starts_at_once_agree_on_one_id(home: Path) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        ids = set(pool.map(_installation, [home] * 32))
    assert ids == {Home(home).installation}
    assert sorted(path.name for path in home.iterdir()) == ["id", "p2.db"]


def test_id_and_database_are_made_together_by_whoever_writes_first(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        assert (home / "id").read_text().strip() == stores.installation
        assert stores.database.meta("installation") == stores.installation
        assert stores.database.meta("rebuild") == ""
        assert stores.news == ""


def test_readers_of_a_home_that_is_just_being_made_are_not_confused(home: Path) -> None:
    for _ in range(20):
        done, troubles = threading.Event(), list[HomeError]()

        def read(done: threading.Event = done, troubles: list[HomeError] = troubles) -> None:
            while not done.is_set():
                try:
                    open_stores(Home(home, read_only=True)).close()
                except HomeError as trouble:
                    troubles.append(trouble)

        reading = [threading.Thread(target=read) for _ in range(2)]
        for each in reading:
            each.start()
        open_stores(Home(home)).close()
        done.set()
        for each in reading:
            each.join()
        assert troubles == []
        shutil.rmtree(home)


def test_home_that_was_killed_between_database_and_id_gets_the_same_id(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        first = stores.installation
    (home / "id").unlink()
    with open_stores(Home(home)) as stores:
        assert stores.installation == first
        assert "was put back from p2.db" in stores.news
    with open_stores(Home(home)) as stores:
        assert stores.news == ""


def test_id_is_never_made_anew_beside_a_database(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        stores.database.keep_meta("installation", "")
    (home / "id").unlink()
    for read_only in (True, False):
        with pytest.raises(HomeError, match=r"cannot tell which installation this is: .*run 'p2 recover'"):
            open_stores(Home(home, read_only=read_only))
    assert not (home / "id").exists()


def test_id_from_before_the_database_knew_it_is_kept_in_it(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        first = stores.installation
        stores.database.keep_meta("installation", "")
    with open_stores(Home(home, read_only=True)) as stores:
        assert stores.installation == first
    with open_stores(Home(home)) as stores:
        assert stores.database.meta("installation") == first


def test_damaged_id_is_refused_and_kept(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "id").write_text("not an id")
    with pytest.raises(HomeError, match=r"cannot use .*/id: it is damaged .*backup"):
        _ = Home(home).installation
    assert (home / "id").read_text() == "not an id"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_home_of_another_user_is_refused(home: Path) -> None:
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    with pytest.raises(HomeError, match="belongs to the user nobody and you are root"):
        Home(home).prepare()


def _give_away(path: Path) -> None:
    os.chown(path, 65534, 65534)


def _open_to_all(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o022)


def _exchange(path: Path) -> None:
    """A directory for a file, and the other way round."""
    if path.is_dir():
        shutil.rmtree(path)
        path.touch()
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("part", ["p2.db", "id", "digest.key", "run"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (_give_away, r"cannot use .*/{}: it belongs to the user nobody and you are root; .*chown -R root"),
        (_open_to_all, r"cannot use .*/{}: others can write to it; run: chmod go-w .*/{}"),
        (_exchange, r"cannot use .*/{}: it is not a (file|directory); move it away"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_part_of_the_home_that_is_not_ours_alone_is_refused_and_left(
    home: Path, part: str, wrong: Callable[[Path], None], message: str, read_only: bool
) -> None:
    whole = Home(home)
    with open_stores(whole), whole.lock():
        assert whole.digest_key
    wrong(home / part)
    before = sorted((path.name, path.stat().st_mode, path.stat().st_uid) for path in home.iterdir())
    with pytest.raises(HomeError, match=message.format(part, part)):
        open_stores(Home(home, read_only=read_only))
    assert sorted((path.name, path.stat().st_mode, path.stat().st_uid) for path in home.iterdir()) == before


def test_home_that_others_can_write_is_refused(home: Path) -> None:
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(HomeError, match=f"chmod 700 {home}"):
        Home(home).prepare()


@pytest.mark.parametrize("read_only", [False, True])
def test_file_in_place_of_the_home_is_refused(home: Path, read_only: bool) -> None:
    home.write_text("")
    with pytest.raises(HomeError, match=f"cannot use {home}: it is not a directory"):
        Home(home, read_only=read_only).prepare()


def test_home_that_cannot_be_made_is_named_with_a_remedy() -> None:
    with pytest.raises(HomeError, match=r"cannot create /proc/p2: .*set PEGASUS2_HOME"):
        Home(Path("/proc/p2")).prepare()


def test_second_holder_is_told_who_holds_the_lock(home: Path) -> None:
    process = held_by_another_process(home)
    try:
        with pytest.raises(HomeError) as refused, Home(home).lock():
            pass
        assert f"cannot start: process {process.pid} (-c {home}) holds {home}/run/lock; try again" in str(refused.value)
        assert Home(home).holder() == Holder(process.pid, f"-c {home}")
    finally:
        process.communicate("")


def test_lock_of_a_killed_process_does_not_block(home: Path) -> None:
    process = held_by_another_process(home)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert Home(home).holder() is None
    with Home(home).lock():
        pass


def test_asking_for_the_holder_does_not_keep_anybody_from_starting(home: Path) -> None:
    opened = Home(home)
    with opened.lock():
        pass
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            opened.holder()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(50):
            with opened.lock():
                pass
    finally:
        done.set()
        asking.join()


def test_poke_wakes_whoever_waits(home: Path) -> None:
    pokes = Home(home).pokes()
    waiting = iter(pokes)
    Home(home).poke()
    next(waiting)
    pokes.close()
    assert list(waiting) == []


def test_closing_ends_the_wait_for_pokes(home: Path) -> None:
    pokes = Home(home).pokes()
    seen: list[None] = []
    waiting = threading.Thread(target=lambda: seen.extend(pokes))
    waiting.start()
    pokes.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert seen == []


def test_configuration_is_read_from_home_and_agents_directory(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for directory in (home / "agents", elsewhere):
        directory.mkdir(parents=True)
        (directory / "docker.yaml").write_text(f"host: {directory}\n")
    (home / "config.yaml").write_text("# nothing yet\n")
    assert Home(home).config() == {}
    assert Home(home).agent_config("docker", {"host"}) == {"host": str(home / "agents")}
    assert Home(home, elsewhere).agent_config("docker", {"host"}) == {"host": str(elsewhere)}
    assert Home(home).agent_config("environment", ()) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"host: [1\nport: }", r"agents/docker.yaml:2:5: it is not valid YAML"),
        (b"- host", r"agents/docker.yaml: expected fields \(name: value\), found a list"),
        (b"\xff\xfe", r"agents/docker.yaml: it is not UTF-8 text"),
    ],
)
def test_bad_configuration_names_file_and_place(home: Path, content: bytes, message: str) -> None:
    (home / "agents").mkdir(parents=True)
    (home / "agents" / "docker.yaml").write_bytes(content)
    with pytest.raises(HomeError, match=message):
        Home(home).agent_config("docker", {"host"})


def test_field_that_an_agent_does_not_know_is_refused(home: Path) -> None:
    (home / "agents").mkdir(parents=True)
    (home / "agents" / "docker.yaml").write_text("hots: unix:///run/docker.sock\n")
    with pytest.raises(HomeError, match=r"docker\.yaml: unknown field hots; write host"):
        Home(home).agent_config("docker", {"host"})


def test_who_holds_the_lock_says_the_way_out_that_is_open() -> None:
    assert "kubectl" in Holder(7, "p2 operator --default").way_out
    assert "it watches its source" in Holder(7, "p2 run state").way_out
    assert Holder(7, "p2 apply state").way_out == "try again when it has ended"
