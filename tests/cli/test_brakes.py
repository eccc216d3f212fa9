"""Brakes as a person uses them: pause, unpause and stop, without a controller and with an apply at work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.story import Story
from tests.cli.test_processes import PLUGIN, ended, line_with, oven
from tests.support import eventually, fingerprint, listed, told


@pytest.fixture
def applied(story: Story) -> Story:
    """Two files, one of them retained and no longer declared; and an edit that is not applied yet."""
    story.write("a.yaml", story.file("one"), story.file("kept", deletionPolicy="Retain"))
    assert story.p2("apply").code == 0
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    story.write("a.yaml", story.file("one", "edited"))
    return story


def test_paused_apply_and_delete_are_refused_and_name_who_when_why_and_the_way_out(applied: Story) -> None:
    before = fingerprint(applied.world)
    paused = applied.p2("pause", "--reason", "moving\nthe disks")
    assert (paused.code, paused.err) == (0, "")
    for command in (["apply"], ["apply", "--only", "file/one"], ["delete", "file/kept", "--yes"]):
        refused = applied.p2(*command)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith(f"error: cannot {command[0]} anything: this machine is paused")
        assert "ago): moving the disks; 'p2 unpause' ends that" in refused.err
        assert refused.err.count("\n") == 1
    assert fingerprint(applied.world) == before
    assert applied.p2("unpause").code == 0
    assert applied.p2("apply").code == 0
    assert applied.p2("delete", "file/kept", "--yes").code == 0
    assert [path.name for path in applied.world.iterdir()] == ["one"]
    assert (applied.world / "one").read_text() == "edited"


def test_paused_reading_works_and_says_so_in_one_line(applied: Story) -> None:
    applied.p2("pause")
    for command, code in ((["diff"], 1), (["get"], 0), (["describe", "file/one"], 0)):
        shown = applied.p2(*command)
        assert shown.code == code
        assert shown.err.count("\n") == 1 and "nothing is changed now: this machine is paused" in shown.err
        assert "machine is paused" not in shown.out
    json.loads(applied.p2("diff", "-o", "json").out)
    json.loads(applied.p2("get", "-o", "json").out)


def test_pause_is_shown_by_health_and_events(applied: Story) -> None:
    assert ["ok", "none is on"] in [[each["mark"], each["message"]] for each in health(applied)]
    applied.p2("pause", "--reason", "holiday")
    (found,) = [each for each in health(applied) if each["part"] == "brakes"]
    assert found["mark"] == "note" and "paused" in found["message"] and "holiday" in found["message"]
    assert len(told(applied, "Paused")) == 1 and "holiday" in told(applied, "Paused")[0]
    applied.p2("unpause")
    assert len(told(applied, "Released")) == 1


def health(story: Story) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(story.p2("health", "-o", "json").out)
    return found


def test_what_is_done_already_is_said_and_changes_nothing(story: Story) -> None:
    assert "nothing to do" in story.p2("unpause").out
    story.p2("pause", "--reason", "first")
    again = story.p2("pause", "--reason", "second")
    assert again.code == 0 and "first" in again.out and "second" not in again.out
    assert len(told(story, "Paused")) == 1


def test_suspended_resources_and_holds_are_told_by_health(applied: Story) -> None:
    applied.p2("suspend", "file/one")
    by_part = {each["part"]: each["message"] for each in health(applied)}
    assert "1 resource left alone: File/one" in by_part["suspended"]
    assert "1 deletion held back (Retained)" in by_part["holds"]


def test_confirming_all_where_nothing_can_be_says_that_something_is_held_all_the_same(applied: Story) -> None:
    shown = applied.p2("confirm", "--all")
    assert shown.code == 0
    assert shown.out == "nothing can be allowed; 1 resource held back for other reasons: p2 confirm lists them\n"


def test_confirming_what_is_held_no_longer_is_refused_and_changes_nothing(story: Story) -> None:
    names = [f"n{number}" for number in range(8)]
    story.write("a.yaml", *[story.file(name) for name in names])
    story.p2("apply")
    story.write("a.yaml", story.file("n0"))
    assert "TooManyDeletes" in story.p2("confirm").out
    story.write("a.yaml", *[story.file(name) for name in names])
    refused = story.p2("confirm", "file/n1")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "error: cannot confirm File/n1: nothing about it is held back; p2 confirm lists what is\n"
    story.write("a.yaml", story.file("n0"))
    assert story.p2("apply", "--yes").code == 1, "no confirmation was kept"
    assert len(list(story.world.iterdir())) == len(names)


@pytest.mark.parametrize("wrong", [["pause", "extra"], ["unpause", "file/one"], ["stop", "--timeout", "soon"]])
def test_wrong_command_lines_change_nothing(applied: Story, wrong: list[str]) -> None:
    refused = applied.p2(*wrong)
    assert refused.code == 2 and "cannot read the command line" in refused.err
    assert applied.p2("apply").code == 0


# -- stop ----------------------------------------------------------------------------------------------------------


def test_stop_with_nothing_at_work_keeps_it_so(applied: Story) -> None:
    shown = applied.p2("stop", "--reason", "wrong branch")
    assert shown.code == 0
    assert "nothing was at work" in shown.out
    assert "stopped" in applied.p2("apply").err and "wrong branch" in applied.p2("apply").err
    again = applied.p2("stop", "--reason", "another")
    assert again.code == 0 and "stopped already" in again.out and "wrong branch" in again.out
    assert len(told(applied, "Stopped")) == 1
    applied.p2("unpause")
    assert applied.p2("apply").code == 0


@pytest.fixture
def baking(story: Story) -> Iterator[subprocess.Popen[str]]:
    """An apply in the middle of the first of two loaves that do not depend on each other."""
    story.write("a.yaml", oven(story, "first"), oven(story, "second"))
    process = story.start("apply", env=PLUGIN)
    eventually(lambda: begun(story), "a loaf was begun")
    yield process
    process.kill()
    process.communicate()


def begun(story: Story) -> list[str]:
    return [path.stem for path in story.world.glob("*.begun")]


def test_stop_lets_an_apply_finish_its_step_and_begin_no_other(story: Story, baking: subprocess.Popen[str]) -> None:
    (first,) = begun(story)
    stop = story.start("stop", "--timeout", "20s", env=PLUGIN)
    eventually(lambda: told(story, "Stopped"), "the brake was on")
    assert line_with(baking, baking.stderr, "stopping: what is under way is finished first")
    assert baking.poll() is None and stop.poll() is None
    (story.world / f"{first}.door").touch()
    shown = ended(stop)
    assert shown.code == 0
    assert shown.out.splitlines()[1] == f"process {baking.pid} (p2 apply) has ended"
    assert baking.wait(5) == 130
    assert (story.world / first).exists() and begun(story) == [first]


def test_stop_that_is_repeated_still_lets_the_step_finish(story: Story, baking: subprocess.Popen[str]) -> None:
    (first,) = begun(story)
    for _ in range(2):
        assert ended(story.start("stop", "--timeout", "0.3", env=PLUGIN)).code == 1
    assert baking.poll() is None
    (story.world / f"{first}.door").touch()
    assert baking.wait(5) == 130
    assert (story.world / first).exists() and begun(story) == [first]


def test_pause_lets_an_apply_finish_its_step_and_end_unconverged(story: Story, baking: subprocess.Popen[str]) -> None:
    (first,) = begun(story)
    assert story.p2("pause").code == 0
    (story.world / f"{first}.door").touch()
    shown = ended(baking)
    assert shown.code == 1
    assert "Paused" in shown.out
    assert begun(story) == [first]
    assert "failed" in story.p2("history").out, "what was not done is not called converged"


def test_stop_says_how_to_end_by_force_what_does_not_end(story: Story, baking: subprocess.Popen[str]) -> None:
    (first,) = begun(story)
    shown = ended(story.start("stop", "--timeout", "0.3", env=PLUGIN))
    assert shown.code == 1
    assert f"kill -9 {baking.pid}" in shown.out and "That is safe" in shown.out
    os.kill(baking.pid, signal.SIGKILL)
    baking.wait(5)
    for name in ("first", "second"):
        (story.world / f"{name}.door").touch()
    assert ended(story.start("apply", env=PLUGIN)).code == 2
    assert ended(story.start("unpause", env=PLUGIN)).code == 0
    assert ended(story.start("apply", env=PLUGIN)).code == 0
    assert (story.world / first).exists()


def test_stop_tells_nobody_but_the_holder_of_the_lock(story: Story, home: Path) -> None:
    """The lock of a process that has died names an id that may be another's by now."""
    story.p2("pause")
    (home / "run").mkdir(exist_ok=True)
    bystander = subprocess.Popen(["sleep", "60"])
    (home / "run" / "lock").write_text(f"{bystander.pid} p2 run\n")
    try:
        assert "nothing was at work" in story.p2("stop").out
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert listed(story) == {}
