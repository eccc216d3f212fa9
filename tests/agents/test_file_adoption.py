"""The agent of kind `File` takes over what it finds, and gives it back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.engine.agent import Stalled
from resources.plan import Action
from tests.agents.file_driver import Driver, declare, empty_directory, mode, names


@pytest.fixture
def driver(home: Path) -> Driver:
    return Driver(home)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return empty_directory(tmp_path)


def test_adopted_file_is_kept_aside_and_put_back_with_its_mode(driver: Driver, place: Path, home: Path) -> None:
    (place / "motd").write_bytes(b"\xfftheirs")
    (place / "motd").chmod(0o640)
    driver.make(declare(place / "motd", content="ours\n", mode="0644", adopt=True), Action.ADOPT)
    assert (place / "motd").read_text() == "ours\n"
    assert Path(driver.kept).is_relative_to(home)
    driver.make(declare(place / "motd", content="edited\n", mode="0600", adopt=True))
    driver.delete()
    assert (place / "motd").read_bytes() == b"\xfftheirs"
    assert mode(place / "motd") == "0640"
    assert names(home / "kept") == []


def test_adopted_file_that_was_equal_stays_when_the_resource_goes(driver: Driver, place: Path) -> None:
    (place / "motd").write_text("same")
    driver.make(declare(place / "motd", content="same", adopt=True), Action.ADOPT)
    driver.delete()
    assert (place / "motd").read_text() == "same"


def test_interrupted_adoption_keeps_the_first_content(driver: Driver, place: Path, home: Path) -> None:
    (place / "motd").write_text("theirs")
    ours = declare(place / "motd", content="ours", adopt=True)
    driver.attempt(ours, Action.ADOPT)
    after_the_crash = Driver(home)
    after_the_crash.make(ours, Action.ADOPT)
    after_the_crash.delete()
    assert (place / "motd").read_text() == "theirs"


def test_interrupted_adoption_that_is_edited_before_it_is_begun_again_keeps_the_first_content(
    driver: Driver, place: Path, home: Path
) -> None:
    (place / "motd").write_text("theirs")
    for number in range(3):
        driver.attempt(declare(place / "motd", content=f"ours {number}", adopt=True), Action.ADOPT)
        driver = Driver(home)  # crashed before anything was recorded
    driver.make(declare(place / "motd", content="ours at last", adopt=True), Action.ADOPT)
    driver.delete()
    assert (place / "motd").read_text() == "theirs"


def test_what_somebody_writes_after_an_interrupted_adoption_is_kept_beside_what_was_there_first(
    driver: Driver, place: Path, home: Path
) -> None:
    (place / "motd").write_text("theirs")
    ours = declare(place / "motd", content="ours", adopt=True)
    driver.attempt(ours, Action.ADOPT)
    (place / "motd").write_text("theirs, too")
    after_the_crash = Driver(home)
    after_the_crash.make(ours, Action.ADOPT)
    after_the_crash.delete()
    assert (place / "motd").read_text() == "theirs"
    assert [path.read_text() for path in home.glob("kept/*/later-*")] == ["theirs, too"]


@pytest.mark.parametrize("since", ["", "theirs, too"])
def test_interrupted_adoption_of_what_is_no_longer_declared_is_undone(
    driver: Driver, place: Path, home: Path, since: str
) -> None:
    """Unless somebody else has written there since."""
    (place / "motd").write_text("theirs")
    ours = declare(place / "motd", content="ours", adopt=True)
    driver.attempt(ours, Action.ADOPT)
    if since:
        (place / "motd").write_text(since)
    Driver(home).agent.tidy([ours], gone=True)
    assert (place / "motd").read_text() == (since or "theirs")


def test_adopted_symlink_and_directory_are_put_back(home: Path, place: Path) -> None:
    (place / "link").symlink_to("there")
    link = Driver(home)
    link.make(declare(place / "link", content="ours", adopt=True), Action.ADOPT)
    link.delete()
    assert (place / "link").readlink() == Path("there")
    (place / "dir").mkdir(mode=0o700)
    directory = Driver(home)
    directory.make(declare(place / "dir", type="directory", mode="0755", adopt=True), Action.ADOPT)
    directory.delete()
    assert mode(place / "dir") == "0700"


def test_directory_with_something_in_it_is_not_adopted_as_a_file(driver: Driver, place: Path) -> None:
    (place / "dir" / "sub").mkdir(parents=True)
    outcome = driver.attempt(declare(place / "dir", content="x", adopt=True), Action.ADOPT)
    assert isinstance(outcome, Stalled)
    assert (place / "dir" / "sub").is_dir()


def test_fifo_is_not_adopted(driver: Driver, place: Path) -> None:
    os.mkfifo(place / "fifo")
    outcome = driver.attempt(declare(place / "fifo", content="x", adopt=True), Action.ADOPT)
    assert isinstance(outcome, Stalled)
    assert "fifo" in outcome.message


def test_file_whose_kept_content_is_lost_is_left_on_delete(driver: Driver, place: Path) -> None:
    (place / "motd").write_text("theirs")
    driver.make(declare(place / "motd", content="ours", adopt=True), Action.ADOPT)
    for kept in Path(driver.kept).iterdir():
        kept.unlink()
    assert "left" in driver.delete().message
    assert (place / "motd").read_text() == "ours"


def test_equal_file_that_is_taken_back_goes_when_the_resource_goes(driver: Driver, place: Path) -> None:
    (place / "motd").write_text("same")
    driver.make(declare(place / "motd", content="same"), Action.ADOPT)
    driver.delete()
    assert names(place) == []


def test_edited_path_adopts_what_is_at_the_new_one(driver: Driver, place: Path) -> None:
    (place / "new").write_text("theirs")
    driver.make(declare(place / "old", content="ours", adopt=True))
    driver.make(declare(place / "new", content="ours", adopt=True), Action.ADOPT)
    assert names(place) == ["new"]
    driver.delete()
    assert (place / "new").read_text() == "theirs"


def test_edited_path_that_a_crash_interrupted_is_finished(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "old", type="directory"))
    (place / "new").mkdir(mode=0o755)
    driver.make(declare(place / "new", type="directory"), Action.ADOPT)
    assert names(place) == ["new"]
