"""The agent of kind `File` where the file system says no: each answer names the path and a way out, and nothing is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.agents.environment.client import Permissions, WritableFileSystem
from controller.agents.environment.failures import failure
from controller.engine.agent import Retry, Seen, Stalled
from tests.agents.file_driver import CONTEXT, Driver, declare, empty_directory, file_agent, names

# ioctls of linux/fs.h and the flag that chattr +i sets
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")
as_user = pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="cannot drop root's powers"
)


@pytest.fixture
def driver(home: Path) -> Driver:
    return Driver(home)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return empty_directory(tmp_path)


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """chattr +i for the time of a block."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        [before] = struct.unpack("i", fcntl.ioctl(descriptor, GET_FLAGS, struct.pack("i", 0)))
        fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("i", before | IMMUTABLE))
    except OSError as error:
        os.close(descriptor)
        pytest.skip(f"this file system has no immutable flag: {error}")
    try:
        yield
    finally:
        fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("i", before))
        os.close(descriptor)


def refused(driver: Driver, path: Path, **spec: Any) -> str:
    """The message of a refusal that waits for an edit."""
    outcome = driver.attempt(declare(path, **({"content": "x"} | spec)))
    assert isinstance(outcome, Stalled), outcome
    assert outcome.message.startswith("cannot ")
    return outcome.message


def test_file_on_the_way_is_named(driver: Driver, place: Path) -> None:
    (place / "file").write_text("precious")
    message = refused(driver, place / "file" / "sub" / "x")
    assert f"{place}/file: not a directory" in message
    assert (place / "file").read_text() == "precious"


def test_dangling_link_on_the_way_is_named(driver: Driver, place: Path) -> None:
    (place / "link").symlink_to(place / "nowhere")
    assert f"{place}/link: not a directory" in refused(driver, place / "link" / "x")
    assert names(place) == ["link"]


def test_link_to_a_directory_on_the_way_is_followed(driver: Driver, place: Path) -> None:
    (place / "real").mkdir()
    (place / "link").symlink_to("real")
    driver.make(declare(place / "link" / "x", content="x"))
    assert (place / "real" / "x").read_text() == "x"


def test_circle_of_links_stalls_already_when_looking(home: Path, place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    resource = declare(place / "a" / "x", content="x")
    found = file_agent(home).observe([resource], CONTEXT)[resource.key]
    assert isinstance(found, Stalled)
    assert "circle" in found.message


def test_link_that_is_itself_declared_may_point_to_itself(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "loop", type="symlink", target="loop"))


def test_name_as_long_as_allowed_is_made_and_a_longer_one_refused(driver: Driver, place: Path) -> None:
    driver.make(declare(place / ("n" * 255), content="x"))
    resource = declare(place / ("n" * 256), content="x")
    found = driver.agent.observe([resource], CONTEXT)[resource.key]
    assert isinstance(found, Stalled)
    assert "shorten" in found.message


def test_non_empty_directory_in_the_way_is_refused(driver: Driver, place: Path) -> None:
    (place / "dir" / "sub").mkdir(parents=True)
    assert "not empty" in refused(driver, place / "dir")
    assert (place / "dir" / "sub").is_dir()


@as_root
def test_unknown_owner_and_group_are_named(driver: Driver, place: Path) -> None:
    assert 'the user "nosuch"' in refused(driver, place / "x", owner="nosuch")
    assert 'the group "nosuch"' in refused(driver, place / "x", group="nosuch")
    assert names(place) == []


@as_root
def test_immutable_directory_is_refused_with_the_way_out(driver: Driver, place: Path) -> None:
    with immutable(place):
        assert "chattr -i" in refused(driver, place / "x")


@as_root
def test_mount_point_is_refused_with_the_way_out(place: Path, home: Path) -> None:
    """Docker mounts single files over /etc/hosts: these can be written to, but not replaced."""
    outcome = failure("write", "/etc/hosts", OSError(errno.EBUSY, "busy"))
    assert isinstance(outcome, Stalled)
    assert "mount point" in outcome.message


