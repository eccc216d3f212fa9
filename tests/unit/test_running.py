"""The controller at work on a small world: edits and drift are acted on as they come, and it ends cleanly."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread

import pytest

from controller.engine.agent import Health, Relist, Scope, unavailable
from controller.engine.manager import Manager
from controller.engine.revision import Revision
from resources.conditions import Reason
from resources.meta import Key
from tests.unit.world import Gadget, GadgetAgent, Loop, declare, gadget


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: Gadget)


class FedSource:
    """A source that says what it is given to say."""

    name = "/desired"

    def __init__(self) -> None:
        self.revisions: queue.Queue[Revision] = queue.Queue()

    def read(self) -> Revision:
        raise AssertionError("the controller listens; it does not read")

    def watch(self, stop: Flag) -> Iterator[Revision]:
        while not stop.is_set():
            try:
                yield self.revisions.get(timeout=0.05)
            except queue.Empty:
                continue


class WatchedAgent(GadgetAgent):
    """Hints at what the test says has moved; its first connections can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.hints: queue.Queue[Key | Relist] = queue.Queue()
        self.connections = 0
        self.listed = Flag()  # what had moved before it connected was told

    def watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        self.connections += 1
        if self.unreachable:
            raise unavailable("cannot reach the gadgets: switch them on")
        yield Relist()
        self.listed.set()
        while not stop.is_set():
            try:
                hint = self.hints.get(timeout=0.05)
            except queue.Empty:
                continue
            if isinstance(hint, Relist):
                raise unavailable("the connection broke")
            yield hint


@contextmanager
def running(loop: Loop, *first: Gadget) -> Iterator[FedSource]:
    source, stop, manager = FedSource(), Flag(), Manager(loop.parts)
    source.revisions.put(declare(*first))
    thread = Thread(target=manager.run, args=(source, stop, ()))
    thread.start()
    try:
        yield source
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "the controller did not end"


def eventually(true: Callable[[], object], seconds: float = 10.0) -> None:
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.005)


def at_rest(loop: Loop, name: str = "a") -> None:
    """Returns when `name` is as declared, the watch has connected, and nothing more is looked at for that."""
    assert isinstance(loop.agent, WatchedAgent)
    listed, looks = loop.agent.listed, -1
    eventually(lambda: loop.reason(name) == Reason.CONVERGED and listed.is_set())
    while looks != (looks := len(loop.agent.looks)):
        time.sleep(0.2)


@pytest.fixture
def loop() -> Loop:
    return Loop(WatchedAgent())


def key(name: str) -> Key:
    return Key("Gadget", "default", name)


def test_an_edit_is_acted_on_and_measured(loop: Loop) -> None:
    with running(loop, gadget("a", color="red")) as source:
        eventually(lambda: loop.told.converged_keys == [key("a")])
        source.revisions.put(declare(gadget("a", color="blue")))
        eventually(lambda: loop.agent.world["a"].color == "blue")
        eventually(lambda: loop.told.converged_keys == [key("a"), key("a")])


def test_drift_is_corrected_on_a_hint_and_measured(loop: Loop) -> None:
    assert isinstance(loop.agent, WatchedAgent)
    with running(loop, gadget("a", color="red")):
        at_rest(loop)
        loop.agent.world["a"].color = "pink"
        loop.agent.hints.put(key("a"))
        eventually(lambda: loop.agent.world["a"].color == "red")
        eventually(lambda: loop.told.corrected_keys == [key("a")])


def test_a_hint_at_nothing_changes_and_counts_nothing(loop: Loop) -> None:
    assert isinstance(loop.agent, WatchedAgent)
    with running(loop, gadget("a", color="red")):
        at_rest(loop)
        looks = len(loop.agent.looks)
        loop.agent.hints.put(key("a"))
        eventually(lambda: len(loop.agent.looks) > looks)
    assert loop.agent.log == ["create a"] and loop.told.corrected_keys == []


def test_a_watch_that_broke_is_connected_again_and_everything_looked_at(loop: Loop) -> None:
    assert isinstance(loop.agent, WatchedAgent)
    with running(loop, gadget("a", color="red")):
        at_rest(loop)
        loop.agent.hints.put(Relist())
        loop.agent.world["a"].color = "pink"
        eventually(lambda: loop.agent.connections == 2)
        eventually(lambda: loop.agent.world["a"].color == "red")


