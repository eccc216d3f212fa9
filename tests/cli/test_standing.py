"""A look that found nothing stands until anything that it looked at is another; then it is taken again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from controller.store.home import Home
from controller.store.stores import open_stores
from controller.surfaces.cli.main import main
from controller.wiring import looked, standing
from resources.meta import Key
from tests.cli.desk import Desk, rewritten, written

pytestmark = pytest.mark.docker


def test_look_that_found_nothing_is_not_taken_again(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    assert desk.stands
    answer = desk.story.start("diff")
    out, err = answer.communicate(timeout=60)
    assert (answer.returncode, out, err) == (0, "Plan: 0 to create, 0 to update, 0 to delete; 3 unchanged\n", "")
    assert standing.standing(["diff"], desk.home, colour=False) == out.strip()
    for other in (["diff", "-o", "json"], ["diff", "--no-prune"], ["diff", "elsewhere"], ["get"], []):
        assert standing.standing(other, desk.home, colour=False) is None


CHANGES: dict[str, Callable[[Desk], object]] = {
    "an edit": lambda desk: desk.write("Europe/Berlin"),
    "an edit that keeps size and mtime": lambda desk: rewritten(desk.story.root / "state" / "all.yaml", "UTC", "CET"),
    "a new file of the source": lambda desk: desk.story.write("more.yaml", desk.story.file("one")),
    "another content of a file that the spec refers to": lambda desk: rewritten(
        desk.story.root / "state" / "more.env", "A=1", "A=2"
    ),
    "a file of the source that has gone": lambda desk: (desk.story.root / "state" / "all.yaml").unlink(),
    "a container that has gone": lambda desk: desk.engine.remove_container(desk.name, force=True),
    "a container that was stopped": lambda desk: desk.engine.kill(desk.name),
    "a limit that was changed by hand": lambda desk: desk.engine.update_container(
        desk.name, restart_policy={"Name": "always"}
    ),
    "a container that was renamed": lambda desk: desk.engine.rename(desk.name, f"{desk.name}-x"),
    "a network that it was cut off from": lambda desk: desk.engine.disconnect_container_from_network(
        desk.name, desk.name, force=True
    ),
    "a suspended resource": lambda desk: desk.story.p2("suspend", f"container/{desk.name}"),
    "a pause": lambda desk: desk.story.p2("pause"),
    "a confirmation": lambda desk: _confirm(desk),
    "a setting of the agent": lambda desk: written(
        desk.home / "agents" / "docker.yaml", "host: unix:///nowhere.sock\n"
    ),
    "another engine": lambda desk: os.environ.__setitem__("DOCKER_HOST", "unix:///nowhere.sock"),
    "another machine by name": lambda desk: os.environ.__setitem__("PEGASUS2_NODE", "another"),
}


def _confirm(desk: Desk) -> None:
    with open_stores(Home(desk.home)) as stores:
        stores.overrides.confirm([Key("Container", "default", desk.name)], str(desk.story.root / "state"))


@pytest.mark.parametrize("what", CHANGES)
def test_look_is_taken_again_after(what: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "PEGASUS2_NODE"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back afterwards
        if not os.environ[name]:
            monkeypatch.delenv(name)
    assert desk.stands
    CHANGES[what](desk)
    assert not desk.stands
    assert desk.unchanged() is None


@pytest.mark.parametrize("linked", [False, True])
def test_look_is_taken_again_after_an_edit_of_settings_that_are_kept_elsewhere(
    linked: bool, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "elsewhere" / "docker.yaml"
    written(settings, "")
    if linked:
        (desk.home / "agents").symlink_to(settings.parent)
    else:
        monkeypatch.setenv("PEGASUS2_AGENTS_CONFIG", str(settings.parent))
    assert main(["diff"]) == 0
    assert desk.stands
    settings.write_text("host: unix:///nowhere.sock\n")
    assert not desk.stands


def test_look_is_taken_again_when_the_log_of_the_database_is_written_anew(desk: Desk) -> None:
    log = desk.home / "p2.db-wal"
    other = sqlite3.connect(desk.home / "p2.db")  # while somebody has it open the log stays
    with closing(other):
        other.execute("SELECT count(*) FROM sqlite_master").fetchall()
        assert desk.story.p2("suspend", f"container/{desk.name}").code == 0
        assert desk.story.p2("resume", f"container/{desk.name}").code == 0
        other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        assert main(["diff"]) == 0
        assert desk.stands
        size = log.stat().st_size
        assert desk.story.p2("suspend", f"container/{desk.name}").code == 0
        assert log.stat().st_size == size  # it is begun at its start again
        assert not desk.stands


def test_look_is_taken_again_by_another_code(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert desk.stands
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    monkeypatch.setattr(standing.resources, "__file__", str(tmp_path / "package" / "__init__.py"))
    assert not desk.stands


def test_probes_and_the_passing_of_time_do_not_count(desk: Desk) -> None:
    desk.write(healthcheck="{test: [CMD-SHELL, date], interval: 1s, retries: 1}")
    desk.settle()
    probes = _probes(desk)
    while _probes(desk) == probes:
        pass
    assert desk.stands


def _probes(desk: Desk) -> list[str]:
    return [each["End"] for each in desk.engine.inspect_container(desk.name)["State"]["Health"]["Log"]]


def test_look_is_not_kept_where_a_secret_was_looked_up_or_something_differs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "tell nobody")
    desk.write(secretEnv="{WORD: {env: WORD}}")
    desk.settle()
    assert not desk.stands
    desk.write("Europe/Berlin")
    assert main(["diff"]) == 1
    assert not desk.stands


def test_look_at_what_was_changed_just_now_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looked, "RECENT", 600.0)
    desk.write("Europe/Berlin")
    desk.settle()
    assert not desk.stands


def test_damaged_look_is_none(desk: Desk) -> None:
    for path in (desk.home / "cache").glob("*.look"):
        path.write_text('{"around": 1}')
    assert not desk.stands
    assert main(["diff"]) == 0
    assert desk.stands


def test_look_at_a_part_of_a_source_is_not_taken_for_one_at_all_of_it(desk: Desk) -> None:
    for path in (desk.home / "cache").glob("*.look"):
        path.unlink()
    assert main(["diff", "state/all.yaml"]) == 0
    assert not desk.stands
    assert standing.standing(["diff", "state/all.yaml"], desk.home, colour=False) is None