@as_user
def test_forbidden_directory_is_refused_and_an_unreadable_file_is_a_difference(place: Path, home: Path) -> None:
    """Runs in a process without root's powers."""
    (place / "secret").write_text("theirs")
    (place / "secret").chmod(0)
    (place / "shut").mkdir(mode=0o555)
    script = f"""
from pathlib import Path
from controller.engine.agent import Stalled
from tests.agents.file_driver import Driver, declare
driver = Driver(Path({str(home)!r}))
secret = declare({str(place / "secret")!r}, content="ours")
[change] = driver.plan(secret).changes
assert change.observed == "(cannot be read: permission denied)", change
shut = driver.attempt(declare({str(place / "shut" / "x")!r}, content="x"))
assert isinstance(shut, Stalled) and shut.reason == "PermissionDenied", shut
assert "permission denied" in shut.message
owner = driver.attempt(declare({str(place / "mine")!r}, content="x", owner="1"))
assert isinstance(owner, Stalled) and owner.reason == "PermissionDenied", owner
assert not Path({str(place / "mine")!r}).exists()
"""
    without_powers = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = [*without_powers, sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr


def test_full_disk_is_tried_again_and_leaves_the_old_content(
    home: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(home)
    driver.make(declare(place / "motd", content="old"))

    def full(descriptor: int, content: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    outcome = driver.attempt(declare(place / "motd", content="new"))
    monkeypatch.undo()
    assert isinstance(outcome, Retry)
    assert "make room" in outcome.message
    assert (place / "motd").read_text() == "old"
    assert names(place) == ["motd"]


def test_what_a_crash_left_behind_goes_with_the_next_write(
    driver: Driver, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", lambda *_: os._exit(9))
    if (child := os.fork()) == 0:
        WritableFileSystem().write(str(place / "motd"), b"half", Permissions())
    os.waitpid(child, 0)
    monkeypatch.undo()
    assert [name for name in names(place) if name.startswith(".p2-")] == names(place) != []
    driver.make(declare(place / "motd", content="whole"))
    assert names(place) == ["motd"]


def test_no_partial_content_is_ever_seen(driver: Driver, place: Path) -> None:
    contents = [letter * 1_000_000 for letter in "ab"]
    driver.make(declare(place / "big", content=contents[0]))
    if (child := os.fork()) == 0:
        try:
            for turn in range(40):
                WritableFileSystem().write(str(place / "big"), contents[turn % 2].encode(), Permissions(0o644))
        finally:
            os._exit(0)
    seen = set()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        seen.add((place / "big").read_text())
    assert seen <= set(contents)


def test_file_that_vanishes_between_two_looks_is_absent(
    home: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, resource = file_agent(home), declare(place / "file", content="x")
    (place / "file").write_text("x")
    really = agent._files.read

    def too_late(path: str, *, follow: bool = False) -> bytes:
        Path(path).unlink()
        return really(path, follow=follow)

    monkeypatch.setattr(agent._files, "read", too_late)
    assert agent.observe([resource], CONTEXT)[resource.key] == Seen(None)


def test_file_of_fifty_megabytes_is_copied_without_being_held_in_memory(driver: Driver, place: Path) -> None:
    with (place / "source").open("wb") as file:
        file.truncate(50 << 20)
    driver.make(declare(place / "copy", source=str(place / "source")))
    assert (place / "copy").stat().st_size == 50 << 20


def test_content_that_is_no_text_is_shown_by_its_digest(driver: Driver, place: Path) -> None:
    (place / "file").write_bytes(b"\xff\xfe")
    [change] = driver.plan(declare(place / "file", content="x")).changes
    assert change.observed == "(2 bytes, sha256:b3d510ef04275ca8)"


def test_threads_that_need_the_same_missing_directory_do_not_get_in_each_others_way(place: Path) -> None:
    files = WritableFileSystem()

    def write(turn: int) -> None:
        files.write(f"{place}/{turn // 4}/a/b/{turn}", b"", Permissions())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(400)))
