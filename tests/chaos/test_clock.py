"""The machine's clock is set back while a controller runs, and before the next start: work goes on, and the records are whole.

Only the wall clock of the program under test is set, by a `sitecustomize` of the test's own; the engine and the file system
keep theirs, so that files and containers seem to come from the future.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread

import pytest

from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, events, eventually, happened

HOUR = 3600.0

SETTABLE = """
import time
_time, _time_ns = time.time, time.time_ns
def _shift():
    try:
        with open({file!r}) as file:
            return float(file.read() or 0)
    except OSError:
        return 0.0
time.time = lambda: _time() + _shift()
time.time_ns = lambda: _time_ns() + int(_shift() * 1e9)
"""


class WallClock:
    """Of programs that are started with `env`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._file = directory / "shift"
        (directory / "sitecustomize.py").write_text(SETTABLE.format(file=str(self._file)))
        self.env = {"PYTHONPATH": str(directory)}

    def set(self, by: float) -> None:
        self._file.write_text(str(by))


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path / "clock")


def test_clock_that_is_set_back_under_a_controller_stops_nothing(story: Story, clock: WallClock) -> None:
    controller = Controller(story, clock.env)
    try:
        story.write("all.yaml", story.file("edited", "one"), story.file("drifts"))
        controller.start()
        eventually(lambda: all_ready(story, ["edited", "drifts"]), "both were made")
        first = events(story)
        clock.set(-HOUR)
        story.write("all.yaml", story.file("edited", "two"), story.file("drifts"))
        eventually(lambda: (story.world / "edited").read_text() == "two", "an edit was applied")
        (story.world / "drifts").unlink()
        eventually((story.world / "drifts").exists, "drift was healed")
        eventually(lambda: len(happened(story, "Created")) == 3, "it was written down")
        assert events(story)[: len(first)] == first, "in the order in which it happened"
        assert events(story)[-1]["at"] < first[-1]["at"], "the clock was really set back"
        controller.kill()
        controller.start()
        story.write("all.yaml", story.file("edited", "three"), story.file("drifts"))
        eventually(lambda: (story.world / "edited").read_text() == "three", "the next start goes on")
        eventually(lambda: all_ready(story, ["edited", "drifts"]), "both were ready")
        assert at_rest(controller)
    finally:
        controller.kill()


def test_who_watches_events_goes_on_seeing_them_when_the_clock_is_set_back(story: Story, clock: WallClock) -> None:
    """The newest are not those with the latest time then."""
    clock.set(HOUR)
    story.write("all.yaml", story.file("one"))
    assert story.start("apply", env=clock.env).wait(30) == 0
    watching = story.start("events", "-w", "-o", "json")
    assert watching.stdout
    seen: list[str] = []
    reader = Thread(target=seen.extend, args=(watching.stdout,))
    reader.start()
    try:
        clock.set(0)
        for number, name in enumerate(["one", "two", "three"]):
            story.write("all.yaml", *[story.file(each) for each in ("one", "two", "three")[: number + 1]])
            assert story.start("apply", env=clock.env).wait(30) == 0
            eventually(lambda: any(f"default/{name}" in line for line in seen), "what happened was shown")  # noqa: B023
    finally:
        watching.kill()
        watching.wait()
        reader.join()
        watching.stdout.close()
    keys = [json.loads(line)["key"] for line in seen]
    assert keys == [f"File/default/{name}" for name in ("one", "two", "three") for _ in ("Created", "Converged")]


@pytest.mark.docker
def test_containers_that_seem_to_come_from_the_future_are_ready_all_the_same(
    story: Story, yard: Yard, clock: WallClock
) -> None:
    """One that must have run for a second, and one that the engine has had to restart."""
    once = ["sh", "-c", "test -e /again && exec sleep 1000; touch /again; sleep 1; exit 1"]
    story.write(
        "all.yaml",
        yard.container("waits", minReadySeconds=1),
        yard.container("restarted", restart="always", command=once),
    )
    story.start("apply").communicate(timeout=60)
    eventually(lambda: yard.inspect("restarted")["RestartCount"] == 1, "the engine has restarted it")
    eventually(lambda: yard.running("waits", "restarted"), "both were running")
    clock.set(-HOUR)
    process = story.start("apply", env=clock.env)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, out + error
