"""What must not happen when things come at awkward moments: between a look and its end, while steps wait, after a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from controller.engine.agent import Context, Done, Mark, Retry, Seen, Step
from controller.engine.manager import Manager
from controller.engine.passes import Verdict
from controller.engine.queue import Priority, Queue
from controller.engine.revision import Revision
from resources.conditions import Reason
from resources.meta import Key
from tests.unit.test_queue import Ticker, taken
from tests.unit.world import Gadget, GadgetAgent, Loop, Thing, declare, gadget


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: Gadget)


@pytest.fixture
def loop() -> Loop:
    return Loop()


def key(name: str) -> Key:
    return Key("Gadget", "default", name)


def generation(loop: Loop, name: str) -> int:
    entry = loop.index.find(key(name))
    assert entry is not None
    return entry.generation


# -- refusals and backoff --------------------------------------------------------------------------------------------


def test_a_refused_change_is_not_tried_again_until_something_else_is_asked(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    loop.agent.refused["a"] = "cannot paint a: no blue left"
    loop.take(declare(gadget("a", color="blue")))
    manager, tries = Manager(loop.parts), []
    loop.agent.update = lambda step, ctx: tries.append(step) or loop.agent._make(step, "update")  # type: ignore
    for _ in range(5):
        passes = manager.reconciler.look([key("a")], loop.parts.context)
        work = [each for each in passes if each.verdict is Verdict.WORK]
        if work:
            manager.reconciler.carry_out(work, loop.parts.context)
    assert len(tries) == 1
    assert passes[0].verdict is Verdict.STALLED and passes[0].message == "cannot paint a: no blue left"
    del loop.agent.refused["a"]
    loop.take(declare(gadget("a", color="green")))
    [each] = manager.reconciler.look([key("a")], loop.parts.context)
    assert each.verdict is Verdict.WORK, "another edit is worth a try"


def test_hints_do_not_cut_a_backoff_short_and_edits_do() -> None:
    clock = Ticker()
    queue = Queue(clock, chance=lambda: 1.0)
    queue.back_off(key("a"))
    queue.add("x", key("a"), Priority.RETRY, queue.back_off(key("a")))
    queue.add("x", key("a"), Priority.DRIFT)
    assert taken(queue) == []
    clock.now = 2.1
    assert taken(queue) == [key("a")]
    queue.done("x", key("a"))
    queue.back_off(key("a"))
    queue.add("x", key("a"), Priority.EDIT)
    assert taken(queue) == [key("a")]


def test_a_difference_that_was_put_right_by_hand_is_forgotten(loop: Loop) -> None:
    loop.agent.lies.add("a")
    loop.take(declare(gadget("a", color="red")))
    manager, context = Manager(loop.parts), loop.parts.context

    def look_and_work() -> Verdict:
        [each] = manager.reconciler.look([key("a")], context)
        if each.verdict is Verdict.WORK:
            manager.reconciler.carry_out([each], context)
        return each.verdict

    assert [look_and_work() for _ in range(4)][-1] is Verdict.STALLED
    loop.agent.world["a"].color = "red"
    assert look_and_work() is Verdict.READY
    loop.agent.lies.clear()
    loop.agent.world["a"].color = "pink"
    assert look_and_work() is Verdict.WORK
    assert loop.agent.world["a"].color == "red"


# -- edits at awkward moments ----------------------------------------------------------------------------------------


def test_an_edit_that_comes_during_a_look_is_not_taken_for_applied() -> None:
    class Slow(GadgetAgent):
        def observe(self, resources: Sequence[Gadget], ctx: Context) -> Mapping[Key, Seen[Thing]]:
            seen = super().observe(resources, ctx)
            if self.log and len(self.looks) == 3:
                loop.take(declare(gadget("a", color="red")))
            return seen

    loop = Loop(Slow())
    loop.apply(gadget("a", color="red", size=3))
    loop.converge()
    assert loop.index.find(key("a")).resource.spec.size is None  # type: ignore[union-attr]
    loop.converge()
    assert loop.agent.world["a"].size is None, "the field that was dropped meanwhile is dropped"


def test_a_step_that_waited_while_its_resource_was_edited_is_not_carried_out(loop: Loop) -> None:
    loop.take(declare(gadget("a", color="red")))
    reconciler = Manager(loop.parts).reconciler
    planned = reconciler.look([key("a")], loop.parts.context)
    loop.take(declare(gadget("a", color="blue")))
    [after] = reconciler.carry_out(planned, loop.parts.context)
    assert after.verdict is Verdict.AGAIN and loop.agent.world == {}


def test_a_deletion_that_waited_while_its_resource_came_back_is_not_carried_out(loop: Loop) -> None:
    loop.apply(gadget("a"), gadget("b"))
    loop.take(declare(gadget("a")))
    manager = Manager(loop.parts)
    manager.reconciler.prune(manager.pruner.decide()[0])
    planned = manager.reconciler.look([key("b")], loop.parts.context)
    assert planned[0].verdict is Verdict.WORK
    loop.take(declare(gadget("a"), gadget("b")))
    manager.reconciler.carry_out(planned, loop.parts.context)
    assert set(loop.agent.world) == {"a", "b"}


def test_a_step_that_waited_while_its_resource_was_suspended_is_not_carried_out(loop: Loop) -> None:
    loop.take(declare(gadget("a")))
    reconciler = Manager(loop.parts).reconciler
    planned = reconciler.look([key("a")], loop.parts.context)
    loop.stores.overrides.suspend([key("a")])
    reconciler.carry_out(planned, loop.parts.context)
    assert loop.agent.world == {}


def test_every_desired_state_has_a_generation_of_its_own(loop: Loop) -> None:
    seen = []
    for color in ("red", "blue", "red", "green"):
        loop.take(declare(gadget("a", color=color)))
        seen.append(generation(loop, "a"))
    assert seen == sorted(set(seen))


def test_a_claim_is_kept_through_an_edit_of_something_else(loop: Loop) -> None:
    loop.apply(gadget("a", slot="1"), gadget("b", slot="1"))
    loop.apply(gadget("a", slot="1", color="red"), gadget("b", slot="1"))
    assert set(loop.agent.world) == {"a"} and loop.reason("b") == Reason.CLAIMED


def test_all_of_a_cycle_is_told(loop: Loop) -> None:
    ring = {"a": "d", "b": "a", "c": "b", "d": "c"}
    loop.apply(*(gadget(n, dependsOn=[f"Gadget/{on}"]) for n, on in ring.items() if n != "a"), gadget("a"))
    loop.apply(*(gadget(n, dependsOn=[f"Gadget/{on}"]) for n, on in ring.items()))
    assert {loop.reason(name) for name in ring} == {Reason.DEPENDENCY_CYCLE}


# -- whose it is -----------------------------------------------------------------------------------------------------


def test_an_adoption_that_failed_half_way_has_made_nothing_ours(loop: Loop) -> None:
    loop.agent.world["a"] = Thing("old", 1, None, 99)
    plans = []

    def fail(step: Step[Gadget, Thing], ctx: Context) -> Done:
        plans.append(step.plan.action.value)
        raise Retry("NoSpace", "cannot put the old one aside")

    loop.agent.adopt = fail  # type: ignore[method-assign]
    loop.apply(gadget("a", color="red", adopt=True), gadget("b"), timeout=3)
    assert set(plans) == {"adopt"}, "not an update of what is not ours yet"
    loop.apply(gadget("b"))
    assert loop.agent.world["a"].color == "old", "and it is not deleted with its resource"


def test_an_adopted_thing_that_carries_another_mark_is_adopted_once(loop: Loop) -> None:
    loop.agent.world["a"] = Thing("red", 1, Mark(key("other"), "elsewhere", 1), 99)
    loop.agent.adopt = lambda step, ctx: loop.agent.log.append("adopt") or Done(step.seen.handle)  # type: ignore
    loop.apply(gadget("a", color="red", adopt=True))
    loop.converge()
    assert loop.agent.log == ["adopt"] and loop.reason("a") == Reason.CONVERGED


def test_a_record_that_can_no_longer_be_read_stops_only_its_own_resource(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"), gadget("b", color="red"), gadget("c"))
    for name in ("a", "c"):
        record = loop.stores.inventory.find(key(name))
        assert record is not None
        loop.stores.inventory.confirm([replace(record, applied='{"spec": {"gone": 1}}')])
    loop.apply(gadget("a", color="blue"), gadget("b", color="blue"))
    assert {name: thing.color for name, thing in loop.agent.world.items()} == {"a": "blue", "b": "blue", "c": None}
    assert "remove it by hand" in loop.message("c")


def test_a_file_applied_by_itself_becomes_part_of_the_directory_it_lies_in(loop: Loop) -> None:
    part = Loop(loop.agent, loop.stores, source="/desired/all.yaml")
    part.apply(gadget("a", color="red"))
    assert loop.apply(gadget("a", color="red"), gadget("b"))
    assert loop.agent.log == ["create a", "create b"] and loop.reason("a") == Reason.CONVERGED


def test_an_edit_beside_a_key_declared_twice_does_not_put_the_other_one_in_force(loop: Loop) -> None:
    loop.take(declare(gadget("a", color="red"), gadget("b"), file="/desired/one.yaml"))
    second = declare(gadget("a", color="blue"), file="/desired/two.yaml").documents
    loop.take(Revision(second, whole=False))
    edited = declare(gadget("a", color="red"), gadget("b", color="red"), file="/desired/one.yaml").documents
    edits = loop.take(Revision(edited, whole=False))
    assert [key.name for key in edits.edited] == ["b"]
    entry = loop.index.find(Key("Gadget", "default", "a"))
    assert entry is not None
    assert entry.declared.origin.file == "/desired/one.yaml"
