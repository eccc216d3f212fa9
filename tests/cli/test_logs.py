"""`p2 logs` on a real engine: what was written, in order, by whom; and what is written from now on, by whatever comes."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.story import P2, Story
from tests.cli.yard import Yard
from tests.support import Controller, eventually

pytestmark = pytest.mark.docker


@pytest.fixture
def applied(story: Story, yard: Yard) -> Story:
    """Two containers that have each written three lines."""
    body = "echo one; echo two >&2; echo three"
    story.write("web.yaml", yard.container("web", body), yard.container("db", "echo db"))
    assert story.p2("apply").code == 0
    eventually(lambda: len(story.p2("logs", yard.key("web")).out.splitlines()) == 3, "all is written")
    eventually(lambda: story.p2("logs", yard.key("db")).out, "all is written")
    return story


@contextmanager
def following(story: Story, *arguments: str) -> Iterator[Follower]:
    """`p2 logs -f` as a process of its own."""
    out, err = story.root / "out.txt", story.root / "err.txt"
    with out.open("w") as to_out, err.open("w") as to_err:
        process = subprocess.Popen([P2, "logs", *arguments], cwd=story.root, stdout=to_out, stderr=to_err)
    try:
        yield Follower(process, out, err)
    finally:
        process.kill()
        process.wait()


class Follower:
    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process, self._out, self._err = process, out, err

    def shows(self, line: str) -> None:
        eventually(
            lambda: line in self._out.read_text().splitlines(), f"{line} is shown; there is {self._out.read_text()}"
        )

    def says(self, text: str) -> None:
        eventually(lambda: text in self._err.read_text(), f"it says {text}; it says {self._err.read_text()}")

    def lines(self) -> list[str]:
        return self._out.read_text().splitlines()


def test_all_that_a_container_has_written_is_shown_from_both_its_streams(applied: Story, yard: Yard) -> None:
    shown = applied.p2("logs", yard.key("web"))
    assert (shown.code, sorted(shown.out.splitlines()), shown.err) == (0, ["one", "three", "two"], "")


def test_tail_shows_the_last_lines(applied: Story, yard: Yard) -> None:
    assert applied.p2("logs", yard.key("db"), "--tail", "0").out == ""
    assert applied.p2("logs", yard.key("db"), "-n", "1").out == "db\n"


def test_lines_of_several_stand_behind_the_names_of_who_wrote_them(applied: Story, yard: Yard) -> None:
    lines = applied.p2("logs", yard.key("web"), yard.key("db")).out.splitlines()
    assert f"{yard.name('web')} | one" in lines
    assert f"{yard.name('db')}  | db" in lines


def test_json_tells_time_and_stream_of_each_line(applied: Story, yard: Yard) -> None:
    found = [json.loads(line) for line in applied.p2("logs", yard.key("web"), "-o", "json").out.splitlines()]
    assert {(each["text"], each["stream"]) for each in found} == {
        ("one", "stdout"), ("two", "stderr"), ("three", "stdout"),
    }  # fmt: skip
    assert all(each["key"] == f"Container/default/{yard.name('web')}" for each in found)
    stamps = [each["at"] for each in found]
    assert stamps == sorted(stamps)
    assert all(len(stamp) == len("2026-11-26T01:33:23.628269579Z") for stamp in stamps)


def test_timestamps_are_shown_on_demand(applied: Story, yard: Yard) -> None:
    first = applied.p2("logs", yard.key("db"), "--timestamps").out.split()
    assert first[0].endswith("Z")
    assert first[1] == "db"


def test_since_leaves_out_what_is_older(applied: Story, yard: Yard) -> None:
    assert applied.p2("logs", yard.key("web"), "--since", "1h").out.count("\n") == 3
    stamp = json.loads(applied.p2("logs", yard.key("web"), "-o", "json").out.splitlines()[-1])["at"]
    later = f"{int(stamp[:4]) + 1}-01-01T00:00:00"
    assert applied.p2("logs", yard.key("web"), "--since", later).out == ""


def test_a_long_line_and_one_without_an_end_are_each_one_line(story: Story, yard: Yard) -> None:
    body = "i=0; while [ $i -lt 5000 ]; do printf 0123456789; i=$((i+1)); done; echo; printf end; exit 0"
    story.write("web.yaml", yard.container("web", body, state="completed"))
    assert story.p2("apply").code == 0
    eventually(lambda: story.p2("logs", yard.key("web")).out.endswith("end\n"), "all is written")
    assert [len(line) for line in story.p2("logs", yard.key("web")).out.splitlines()] == [50_000, 3]


def test_what_was_never_made_is_said_so(story: Story, yard: Yard) -> None:
    story.write("web.yaml", yard.container("web"))
    shown = story.p2("logs", yard.key("web"))
    assert (shown.code, shown.out) == (1, "")
    assert f"there is no container {yard.name('web')} yet" in shown.err


def test_a_name_that_nobody_knows_is_refused(applied: Story, yard: Yard) -> None:
    shown = applied.p2("logs", f"{yard.key('web')}x")
    assert shown.code == 2
    assert f"did you mean Container/{yard.name('web')}?" in shown.err


def test_a_kind_that_writes_nothing_is_refused_with_those_that_do(applied: Story) -> None:
    applied.write("file.yaml", applied.file("some"))
    shown = applied.p2("logs", "file/some")
    assert shown.code == 2
    assert "cannot show what was written by File/some: that goes with Container" in shown.err


def test_it_needs_no_source_for_what_was_applied(
    applied: Story, yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "one" in applied.p2("logs", yard.key("web")).out


def test_following_goes_on_with_what_takes_the_place_of_a_container(applied: Story, yard: Yard) -> None:
    with following(applied, yard.key("web"), "-f") as follower:
        follower.shows("three")
        applied.write("web.yaml", yard.container("web", "echo new"), yard.container("db", "echo db"))
        assert applied.p2("apply").code == 0
        follower.shows("new")
        yard.engine.restart(yard.name("web"), timeout=2)
        eventually(lambda: follower.lines().count("new") == 2, "what it writes after a restart is shown")
        assert sorted(follower.lines()[:3]) == ["one", "three", "two"]
        follower.process.send_signal(signal.SIGINT)
        assert follower.process.wait(20) == 0
        assert follower.lines().count("three") == 1


def test_following_waits_for_a_container_that_is_to_come(story: Story, yard: Yard) -> None:
    story.write("web.yaml", yard.container("web", "echo here"))
    with following(story, yard.key("web"), "-f") as follower:
        follower.says(f"there is no container {yard.name('web')} yet; waiting for it")
        assert story.p2("apply").code == 0
        follower.shows("here")


def test_following_ends_with_what_runs_once(story: Story, yard: Yard) -> None:
    job = yard.container("job", "echo begun; sleep 1; echo done; exit 0", state="completed")
    story.write("job.yaml", job)
    with following(story, yard.key("job"), "-f") as follower:
        assert story.p2("apply").code == 0
        assert follower.process.wait(20) == 0
        assert follower.lines() == ["begun", "done"]


def test_a_running_controller_is_not_needed_and_not_disturbed(applied: Story, yard: Yard) -> None:
    controller = Controller(applied).start()
    try:
        eventually(lambda: applied.p2("health").out.count("controller") and controller.alive, "it runs")
        assert "one" in applied.p2("logs", yard.key("web")).out
    finally:
        controller.close()
