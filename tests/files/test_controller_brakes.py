"""A running controller and its brakes: it obeys at once, goes into safe mode by itself, and ends within its deadline."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.story import Story
from tests.cli.test_processes import PLUGIN, oven
from tests.service_manager import ServiceManager
from tests.support import Controller, all_ready, at_rest, eventually, fingerprint, listed, told


def reason(story: Story, name: str) -> str:
    return str(listed(story).get(name, {}).get("reason", ""))


def outcome(story: Story) -> str:
    """Of the newest edit."""
    found = json.loads(story.p2("history", "-o", "json").out)
    return str(next(entry["outcome"] for entry in found if entry["cause"] == "edit"))


@pytest.fixture
def running(story: Story, controller: Controller) -> Controller:
    """A controller that has made two files."""
    story.write("a.yaml", story.file("one"), story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    return controller


def test_paused_controller_shows_differences_and_corrects_them_all_at_once_when_released(
    story: Story, running: Controller
) -> None:
    assert story.p2("pause", "--reason", "holiday").out.startswith("paused: nothing is changed")
    (story.world / "one").write_text("vandal")
    eventually(lambda: reason(story, "one") == "Paused", "drift was seen")
    assert outcome(story) == "converged"
    story.write("a.yaml", story.file("one"), story.file("new"))
    eventually(lambda: reason(story, "new") == reason(story, "two") == "Paused", "the edits were seen")
    assert listed(story)["one"]["status"] == "False"
    assert (story.world / "one").read_text() == "vandal"
    assert sorted(path.name for path in story.world.iterdir()) == ["one", "two"]
    assert story.p2("apply").code == 2
    assert "paused" in story.p2("apply").err
    assert outcome(story) == "failed"
    story.p2("unpause")
    eventually(lambda: all_ready(story, ["one", "new"]), "everything was put right")
    eventually(lambda: outcome(story) == "converged", "the edit was carried out in the end")
    assert sorted(path.name for path in story.world.iterdir()) == ["new", "one"]
    assert at_rest(running)


def test_commands_that_the_controller_carries_out_heed_and_lift_the_brake(story: Story, running: Controller) -> None:
    def sent(*words: str) -> tuple[int, str]:
        process = story.start(*words)
        out, err = process.communicate(timeout=20)
        return process.returncode, out + err

    assert sent("pause", "--reason", "holiday")[0] == 0
    (story.world / "one").unlink()
    code, said = sent("apply")
    assert code == 2 and "this machine is paused by" in said and "holiday" in said
    code, said = sent("diff")
    assert code == 1 and "nothing is changed now: this machine is paused" in said
    assert not (story.world / "one").exists()
    assert "changes are made again from now on" in sent("unpause")[1]
    eventually((story.world / "one").exists, "it was made again")


def test_pause_stops_work_that_is_queued_already(story: Story, controller: Controller) -> None:
    names = [f"n{number}" for number in range(3000)]
    story.write("many.yaml", *[story.file(name) for name in names])
    controller.start()
    eventually(lambda: len(list(story.world.iterdir())) > 50, "it was at work")
    story.p2("pause")
    eventually(lambda: '"reason": "Paused"' in controller.log, "it obeyed")
    eventually(lambda: steady(lambda: len(list(story.world.iterdir()))), "what was in flight is finished")
    made = len(list(story.world.iterdir()))
    assert made < len(names)
    story.p2("unpause")
    eventually(lambda: all_ready(story, names), "the rest was made", seconds=60)


def steady(look: Callable[[], int]) -> bool:
    """Whether it stays as it is for a while."""
    before = look()
    time.sleep(0.3)
    return look() == before


def test_pause_outlives_a_restart_and_the_next_controller_says_so(story: Story, running: Controller) -> None:
    story.p2("pause")
    assert running.end() == 0
    (story.world / "one").unlink()
    running.start()
    eventually(lambda: reason(story, "one") == "Paused", "it was seen")
    assert '"message": "observing only"' in running.log
    assert not (story.world / "one").exists()
    story.p2("unpause")
    eventually((story.world / "one").exists, "it was made again")
    assert at_rest(running)


# -- safe mode -----------------------------------------------------------------------------------------------------


def start(controller: Controller) -> None:
    """Returns when it runs."""
    begun = controller.log.count("watching; Ctrl-C stops")
    controller.start()
    eventually(lambda: controller.log.count("watching; Ctrl-C stops") > begun, "it ran")


def crash(controller: Controller) -> None:
    start(controller)
    controller.kill()


def test_after_three_crashes_it_only_observes_until_it_is_released(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one"))
    for _ in range(3):
        crash(controller)
    story.write("a.yaml", story.file("one", "edited"))
    controller.start()
    eventually(lambda: reason(story, "one") == "SafeMode", "it is in safe mode")
    assert [message for message in told(story, "SafeMode") if "crashed 3 times within 10 minutes" in message]
    assert '"reason": "SafeMode"' in controller.log
    found = json.loads(story.p2("health", "-o", "json").out)
    assert [each["mark"] for each in found if each["part"] == "brakes"] == ["FAIL"]
    assert story.p2("health").code == 1
    assert "in safe mode" in story.p2("apply").err
    controller.kill()
    controller.start()
    eventually(lambda: '"message": "observing only"' in controller.log, "it is still in safe mode")
    story.p2("unpause")
    eventually(lambda: all_ready(story, ["one"]), "it went on")
    assert (story.world / "one").read_text() == "edited"
    before = len(told(story, "SafeMode"))
    controller.kill()
    crash(controller)
    start(controller)
    assert len(told(story, "SafeMode")) == before, "what was forgotten does not count any more"
    assert at_rest(controller)


def test_orderly_ends_and_starts_that_never_got_the_lock_are_no_crashes(story: Story, running: Controller) -> None:
    for _ in range(4):
        process = story.start("run", env={"PEGASUS2_METRICS_PORT": "0"})
        process.communicate(timeout=20)
        assert process.returncode == 2
    for _ in range(4):
        assert running.end() == 0
        start(running)
    running.kill()
    running.start()
    (story.world / "one").unlink()
    eventually((story.world / "one").exists, "it changes things")
    assert told(story, "SafeMode") == []


def test_metrics_tell_of_brakes_and_suspensions(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = Controller(story, {"PEGASUS2_METRICS_PORT": str(port)})
    own.start()
    try:
        eventually(lambda: all_ready(story, ["one"]), "it was made")
        assert metric(port, 'pegasus2_brake{reason="Paused"}') == metric(port, "pegasus2_suspended") == 0
        story.p2("pause")
        story.p2("suspend", "file/one")
        assert metric(port, 'pegasus2_brake{reason="Paused"}') == metric(port, "pegasus2_suspended") == 1
        assert (
            metric(port, 'pegasus2_brake{reason="SafeMode"}') == metric(port, 'pegasus2_brake{reason="Stopped"}') == 0
        )
    finally:
        own.kill()


def metric(port: int, series: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        found = re.search(rf"^{re.escape(series)} (\S+)$", page.read().decode(), re.MULTILINE)
    assert found, f"{series} is not there"
    return float(found[1])


# -- stop ----------------------------------------------------------------------------------------------------------


def test_stop_ends_the_controller_and_the_next_one_only_observes(story: Story, running: Controller) -> None:
    shown = story.p2("stop", "--reason", "wrong branch")
    assert shown.code == 0
    assert shown.out.splitlines()[1] == f"process {running.pid} (p2 run) has ended"
    assert not running.alive
    before = fingerprint(story.world)
    story.write("a.yaml", story.file("one", "edited"))
    running.start()
    eventually(lambda: reason(story, "one") == "Stopped", "it observes")
    assert fingerprint(story.world) == before
    story.p2("unpause")
    eventually(lambda: (story.world / "one").read_text() == "edited", "it went on")


# -- its end, and who watches over it ------------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path, watchdog=1.0) as made:
        yield made


@pytest.fixture
def bakery(story: Story, manager: ServiceManager) -> Iterator[Controller]:
    """A controller with an oven, with 0.5 s for its end and 1.5 s for a look, under a service manager."""
    story.write("a.yaml", oven(story, "loaf"))
    hurried = {"PEGASUS2_STOP_TIMEOUT": "0.5", "PEGASUS2_AGENT_TIMEOUT": "0.3"}
    made = Controller(story, {**PLUGIN, **manager.environment, **hurried})
    yield made
    made.kill()


def last_line(controller: Controller) -> str:
    return str(json.loads(controller.log.splitlines()[-1])["message"])


def baking(story: Story, controller: Controller) -> None:
    controller.start()
    eventually((story.world / "loaf.begun").exists, "it bakes")


def test_step_that_ends_before_the_deadline_is_finished(
    story: Story, bakery: Controller, manager: ServiceManager
) -> None:
    baking(story, bakery)
    manager.wait_for("READY=1")
    bakery.signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    (story.world / "loaf.door").touch()
    eventually(lambda: not bakery.alive, "it ended")
    assert bakery.end() == 0
    assert last_line(bakery) == "stopped; what was under way is finished"
    assert (story.world / "loaf").exists()


def test_step_that_takes_longer_is_broken_off_where_the_agent_can(story: Story, bakery: Controller) -> None:
    (story.world / "loaf.knob").touch()
    baking(story, bakery)
    assert bakery.end() == 3
    assert last_line(bakery) == "stopped; what took longer than the deadline was broken off"
    assert not (story.world / "loaf").exists()


def test_step_that_cannot_be_broken_off_is_left_with_its_intent_written_down(story: Story, bakery: Controller) -> None:
    baking(story, bakery)
    assert bakery.end(seconds=20) == 4
    assert last_line(bakery) == "ended with work under way; the next start finds out how far it got"
    assert json.loads(bakery.log.splitlines()[-1])["keys"] == ["Oven/default/loaf"]
    (story.world / "loaf.door").touch()
    bakery.start()
    eventually((story.world / "loaf").exists, "the next start went on")
    bakery.signal(signal.SIGTERM)
    eventually(lambda: not bakery.alive, "it ended")
    assert told(story, "SafeMode") == []


def test_controller_under_a_service_manager_gives_signs_of_life_until_a_part_of_it_dies(
    story: Story, bakery: Controller, manager: ServiceManager
) -> None:
    (story.world / "loaf.door").touch()
    bakery.start()
    manager.wait_for("READY=1")
    manager.wait_for("STATUS=1 of 1 resources ready")
    manager.wait_for("WATCHDOG=1")
    (story.world / "second.fire").touch()
    story.write("a.yaml", oven(story, "loaf"), oven(story, "second"))
    manager.wait_for("STATUS=cannot go on: a part of the loop has died: oven-look")
    assert manager.silence("WATCHDOG=1", 2.0)
    assert bakery.alive
    assert "no sign of life is given to the service manager" in bakery.log


def test_look_that_never_ends_stops_the_signs_of_life_until_it_does(
    story: Story, bakery: Controller, manager: ServiceManager
) -> None:
    (story.world / "loaf.door").touch()
    (story.world / "loaf.fog").touch()
    bakery.start()
    manager.wait_for("STATUS=cannot go on: a part of the loop does not move: oven")
    assert manager.silence("WATCHDOG=1", 1.5)
    (story.world / "loaf.fog").unlink()
    manager.wait_for("WATCHDOG=1")
    eventually((story.world / "loaf").exists, "it baked")


def test_controller_that_nobody_watches_over_has_no_thread_for_it(story: Story, running: Controller) -> None:
    names = [(task / "comm").read_text().strip() for task in Path(f"/proc/{running.pid}/task").iterdir()]
    assert len(names) > 1 and "notify" not in names
    assert "NOTIFY_SOCKET" not in os.environ
