"""Mounted files whose edits concern their container: restart, signal, or a note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from resources.kinds.container import Container
from resources.plan import Action, Disruption, Why
from tests.agents.docker.engine import Crash, Mortal, RealContainers, eventually
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC

# Writes what it was started with, and once more for each signal, to where the test can read it.
READS = "trap 'cat /etc/app.conf >> /seen/all' HUP; cat /etc/app.conf >> /seen/all; while true; do sleep 0.1; done"


class Reader:
    """A container that reads a file of this machine, which the test edits."""

    def __init__(self, world: RealContainers, keeper: Keeper, tmp_path: Path) -> None:
        self.world, self.keeper = world, keeper
        self.file, self.directory = tmp_path / "app.conf", tmp_path / "seen"
        self.directory.mkdir()
        self.file.write_text("one\n")

    def resource(self, on_change: str | None = "restart", **more: Any) -> Container:
        watching = {"onChange": on_change} if on_change else {}
        mount = {"type": "bind", "source": str(self.file), "target": "/etc/app.conf", "readOnly": True, **watching}
        seen = {"type": "bind", "source": str(self.directory), "target": "/seen"}
        spec = {**SPEC, "command": ["sh", "-c", READS], "volumes": [{**mount, **more}, seen]}
        return self.world.resource("one", **spec)

    def seen(self) -> list[str]:
        """What the program has read, in order."""
        found = self.directory / "all"
        return found.read_text().split() if found.exists() else []

    def made(self, *args: Any, **more: Any) -> Container:
        self.keeper.make(made := self.resource(*args, **more))
        eventually(lambda: self.seen() == ["one"])
        assert self.keeper.plan(made).empty
        return made

    def replace_file(self, text: str) -> None:
        """As editors do it: another file takes its name."""
        draft = self.file.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.file)


@pytest.fixture
def reader(world: RealContainers, keeper: Keeper, tmp_path: Path) -> Reader:
    return Reader(world, keeper, tmp_path)


def test_edit_restarts_the_container_and_does_not_make_it_anew(reader: Reader, keeper: Keeper) -> None:
    made = reader.made()
    identity = reader.world.identity(made)
    reader.replace_file("two\n")
    plan = keeper.plan(made)
    assert (plan.action, plan.disruption) == (Action.UPDATE, Disruption.RESTART)
    [change] = plan.changes
    assert (change.path, change.why) == ("contents./etc/app.conf", Why.EDITED)
    assert "two" not in str(plan)
    keeper.make(made)
    eventually(lambda: reader.seen() == ["one", "two"])
    assert reader.world.identity(made) == identity
    assert keeper.plan(made).empty


def test_edit_sends_the_signal_where_that_is_asked_for(reader: Reader, keeper: Keeper) -> None:
    made = reader.made("signal")
    started = reader.world.inspect(made)["State"]["StartedAt"]
    reader.file.write_text("two\n")  # the very file that the container sees
    plan = keeper.plan(made)
    assert (plan.action, plan.disruption, plan.notes) == (
        Action.UPDATE,
        Disruption.NOTHING,
        ("/etc/app.conf: sent SIGHUP",),
    )
    keeper.make(made)
    eventually(lambda: reader.seen() == ["one", "two"])
    assert reader.world.inspect(made)["State"]["StartedAt"] == started
    assert keeper.plan(made).empty


def test_file_that_was_replaced_restarts_the_container_for_it_would_read_the_former_one(
    reader: Reader, keeper: Keeper
) -> None:
    made = reader.made("signal")
    reader.replace_file("two\n")
    plan = keeper.plan(made)
    assert plan.disruption is Disruption.RESTART
    assert "another file now" in plan.notes[0]
    keeper.make(made)
    eventually(lambda: reader.seen() == ["one", "two"])
    reader.file.write_text("three\n")
    assert keeper.plan(made).disruption is Disruption.NOTHING, "now it sees this one"
    keeper.make(made)
    eventually(lambda: reader.seen() == ["one", "two", "three"])


def test_edit_is_only_noted_where_nothing_is_asked_for(reader: Reader, keeper: Keeper) -> None:
    made = reader.made("nothing")
    started = reader.world.inspect(made)["State"]["StartedAt"]
    reader.file.write_text("two\n")
    plan = keeper.plan(made)
    assert (plan.disruption, plan.notes) == (Disruption.NOTHING, ("/etc/app.conf: only noted",))
    keeper.make(made)
    assert reader.world.inspect(made)["State"]["StartedAt"] == started
    assert keeper.plan(made).empty


def test_content_is_not_looked_at_where_the_spec_does_not_say_so(reader: Reader, keeper: Keeper) -> None:
    made = reader.made(None)
    reader.file.write_text("two\n")
    assert keeper.plan(made).empty


def test_watching_a_file_from_now_on_restarts_nothing(reader: Reader, keeper: Keeper) -> None:
    reader.made(None)
    watching = reader.resource()
    assert keeper.plan(watching).disruption is Disruption.NOTHING
    keeper.make(watching)
    assert keeper.plan(watching).empty
    assert reader.seen() == ["one"]


def test_edit_that_was_made_before_a_file_is_watched_is_not_missed(reader: Reader, keeper: Keeper) -> None:
    reader.made(None)
    reader.file.write_text("two\n")
    keeper.make(reader.resource())
    eventually(lambda: reader.seen() == ["one", "two"])


def test_note_that_is_lost_restarts_nothing_that_has_read_what_is_there(reader: Reader, keeper: Keeper) -> None:
    made = reader.made()
    (reader.world.directory / "home" / "docker" / "contents.json").unlink()
    assert keeper.plan(made).disruption is Disruption.NOTHING
    keeper.make(made)
    assert reader.seen() == ["one"]
    assert keeper.plan(made).empty


def test_container_that_was_started_again_by_somebody_has_read_the_edit(reader: Reader, keeper: Keeper) -> None:
    made = reader.made()
    reader.file.write_text("two\n")
    reader.world.engine.restart(made.container_name, timeout=0)
    eventually(lambda: reader.seen() == ["one", "two"])
    assert keeper.plan(made).disruption is Disruption.NOTHING
    keeper.make(made)
    assert keeper.plan(made).empty
    assert reader.seen() == ["one", "two"]


def test_same_content_in_another_file_is_no_edit(reader: Reader, keeper: Keeper) -> None:
    made = reader.made()
    reader.replace_file("one\n")
    assert keeper.plan(made).empty


def test_file_that_is_gone_is_waited_for(reader: Reader, keeper: Keeper) -> None:
    made = reader.made()
    reader.file.unlink()
    assert keeper.plan(made).empty
    reader.file.write_text("two\n")
    keeper.make(made)
    eventually(lambda: reader.seen() == ["one", "two"])


def test_crash_between_the_restart_and_its_note_restarts_nothing_once_more(reader: Reader, keeper: Keeper) -> None:
    made, setup = reader.made(), reader.world.setup()
    reader.file.write_text("two\n")
    with pytest.raises(Crash):
        ContainerAgent(Mortal(connect(setup), 1), setup).apply(keeper.steps(made), keeper.context)
    eventually(lambda: reader.seen() == ["one", "two"])
    keeper.make(made)
    assert keeper.plan(made).empty
    assert reader.seen() == ["one", "two"]


def test_edit_within_a_mounted_directory_is_seen(world: RealContainers, keeper: Keeper, tmp_path: Path) -> None:
    inside = tmp_path / "conf" / "sites" / "a.conf"
    inside.parent.mkdir(parents=True)
    inside.write_text("one")
    mount = {"type": "bind", "source": str(tmp_path / "conf"), "target": "/conf", "readOnly": True}
    keeper.make(made := world.resource("one", **SPEC, volumes=[{**mount, "onChange": "signal", "signal": "WINCH"}]))
    assert keeper.plan(made).empty
    draft = inside.with_suffix(".new")
    draft.write_text("two")
    draft.replace(inside)
    plan = keeper.plan(made)
    assert (plan.disruption, plan.notes) == (Disruption.NOTHING, ("/conf: sent SIGWINCH",))
    keeper.make(made)
    assert keeper.plan(made).empty


def test_stranger_that_is_adopted_is_not_restarted(reader: Reader, keeper: Keeper) -> None:
    theirs = reader.resource()
    reader.world.make_strangers(theirs)
    reader.file.write_text("two\n")
    [change] = [each for each in keeper.adoption(theirs).plan.changes if each.path.startswith("contents")]
    assert change.observed is None
    seen = keeper.look(theirs).value
    assert seen is not None
    assert {each.action for each in seen.contents.values()} == {"nothing"}
