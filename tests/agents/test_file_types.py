"""The agent of kind `File` on a real file system: directories, links, and one thing in place of another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.engine.agent import Mark, Retry, Stalled, Step
from resources.plan import Action
from tests.agents.file_driver import CONTEXT, Driver, declare, empty_directory, mode, names

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def driver(home: Path) -> Driver:
    return Driver(home)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return empty_directory(tmp_path)


# -- directories and links -------------------------------------------------------------------------------------------


def test_directory_is_made_with_its_mode_and_removed_when_empty(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "a" / "b", type="directory", mode="0700"))
    assert mode(place / "a" / "b") == "0700"
    driver.delete()
    assert names(place / "a") == []


def test_directory_with_something_in_it_is_left(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "d", type="directory"))
    (place / "d" / "precious").write_text("x")
    assert "not empty" in driver.delete().message
    assert (place / "d" / "precious").read_text() == "x"


def test_symlink_is_made_and_pointed_elsewhere_without_touching_its_targets(driver: Driver, place: Path) -> None:
    (place / "one").write_text("1")
    driver.make(declare(place / "link", type="symlink", target="one"))
    assert (place / "link").readlink() == Path("one")
    driver.make(declare(place / "link", type="symlink", target="/nowhere"))
    assert (place / "link").readlink() == Path("/nowhere")
    driver.delete()
    assert names(place) == ["one"]


@as_root
def test_owner_of_a_symlink_is_its_own(driver: Driver, place: Path) -> None:
    (place / "one").write_text("1")
    driver.make(declare(place / "link", type="symlink", target="one", owner="nobody"))
    assert (place / "link").lstat().st_uid == 65534
    assert (place / "one").stat().st_uid == 0


def test_link_in_place_of_our_file_is_replaced_and_its_target_left_alone(driver: Driver, place: Path) -> None:
    ours = declare(place / "file", content="ours")
    driver.make(ours)
    (place / "file").unlink()
    (place / "other").write_text("theirs")
    (place / "file").symlink_to("other")
    assert driver.owns(ours)
    assert driver.plan(ours).action is Action.REPLACE
    driver.make(ours)
    assert not (place / "file").is_symlink()
    assert (place / "other").read_text() == "theirs"


def test_directory_in_place_of_our_file_is_no_longer_ours(driver: Driver, place: Path) -> None:
    ours = declare(place / "file", content="ours")
    driver.make(ours)
    (place / "file").unlink()
    (place / "file").mkdir()
    assert not driver.owns(ours)


def test_file_in_place_of_our_link_is_no_longer_ours(driver: Driver, place: Path) -> None:
    ours = declare(place / "link", type="symlink", target="x")
    driver.make(ours)
    (place / "link").unlink()
    (place / "link").write_text("saved by an editor")
    assert not driver.owns(ours)


@pytest.mark.parametrize("first", ["file", "directory", "symlink"])
@pytest.mark.parametrize("second", ["file", "directory", "symlink"])
def test_another_type_replaces_the_thing(driver: Driver, place: Path, first: str, second: str) -> None:
    specs = {"file": {"content": "x"}, "directory": {}, "symlink": {"target": "nowhere"}}
    driver.make(declare(place / "thing", type=first, **specs[first]))
    other = declare(place / "thing", type=second, **specs[second])
    assert driver.plan(other).action is (Action.NONE if first == second else Action.REPLACE)
    driver.make(other)
    assert driver.see(other).handle == f"{second}:{place}/thing"


def test_directory_with_something_in_it_is_not_replaced(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "thing", type="directory"))
    (place / "thing" / "precious").write_text("x")
    outcome = driver.attempt(declare(place / "thing", content="x"))
    assert isinstance(outcome, Stalled)
    assert "not empty" in outcome.message
    assert (place / "thing" / "precious").exists()


# -- another path ----------------------------------------------------------------------------------------------------


def test_edited_path_moves_the_file(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "old", content="x"))
    moved = declare(place / "new", content="x")
    assert driver.plan(moved).action is Action.REPLACE
    driver.make(moved)
    assert names(place) == ["new"]


def test_edited_path_leaves_the_old_file_when_it_is_to_be_retained(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "old", content="x", deletionPolicy="Retain"))
    driver.make(declare(place / "new", content="x"))
    assert names(place) == ["new", "old"]


def test_edited_path_puts_back_what_was_at_the_old_one(driver: Driver, place: Path) -> None:
    (place / "old").write_text("theirs")
    driver.make(declare(place / "old", content="ours", adopt=True), Action.ADOPT)
    driver.make(declare(place / "new", content="ours", adopt=True))
    assert (place / "old").read_text() == "theirs"
    assert driver.kept == ""
    driver.delete()
    assert names(place) == ["old"]


def test_edited_path_leaves_what_has_taken_the_place_of_the_old_file(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "old", content="x"))
    (place / "old").unlink()
    (place / "old").mkdir()
    assert "left" in driver.make(declare(place / "new", content="x")).message
    assert names(place) == ["new", "old"]


def test_file_that_appears_before_ours_is_written_is_not_overwritten(driver: Driver, place: Path) -> None:
    ours = declare(place / "file", content="ours")
    step = Step(driver.plan(ours), ours, None, driver.see(ours), Mark(ours.key, "test", 1))
    (place / "file").write_text("theirs")
    assert isinstance(driver.agent.apply([step], CONTEXT)[ours.key], Retry)
    assert (place / "file").read_text() == "theirs"
