"""What a service manager is told of the controller, over real sockets; and the deadline of its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from controller.surfaces import deadline as deadlines
from controller.surfaces.cli.command import Exit
from controller.surfaces.deadline import Deadline
from controller.surfaces.notify import Notifier
from resources.meta import Key
from tests.service_manager import ServiceManager
from tests.support import eventually

OFTEN = 0.04  # seconds between two signs of life that are asked for


@pytest.fixture(params=[False, True], ids=["path", "abstract"])
def manager(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path, watchdog=OFTEN, abstract=request.param) as made:
        yield made


def begun() -> Flag:
    flag = Flag()
    flag.set()
    return flag


def fine() -> str:
    return ""


def test_ready_is_told_when_the_loop_has_begun_and_not_before(manager: ServiceManager) -> None:
    start = Flag()
    notifier = Notifier.from_environment(manager.environment)
    notifier.start(start, fine, lambda: "all is well")
    assert manager.listen(0.1) == []
    start.set()
    assert manager.listen(5) == ["READY=1"]
    manager.wait_for("STATUS=all is well")
    notifier.close()


def test_signs_of_life_stop_while_something_is_dead_and_go_on_when_it_lives_again(manager: ServiceManager) -> None:
    trouble = [""]
    notifier = Notifier.from_environment(manager.environment)
    notifier.start(begun(), lambda: trouble[0], lambda: "fine")
    manager.wait_for("WATCHDOG=1")
    trouble[0] = "docker-look has died"
    manager.wait_for("STATUS=cannot go on: docker-look has died")
    assert manager.silence("WATCHDOG=1", 5 * OFTEN)
    trouble[0] = ""
    manager.wait_for("WATCHDOG=1")
    manager.wait_for("STATUS=fine")
    notifier.close()


def test_stopping_is_told_and_ended_threads_are_then_no_sign_of_death(manager: ServiceManager) -> None:
    trouble = [""]
    notifier = Notifier.from_environment(manager.environment)
    notifier.start(begun(), lambda: trouble[0], lambda: "fine")
    manager.wait_for("WATCHDOG=1")
    notifier.stopping()
    trouble[0] = "docker-look has died"
    manager.wait_for("STOPPING=1")
    manager.wait_for("WATCHDOG=1")
    notifier.close()


def test_status_that_cannot_be_told_costs_no_sign_of_life(manager: ServiceManager) -> None:
    def broken() -> str:
        raise ZeroDivisionError

    notifier = Notifier.from_environment(manager.environment)
    notifier.start(begun(), fine, broken)
    manager.wait_for("WATCHDOG=1")
    manager.wait_for("WATCHDOG=1")
    notifier.close()


def test_without_a_service_manager_nothing_is_done() -> None:
    before = threading.active_count()
    notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000"})
    notifier.start(begun(), fine, fine)
    notifier.stopping()
    assert threading.active_count() == before


def test_watchdog_of_another_process_is_none_of_ours(tmp_path: Path) -> None:
    with ServiceManager(tmp_path, watchdog=OFTEN) as manager:
        notifier = Notifier.from_environment({**manager.environment, "WATCHDOG_PID": "1"})
        notifier.start(begun(), fine, fine)
        manager.wait_for("READY=1")
        assert manager.silence("WATCHDOG=1", 5 * OFTEN)
        ours = Notifier.from_environment({**manager.environment, "WATCHDOG_PID": str(os.getpid())})
        ours.start(begun(), fine, fine)
        manager.wait_for("WATCHDOG=1")
        ours.close()


def test_socket_that_nobody_reads_any_more_harms_nothing(tmp_path: Path) -> None:
    with ServiceManager(tmp_path) as manager:
        notifier = Notifier.from_environment(manager.environment)
    notifier.stopping()


# -- the deadline --------------------------------------------------------------------------------------------------


class Ending:
    """What became of a controller that was told to stop with 0.05 s for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(deadlines, "GRACE", 0.2)
        self.cancelled = Flag()
        self.left_with: list[int] = []
        self.deadline = Deadline(
            0.05, self.cancelled.set, lambda: {Key("File", "default", "big")}, self.left_with.append
        )


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Ending:
    return Ending(monkeypatch)


def test_work_that_ends_in_time_is_not_cancelled(ending: Ending) -> None:
    ending.deadline.begin()
    assert ending.deadline.met() is Exit.OK
    assert not ending.cancelled.wait(0.2)


def test_after_the_deadline_the_agents_are_asked_to_break_off(ending: Ending, caplog: pytest.LogCaptureFixture) -> None:
    ending.deadline.begin()
    assert ending.cancelled.wait(5)
    assert ending.deadline.met() is Exit.BROKEN_OFF
    assert "broken off" in caplog.messages[-1]
    assert [key.short for key in caplog.records[0].__dict__["keys"]] == ["File/big"]


def test_if_that_does_not_help_the_process_ends_itself(ending: Ending, caplog: pytest.LogCaptureFixture) -> None:
    ending.deadline.begin()
    eventually(lambda: ending.left_with == [Exit.ABANDONED], "it has left")
    assert "ended with work under way" in caplog.messages[-1]
