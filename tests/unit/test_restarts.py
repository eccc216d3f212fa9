"""How long a container must have been running before it is believed to run, when the engine restarts it again and again."""

from __future__ import annotations

import pytest

from controller.agents.docker.health import health_of
from controller.agents.docker.restarts import LONGEST, SETTLED, WINDOW, Restarts
from resources.kinds.container import ContainerSpec
from resources.meta import Key
from tests.unit.test_container_health import EXITED, NOW, RESTARTING, RUNNING

WEB = Key("Container", "default", "web")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_each_restart_doubles_the_time(clock: Clock) -> None:
    restarts = Restarts(clock)
    found = []
    for count in range(8):
        found.append(restarts.settling(WEB, {"Id": "1", "RestartCount": count}))
        clock.now += 5
    assert found == [SETTLED, SETTLED, 20, 40, 80, 160, LONGEST, LONGEST]


def test_restarts_of_long_ago_are_forgotten(clock: Clock) -> None:
    restarts = Restarts(clock)
    for count in range(5):
        restarts.settling(WEB, {"Id": "1", "RestartCount": count})
    clock.now += WINDOW + 1
    assert restarts.settling(WEB, {"Id": "1", "RestartCount": 4}) == SETTLED
    assert restarts.settling(WEB, {"Id": "1", "RestartCount": 5}) == SETTLED


def test_restarts_before_it_was_first_seen_say_nothing_of_when_they_were(clock: Clock) -> None:
    assert Restarts(clock).settling(WEB, {"Id": "1", "RestartCount": 99}) == SETTLED


@pytest.mark.parametrize("live", [{"Id": "2", "RestartCount": 9}, {"Id": "1", "RestartCount": 0}])
def test_another_container_and_one_that_was_started_by_hand_begin_anew(live: dict[str, object], clock: Clock) -> None:
    restarts = Restarts(clock)
    for count in range(5):
        restarts.settling(WEB, {"Id": "1", "RestartCount": count})
    assert restarts.settling(WEB, live) == SETTLED


@pytest.mark.parametrize(("state", "age", "ready"), [(RUNNING, 30, False), (RUNNING, 41, True), (RESTARTING, 1, False)])
def test_program_that_keeps_exiting_is_not_ready_in_between(state: dict[str, object], age: float, ready: bool) -> None:
    live = {"State": state, "RestartCount": 3}
    health = health_of(ContainerSpec(image="nginx"), live, NOW + age, settling=40.0)
    assert (health.ready, health.reason) == (ready, "Converged" if ready else "CrashLoop")
    assert ready or "Ready when it has run for 40s" in health.message


@pytest.mark.parametrize(
    ("code", "killed", "ended"),
    [(0, False, True), (3, False, True), (137, True, True), (137, False, False), (143, False, False)],
)
def test_program_that_was_stopped_by_somebody_has_not_ended_by_itself(code: int, killed: bool, ended: bool) -> None:
    live = {"State": {**EXITED, "ExitCode": code, "OOMKilled": killed}}
    assert health_of(ContainerSpec(image="nginx"), live, NOW).ended is ended


def test_end_of_the_log_is_part_of_what_is_said() -> None:
    live = {"State": {**EXITED, "ExitCode": 3}, "Name": "/web"}
    said = health_of(ContainerSpec(image="nginx"), live, NOW, lambda: " (its log ends: no such table)").message
    assert said == "it has exited with code 3 (its log ends: no such table); see docker logs web"
