"""The home: made lazily and privately, one id for ever, one holder of the lock, pokes, configuration."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from controller.store.errors import HomeError
from controller.store.home import Home
from controller.store.lock import Holder

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
    return Home(path).installation


def test_first_starts_at_once_agree_on_one_id(home: Path) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        ids = set(pool.map(_installation, [home] * 32))
    assert ids == {Home(home).installation}
    assert [path.name for path in home.iterdir()] == ["id"]


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
        assert f"cannot start: process {process.pid} (-c {home}) holds {home}/run/lock" in str(refused.value)
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
