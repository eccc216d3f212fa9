"""Somebody sets the machine's clock back an hour: what is recorded keeps its order, and nothing waits for the hour to pass."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controller.agents.docker.health import health_of
from controller.engine.board import Board
from controller.engine.clock import Clock
from controller.engine.stores import Event, Level
from controller.store.home import Home
from controller.store.stores import open_stores
from resources.conditions import Reason, Type
from resources.kinds.container import ContainerSpec
from resources.meta import Key
from tests.cli.conftest import story as story
from tests.cli.story import Story
from tests.unit.world import Loop, gadget

HOUR = 3600.0
NOW = 1_800_000_000.0


class Wall:
    """The machine's clock, to be set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        self.now += 1.0
        return self.now

    def set_back(self) -> None:
        self.now -= HOUR


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def loop(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> Loop:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: type(gadget("a")))
    made = Loop()
    clock = Clock(wall=wall)
    board = Board(made.stores.statuses, made.stores.events, made.told, clock)
    made.parts = replace(made.parts, clock=clock, board=board)
    return made


def reasons(loop: Loop) -> list[str]:
    return [event.reason for event in loop.stores.events.since()]


def test_events_stay_in_the_order_in_which_they_happened(loop: Loop, wall: Wall) -> None:
    assert loop.apply(gadget("a", color="red"))
    wall.set_back()
    assert loop.apply(gadget("a", color="blue"))
    assert reasons(loop) == ["Created", "Converged", "Updated"]
    times = [event.at for event in loop.stores.events.since()]
    assert times[2] < times[0], "they say when it was by the clock of then"


def test_healing_and_statuses_go_on(loop: Loop, wall: Wall) -> None:
    assert loop.apply(gadget("a", color="red"))
    before = loop.parts.board.status(Key("Gadget", "default", "a"))
    wall.set_back()
    loop.agent.world["a"].color = "green"
    assert loop.apply(gadget("a", color="red"))
    assert loop.agent.world["a"].color == "red"
    after = loop.parts.board.status(Key("Gadget", "default", "a"))
    assert before is not None
    assert after is not None
    assert after.ready
    ready, was = after.condition(Type.READY), before.condition(Type.READY)
    assert ready is not None
    assert was is not None
    assert ready.since == was.since, "it was Ready all the time"


def test_what_is_held_stays_held_until_it_is_confirmed(loop: Loop, wall: Wall) -> None:
    names = [f"g{number}" for number in range(10)]
    assert loop.apply(*[gadget(name, color="red") for name in names])
    wall.set_back()
    loop.apply(gadget("g0", color="red"))
    assert set(loop.agent.world) == set(names)
    assert loop.reason("g1") == Reason.TOO_MANY_DELETES
    loop.stores.overrides.confirm(Key("Gadget", "default", name) for name in names[1:])
    loop.apply(gadget("g0", color="red"))
    assert set(loop.agent.world) == {"g0"}


def test_container_that_was_started_before_the_clock_was_set_back_is_not_waited_for() -> None:
    started = {"Running": True, "Status": "running", "StartedAt": "2027-01-15T08:00:00.5Z"}  # NOW
    spec = ContainerSpec(image="web:1", minReadySeconds=30)
    live = {"State": started, "RestartCount": 3}
    assert not health_of(spec, live, NOW + 5).ready
    assert health_of(spec, live, NOW + 60).ready
    assert health_of(spec, live, NOW + 60 - HOUR).ready


def test_events_that_are_watched_are_shown_whatever_the_clock_says(story: Story, home: Path) -> None:
    with open_stores(Home(home)) as stores:
        stores.events.record(Event(NOW, None, Level.NORMAL, "First", "before"))
        process = story.start("events", "-w", "-o", "json")
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["reason"] == "First"
            for reason in ("Second", "Second", "Third"):
                stores.events.record(Event(NOW - HOUR, None, Level.NORMAL, reason, "after"))
            shown = [json.loads(process.stdout.readline())["reason"]]
            while shown[-1] != "Third":
                shown.append(json.loads(process.stdout.readline())["reason"])
        finally:
            process.kill()
            process.communicate()
    assert set(shown) == {"Second", "Third"}
