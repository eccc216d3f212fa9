"""The agent of kind `File` on a real file system: contents, sources, templates, modes and owners."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.engine.agent import Seen, Stalled
from resources.kinds.file import EXAMPLE, File
from resources.plan import Action, Disruption, Why
from tests.agents.file_driver import CONTEXT, Driver, create_all, declare, empty_directory, file_agent, mode, names

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def driver(home: Path) -> Driver:
    return Driver(home)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return empty_directory(tmp_path)


# -- files -----------------------------------------------------------------------------------------------------------


def test_new_file_has_the_declared_content_and_the_usual_mode_whatever_the_umask(driver: Driver, place: Path) -> None:
    before = os.umask(0o077)
    try:
        driver.make(declare(place / "sub" / "motd", content="hello\n"))
    finally:
        os.umask(before)
    assert (place / "sub" / "motd").read_text() == "hello\n"
    assert mode(place / "sub" / "motd") == "0644"
    assert mode(place / "sub") == "0755"
    assert names(place / "sub") == ["motd"]


@pytest.mark.parametrize(
    "content", ["", "no final newline", "two\n\n", "dos\r\nlines\r\n", "\ttab \N{SNOWMAN}\n", "\ufeffbom"]
)
def test_content_is_written_byte_for_byte(driver: Driver, place: Path, content: str) -> None:
    driver.make(declare(place / "file", content=content))
    assert (place / "file").read_bytes() == content.encode()


def test_edited_content_is_changed_in_place_of_the_old_one(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "motd", content="old\n"))
    edited = declare(place / "motd", content="new\n")
    plan = driver.plan(edited)
    assert (plan.action, plan.disruption) == (Action.UPDATE, Disruption.NOTHING)
    assert [(c.path, c.observed, c.desired, c.why) for c in plan.changes] == [("content", "old\n", "new\n", Why.EDITED)]
    driver.make(edited)
    assert (place / "motd").read_text() == "new\n"


def test_drifted_content_is_put_right(driver: Driver, place: Path) -> None:
    motd = declare(place / "motd", content="ours\n")
    driver.make(motd)
    (place / "motd").write_text("theirs\n")
    assert driver.owns(motd)
    assert [c.why for c in driver.plan(motd).changes] == [Why.DRIFTED]
    driver.make(motd)
    assert (place / "motd").read_text() == "ours\n"


def test_removed_file_is_made_again(driver: Driver, place: Path) -> None:
    motd = declare(place / "motd", content="ours\n")
    driver.make(motd)
    (place / "motd").unlink()
    assert driver.plan(motd).action is Action.CREATE
    driver.make(motd)
    assert (place / "motd").read_text() == "ours\n"


def test_changed_mode_is_set_without_rewriting_the_file(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "key", content="k", mode="0644"))
    number = (place / "key").stat().st_ino
    driver.make(declare(place / "key", content="k", mode="0600"))
    assert mode(place / "key") == "0600"
    assert (place / "key").stat().st_ino == number


def test_mode_that_is_not_declared_is_left_as_somebody_set_it(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "run", content="one"))
    (place / "run").chmod(0o750)
    assert driver.plan(declare(place / "run", content="one")).empty
    driver.make(declare(place / "run", content="two"))
    assert mode(place / "run") == "0750"


def test_dropped_mode_goes_back_to_the_usual_one(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "run", content="x", mode="0700"))
    dropped = declare(place / "run", content="x")
    assert [(c.path, c.desired, c.why) for c in driver.plan(dropped).changes] == [("mode", "0644", Why.DROPPED)]
    driver.make(dropped)
    assert mode(place / "run") == "0644"


def test_set_user_id_bit_survives_giving_the_file_away(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "tool", content="x", mode="4755", owner=str(os.geteuid()), group=str(os.getegid())))
    assert mode(place / "tool") == "4755"


@as_root
def test_owner_and_group_are_given_by_name_or_id(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "mail", content="x", owner="nobody", group="65534"))
    found = (place / "mail").stat()
    assert (found.st_uid, found.st_gid) == (65534, 65534)
    driver.make(declare(place / "mail", content="x", owner="0", group="65534"))
    assert (place / "mail").stat().st_uid == 0


@as_root
def test_owner_that_is_not_declared_outlives_a_new_content(driver: Driver, place: Path) -> None:
    driver.make(declare(place / "mail", content="one"))
    os.chown(place / "mail", 65534, 65534)
    driver.make(declare(place / "mail", content="two"))
    assert (place / "mail").stat().st_uid == 65534


def test_ignored_fields_are_not_put_right(driver: Driver, place: Path) -> None:
    loose = declare(place / "file", content="a", mode="0600", ignore=["content", "mode"])
    driver.make(loose)
    (place / "file").write_text("b")
    (place / "file").chmod(0o644)
    assert driver.plan(loose).empty


def test_example_of_the_documentation_is_applied(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    driver.make(File.model_validate(yaml.safe_load(EXAMPLE)))
    assert (tmp_path / "pegasus2-demo" / "motd").read_text() == "Welcome to atlas.\n"


# -- sources and templates -------------------------------------------------------------------------------------------


def test_source_gives_the_content_and_its_change_is_a_difference(driver: Driver, place: Path) -> None:
    (place / "source").write_bytes(b"\x00\xffbinary")
    copy = declare(place / "copy", source=str(place / "source"))
    assert list(copy.inputs()) == [place / "source"]
    driver.make(copy)
    (place / "source").write_text("text now\n")
    [change] = driver.plan(copy).changes
    assert change.path == "content"
    assert change.observed.startswith("(8 bytes, sha256:")
    assert change.desired == "text now\n"
    driver.make(copy)
    assert (place / "copy").read_text() == "text now\n"


def test_long_source_is_copied_and_shown_by_its_digest(driver: Driver, place: Path) -> None:
    (place / "source").write_bytes(os.urandom(1 << 20) * 3)
    copy = declare(place / "copy", source=str(place / "source"))
    driver.make(copy)
    assert (place / "copy").read_bytes() == (place / "source").read_bytes()
    with (place / "copy").open("r+b") as file:
        file.write(b"x")
    [change] = driver.plan(copy).changes
    assert change.observed.startswith("(3 MiB, sha256:")
    assert change.observed != change.desired


def test_source_may_be_a_link(driver: Driver, place: Path) -> None:
    (place / "real").write_bytes(b"r" * 100_000)
    (place / "source").symlink_to("real")
    driver.make(declare(place / "copy", source=str(place / "source")))
    assert (place / "copy").read_bytes() == b"r" * 100_000


def test_missing_source_stalls_but_does_not_stand_in_the_way_of_a_deletion(driver: Driver, place: Path) -> None:
    (place / "source").write_text("x")
    copy = declare(place / "copy", source=str(place / "source"))
    driver.make(copy)
    (place / "source").unlink()
    outcome = driver.attempt(copy)
    assert isinstance(outcome, Stalled)
    assert str(place / "source") in outcome.message
    assert (place / "copy").read_text() == "x"
    driver.delete()
    assert not (place / "copy").exists()


def test_template_is_filled_in_and_its_variables_are_part_of_the_desired_state(driver: Driver, place: Path) -> None:
    spec: dict[str, Any] = {"content": "listen {{ port }};\n", "template": True}
    driver.make(declare(place / "conf", **spec, variables={"port": "80"}))
    edited = declare(place / "conf", **spec, variables={"port": "81"})
    [change] = driver.plan(edited).changes
    assert (change.observed, change.desired, change.why) == ("listen 80;\n", "listen 81;\n", Why.EDITED)
    driver.make(edited)
    assert (place / "conf").read_text() == "listen 81;\n"


def test_template_in_a_source_names_the_line_of_an_unknown_variable(driver: Driver, place: Path) -> None:
    (place / "source").write_text("a\nb {{ hots }}\n")
    outcome = driver.attempt(declare(place / "x", source=str(place / "source"), template=True, variables={"host": "h"}))
    assert isinstance(outcome, Stalled)
    assert outcome.message == (
        f'cannot fill in the template: line 2: no variable is named "hots"; did you mean "host"? (in {place}/source)'
    )


def test_template_that_is_no_text_stalls(driver: Driver, place: Path) -> None:
    (place / "source").write_bytes(b"\xff\xfe")
    outcome = driver.attempt(declare(place / "x", source=str(place / "source"), template=True))
    assert isinstance(outcome, Stalled)
    assert "UTF-8" in outcome.message


# -- many ------------------------------------------------------------------------------------------------------------


def test_directories_come_before_what_is_in_them_in_one_batch(home: Path, place: Path) -> None:
    resources = [
        declare(place / "d" / "file", name="file", content="x"),
        declare(place / "d", name="dir", type="directory", mode="0750"),
    ]
    create_all(file_agent(home), resources)
    assert mode(place / "d") == "0750"


def test_read_only_client_cannot_write(home: Path, place: Path) -> None:
    agent = file_agent(home, read_only=True)
    dry = Driver(home)
    dry.agent = agent
    outcome = dry.attempt(declare(place / "file", content="x"))
    assert isinstance(outcome, Stalled)
    assert not (place / "file").exists()
    assert not hasattr(agent._files, "write")


def test_health_is_always_available(home: Path) -> None:
    assert file_agent(home).health(CONTEXT).available


def test_absent_file_is_seen_as_absent(home: Path, place: Path) -> None:
    absent = declare(place / "none" / "file", content="")
    assert file_agent(home).observe([absent], CONTEXT)[absent.key] == Seen(None)