def test_a_removed_resource_is_deleted_and_a_dropped_source_file_is_not_the_end(loop: Loop) -> None:
    with running(loop, gadget("a"), gadget("b")) as source:
        eventually(lambda: set(loop.agent.world) == {"a", "b"})
        source.revisions.put(declare(gadget("a")))
        eventually(lambda: set(loop.agent.world) == {"a"})


def test_a_dependent_starts_when_its_dependency_turns_ready_without_polling(loop: Loop) -> None:
    with running(loop, gadget("app", dependsOn=["Gadget/base"]), gadget("base")):
        eventually(lambda: set(loop.agent.world) == {"app", "base"})
    assert loop.agent.log == ["create base", "create app"]


def test_the_newest_edit_wins_over_an_old_failure_at_once(loop: Loop) -> None:
    loop.agent.lies.add("a")
    with running(loop, gadget("a", color="red")) as source:
        eventually(lambda: loop.agent.log)
        loop.agent.lies.clear()
        source.revisions.put(declare(gadget("a", color="blue")))
        eventually(lambda: loop.agent.world["a"].color == "blue", seconds=1.0)


def test_an_unreachable_system_is_unknown_and_comes_back_by_itself(loop: Loop) -> None:
    loop.agent.unreachable = True
    with running(loop, gadget("a", color="red")):
        eventually(lambda: loop.reason("a") == Reason.AGENT_UNAVAILABLE)
        loop.agent.unreachable = False
        eventually(lambda: "a" in loop.agent.world)


def test_a_mistake_in_the_agent_is_retried_and_stops_nothing_else(loop: Loop) -> None:
    def broken(step: object, ctx: object) -> None:
        raise ZeroDivisionError

    loop.agent.create = broken  # type: ignore[method-assign,assignment]
    with running(loop, gadget("a")):
        eventually(lambda: loop.reason("a") == Reason.AGENT_ERROR)
        del loop.agent.create
        eventually(lambda: "a" in loop.agent.world)


# -- edits on trial ------------------------------------------------------------------------------------------------


def trial(color: str, name: str = "a", **spec: object) -> Gadget:
    return gadget(name, color=color, readyTimeout="200ms", **spec)


def good(loop: Loop) -> bool:
    record = loop.stores.inventory.find(key("a"))
    return record is not None and record.good_digest == record.digest != ""


def test_a_spec_proves_good_without_any_hint_and_wakes_nothing_else(loop: Loop) -> None:
    with running(loop, gadget("a", color="red", readyTimeout="3s"), gadget("app", dependsOn=["Gadget/a"])):
        at_rest(loop, "app")
        looks = len(loop.agent.looks)
        eventually(lambda: good(loop))
    assert loop.agent.looks[looks:] == [1], "it alone was looked at, once"
    assert sorted(loop.told.converged_keys) == [key("a"), key("app")]


def test_an_edit_that_does_not_become_ready_is_taken_back_without_any_hint(loop: Loop) -> None:
    loop.agent.ill["bad"] = Health(False, "Unhealthy", "it is ill", again=3600)
    with running(loop, trial("red")) as source:
        eventually(lambda: good(loop))
        source.revisions.put(declare(trial("bad")))
        eventually(lambda: loop.reason("a") == Reason.ROLLED_BACK)
        assert loop.agent.world["a"].color == "red"
        source.revisions.put(declare(trial("blue")))
        eventually(lambda: loop.agent.world["a"].color == "blue")
        eventually(lambda: loop.reason("a") == Reason.CONVERGED)
    assert loop.told.rolled_back_keys == [key("a")]


def test_what_was_rolled_back_is_healed_on_a_hint(loop: Loop) -> None:
    assert isinstance(loop.agent, WatchedAgent)
    loop.agent.ill["bad"] = Health(False, "Unhealthy", "it is ill")
    with running(loop, trial("red")) as source:
        eventually(lambda: good(loop))
        source.revisions.put(declare(trial("bad")))
        eventually(lambda: loop.reason("a") == Reason.ROLLED_BACK)
        del loop.agent.world["a"]
        loop.agent.hints.put(key("a"))
        eventually(lambda: "a" in loop.agent.world)
    assert loop.agent.world["a"].color == "red"
    assert loop.reason("a") == Reason.ROLLED_BACK
