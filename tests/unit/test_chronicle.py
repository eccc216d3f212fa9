"""What the loop writes into the history: for edits, drift, failures, and what overtakes what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from threading import Event as Flag
from threading import Thread

import pytest

from controller.engine.agent import Context, Done, Health, Step
from controller.engine.history import Ending, Entry, Kept, Result, Text
from controller.engine.manager import Manager
from controller.engine.requests import Cause, Request
from controller.engine.revision import Revision
from controller.engine.stores import NotKept
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Action
from tests.unit.test_running import FedSource, WatchedAgent, eventually
from tests.unit.world import Gadget, Loop, Thing, declare, gadget


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: Gadget)


class Written:
    """Files whose text is what they declare."""

    def changed(self, revision: Revision, known: Mapping[str, Kept]) -> Sequence[Text]:
        texts = []
        for file, documents in revision.documents.items():
            content = " ".join(declared.digest for declared in documents).encode()
            digest = blake2b(content, digest_size=16).digest()
            if known.get(file) != Kept(digest, True):
                texts.append(Text(file, digest, content))
        return texts

    def commit(self) -> str:
        return ""

    def dirty(self) -> bool | None:
        return None


@pytest.fixture
def loop() -> Loop:
    made = Loop(WatchedAgent())
    made.parts = replace(made.parts, texts=Written())
    return made


def key(name: str) -> Key:
    return Key("Gadget", "default", name)


@contextmanager
def running(loop: Loop, *first: Gadget) -> Iterator[tuple[FedSource, Manager]]:
    source, stop, manager = FedSource(), Flag(), Manager(loop.parts)
    if first:
        source.revisions.put(declare(*first))
    thread = Thread(target=manager.run, args=(source, stop, ()))
    thread.start()
    try:
        yield source, manager
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "the controller did not end"


def entries(loop: Loop) -> list[Entry]:
    """Oldest first."""
    return list(loop.stores.history.entries(limit=1000))[::-1]


def story(loop: Loop) -> list[tuple[Cause, Ending, dict[str, Result]]]:
    return [(e.cause, e.ending, {deed.key.name: deed.result for deed in e.deeds}) for e in entries(loop)]


def came_about(loop: Loop, *wanted: tuple[Cause, Ending, dict[str, Result]]) -> None:
    eventually(lambda: story(loop) == list(wanted))


class Held:
    """Keeps the changes of some gadgets from ending until it is told. `began`: all of them have begun."""

    def __init__(self, loop: Loop, *names: str) -> None:
        self.began, self.go = Flag(), Flag()
        agent = loop.agent
        make, begun = agent._make, set()

        def slowly(step: Step[Gadget, Thing], verb: str) -> Done:
            if step.key.name in names and not self.go.is_set():
                begun.add(step.key.name)
                if begun == {*names}:
                    self.began.set()
                assert self.go.wait(10)
            return make(step, verb)

        agent._make = slowly  # type: ignore[method-assign]


def test_each_edit_is_an_entry_and_a_start_where_all_is_applied_is_none(loop: Loop) -> None:
    with running(loop, gadget("a", color="red"), gadget("b")) as (source, _):
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE, "b": Result.DONE}))
        source.revisions.put(declare(gadget("a", color="blue"), gadget("b")))
        eventually(lambda: len(entries(loop)) == 2 and entries(loop)[1].ending is Ending.CONVERGED)
    [deed] = entries(loop)[1].deeds
    assert (deed.key, deed.action, deed.fields) == (key("a"), Action.UPDATE, ("color",))
    with running(loop, gadget("a", color="blue"), gadget("b")):
        eventually(lambda: len(loop.agent.looks) > 4)
    assert len(entries(loop)) == 2
    assert entries(loop)[0].user == "controller"


def test_the_entry_is_there_before_the_first_change(loop: Loop) -> None:
    held = Held(loop, "a")
    with running(loop, gadget("a")):
        assert held.began.wait(10)
        assert story(loop) == [(Cause.EDIT, Ending.OPEN, {})]
        assert loop.agent.world == {}
        held.go.set()
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}))


def test_where_the_entry_cannot_be_kept_nothing_is_changed(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, refused = loop.stores.history.open, []

    def full(entry: Entry, texts: Sequence[Text]) -> int:
        refused.append(entry)
        raise NotKept("cannot write: the disk is full")

    monkeypatch.setattr(type(loop.stores.history), "open", lambda self, *given: full(*given))
    with running(loop, gadget("a")):
        eventually(lambda: len(refused) > 1)
        assert loop.agent.world == {}
        monkeypatch.setattr(type(loop.stores.history), "open", lambda self, *given: opened(*given))
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}))
    assert loop.stores.history.tree("/desired").keys() == {"/desired/all.yaml"}


def test_what_a_newer_revision_wants_otherwise_is_superseded_and_the_rest_goes_on(loop: Loop) -> None:
    held = Held(loop, "a", "b")
    with running(loop, gadget("a", color="red"), gadget("b", color="red")) as (source, _):
        assert held.began.wait(10)
        source.revisions.put(declare(gadget("a", color="blue"), gadget("b", color="red")))
        eventually(lambda: len(entries(loop)) == 2)
        held.go.set()
        came_about(
            loop,
            (Cause.EDIT, Ending.SUPERSEDED, {"a": Result.SUPERSEDED, "b": Result.DONE}),
            (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}),
        )
    assert loop.agent.world["a"].color == "blue"


def test_a_flapping_thing_is_one_entry_with_a_count(loop: Loop) -> None:
    assert isinstance(loop.agent, WatchedAgent)
    with running(loop, gadget("a", color="red")):
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}))
        for count in range(1, 4):
            loop.agent.world["a"].color = "pink"
            loop.agent.hints.put(key("a"))
            eventually(lambda count=count: sum(e.count for e in entries(loop)[1:]) == count)  # type: ignore
            eventually(lambda: entries(loop)[-1].ending is Ending.CONVERGED)
            assert len(entries(loop)) <= 3
        del loop.agent.world["a"]
        loop.agent.hints.put(key("a"))
        eventually(lambda: entries(loop)[-1].deeds[0].action is Action.CREATE)
    assert [(e.cause, e.count) for e in entries(loop)] == [(Cause.EDIT, 1), (Cause.DRIFT, 3), (Cause.DRIFT, 1)]


def test_what_drifts_together_is_one_entry(loop: Loop) -> None:
    assert isinstance(loop.agent, WatchedAgent)
    names = [f"g{number}" for number in range(5)]
    with running(loop, *[gadget(name) for name in names]):
        eventually(lambda: set(loop.agent.world) == set(names))
        eventually(lambda: entries(loop)[0].ending is Ending.CONVERGED)
        loop.agent.world.clear()
        for name in names:
            loop.agent.hints.put(key(name))
        came_about(
            loop,
            (Cause.EDIT, Ending.CONVERGED, dict.fromkeys(names, Result.DONE)),
            (Cause.DRIFT, Ending.CONVERGED, dict.fromkeys(names, Result.DONE)),
        )


def test_a_failed_edit_that_comes_right_by_itself_is_converged_after_all(loop: Loop) -> None:
    loop.agent.unreachable = True
    with running(loop, gadget("a")):
        eventually(lambda: loop.reason("a") == Reason.AGENT_UNAVAILABLE)
        eventually(lambda: "cannot reach the gadgets" in entries(loop)[0].message)
        assert entries(loop)[0].ending is Ending.OPEN
        loop.agent.unreachable = False
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}))
    assert entries(loop)[0].message == ""


def test_what_is_refused_fails_with_the_reason_and_what_waits_for_it_keeps_nothing_open(loop: Loop) -> None:
    loop.agent.refused["base"] = "no clay left"
    with running(loop, gadget("base"), gadget("app", dependsOn=["Gadget/base"])) as (source, _):
        eventually(lambda: [e.ending for e in entries(loop)] == [Ending.FAILED])
        assert entries(loop)[0].message == "Gadget/base: Refused: no clay left"
        del loop.agent.refused["base"]
        source.revisions.put(declare(gadget("base", size=1), gadget("app", dependsOn=["Gadget/base"])))
        eventually(lambda: set(loop.agent.world) == {"base", "app"})
        eventually(lambda: len(entries(loop)) == 2 and entries(loop)[1].ending is Ending.CONVERGED)
        eventually(lambda: {d.key.name: d.result for d in entries(loop)[0].deeds}.get("app") is Result.DONE)
    assert entries(loop)[0].ending is Ending.FAILED, "what it wanted of base never came about"


def test_what_is_not_ready_yet_keeps_its_entry_open_and_a_stop_says_so(loop: Loop) -> None:
    loop.agent.unhealthy["a"] = Health(ready=False, reason="Starting", message="not yet", again=60)
    with running(loop, gadget("a")):
        eventually(lambda: loop.reason("a") == "Starting")
        came_about(loop, (Cause.EDIT, Ending.OPEN, {"a": Result.BEGUN}))
    assert (entries(loop)[0].ending, entries(loop)[0].message) == (Ending.INTERRUPTED, "the controller was stopped")


def test_who_asked_is_written_down(loop: Loop) -> None:
    ada = Request("ada", "p2 rollback 1", Cause.ROLLBACK, revision=1)
    with running(loop, gadget("a", color="red")) as (source, _):
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}))
        with loop.parts.requests.lent(ada, [key("a")]):
            source.revisions.put(declare(gadget("a", color="blue")))
            eventually(lambda: len(entries(loop)) == 2)
    found = entries(loop)[1]
    assert (found.user, found.command, found.cause, found.restored) == ("ada", "p2 rollback 1", Cause.ROLLBACK, 1)


def test_an_edit_that_only_touches_the_files_is_an_entry_too(loop: Loop) -> None:
    with running(loop, gadget("a", color="red")) as (source, manager):
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}))
        source.revisions.put(declare(file="/desired/empty.yaml"))
        del manager
        eventually(lambda: len(entries(loop)) == 2)


def test_a_change_that_was_dropped_for_a_newer_edit_leaves_no_trace_of_its_own(loop: Loop) -> None:
    calls: list[Callable[[], None]] = []
    observe = loop.agent.observe

    def edited_while_looked_at(resources: Sequence[Gadget], ctx: Context) -> object:
        seen = observe(resources, ctx)
        if calls:
            calls.pop()()
        return seen

    with running(loop, gadget("a", color="red")) as (source, _):
        came_about(loop, (Cause.EDIT, Ending.CONVERGED, {"a": Result.DONE}))
        loop.agent.observe = edited_while_looked_at  # type: ignore[method-assign,assignment]
        calls.append(lambda: source.revisions.put(declare(gadget("a", color="green"))))
        source.revisions.put(declare(gadget("a", color="blue")))
        eventually(lambda: loop.agent.world["a"].color == "green")
        eventually(lambda: entries(loop)[-1].ending is Ending.CONVERGED)
    assert {e.ending for e in entries(loop)} <= {Ending.CONVERGED, Ending.SUPERSEDED}
    assert all(deed.result is not Result.BEGUN for e in entries(loop) for deed in e.deeds)
