"""Stories of the loop on a small world: what is declared comes to be, stays so, and goes; nothing else is touched.

They end on the state of the world, and steady ones look again and see that nothing moves.
"""

from __future__ import annotations

from pathlib import Path
from threading import Event as Flag

import pytest

import resources.kinds
from controller.engine.agent import Done, Health, Mark, Seen, Step
from controller.engine.errand import Errand
from controller.engine.manager import Manager
from controller.engine.prune import Pruning
from controller.engine.revision import Condition, Revision
from controller.wiring.preview import preview_of
from resources.conditions import Reason
from resources.meta import DeletionPolicy, DriftPolicy, Key, Problem
from resources.plan import Action, Plan
from tests.unit.test_running import eventually
from tests.unit.world import Gadget, GadgetAgent, Loop, Thing, Vault, declare, gadget

NONE = Pruning(frozenset(), ())


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"Gadget": Gadget, "Vault": Vault}
    monkeypatch.setattr(
        "controller.engine.ledger.model_of", lambda kind: known.get(kind) or resources.kinds.model_of(kind)
    )


@pytest.fixture
def loop() -> Loop:
    return Loop()


def key(name: str, kind: str = "Gadget") -> Key:
    return Key(kind, "default", name)


def colors(loop: Loop) -> dict[str, str | None]:
    return {name: thing.color for name, thing in loop.agent.world.items()}


def test_what_is_declared_comes_to_be_and_then_nothing_moves(loop: Loop) -> None:
    assert loop.apply(gadget("a", color="red"), gadget("b", color="blue"))
    assert colors(loop) == {"a": "red", "b": "blue"}
    assert loop.reason("a") == Reason.CONVERGED
    done = list(loop.agent.log)
    assert loop.converge()
    assert loop.agent.log == done


def test_an_edit_updates_only_what_was_edited(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"), gadget("b", color="blue"))
    loop.apply(gadget("a", color="green"), gadget("b", color="blue"))
    assert colors(loop) == {"a": "green", "b": "blue"}
    assert loop.agent.log[2:] == ["update a"]


def test_drift_is_corrected_and_a_removed_thing_made_again(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"), gadget("b", color="blue"))
    loop.agent.world["a"].color = "pink"
    del loop.agent.world["b"]
    assert loop.converge()
    assert colors(loop) == {"a": "red", "b": "blue"}


def test_drift_is_only_reported_when_the_policy_says_so(loop: Loop) -> None:
    quiet = gadget("a", color="red", driftPolicy=DriftPolicy.REPORT)
    loop.apply(quiet)
    loop.agent.world["a"].color = "pink"
    assert loop.converge()
    assert colors(loop) == {"a": "pink"}
    assert loop.reason("a") == Reason.DRIFTED
    loop.apply(gadget("a", color="green", driftPolicy=DriftPolicy.REPORT))
    assert colors(loop) == {"a": "green"}, "an edit is applied all the same"


def test_a_dropped_field_goes_back_to_nothing(loop: Loop) -> None:
    loop.apply(gadget("a", color="red", size=3))
    loop.apply(gadget("a", color="red"))
    assert loop.agent.world["a"].size is None


def test_a_field_never_declared_is_left_alone(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    loop.agent.world["a"].size = 7
    loop.converge()
    assert loop.agent.world["a"].size == 7


def test_what_has_left_the_desired_state_is_deleted_and_forgotten(loop: Loop) -> None:
    loop.apply(gadget("a"), gadget("b"))
    loop.apply(gadget("a"))
    assert set(loop.agent.world) == {"a"}
    assert loop.stores.inventory.find(key("b")) is None


def test_deletes_run_dependents_first(loop: Loop) -> None:
    loop.apply(gadget("base"), gadget("app", dependsOn=["Gadget/base"]), gadget("other"))
    loop.apply(gadget("other"))
    assert loop.agent.log[-2:] == ["delete app", "delete base"]


def test_dependencies_are_made_first_and_dependents_wait_until_they_are_ready(loop: Loop) -> None:
    loop.agent.unhealthy["base"] = Health(ready=False, reason="Starting", message="not yet", again=30)
    assert not loop.apply(gadget("app", dependsOn=["Gadget/base"]), gadget("base"), timeout=0.5)
    assert set(loop.agent.world) == {"base"}
    assert loop.reason("app") == Reason.DEPENDENCY_NOT_READY
    loop.agent.unhealthy.clear()
    assert loop.converge()
    assert loop.agent.log == ["create base", "create app"]


def test_what_cannot_be_made_yet_is_made_once_its_dependency_is_there(loop: Loop) -> None:
    loop.agent.needs["app"] = "base"
    both = gadget("app", dependsOn=["Gadget/base"]), gadget("base")
    loop.take(declare(*both))
    preview, _ = preview_of(loop.parts, Manager(loop.parts).reconciler, [key("app"), key("base")], NONE)
    assert ([plan.key.name for plan in preview.plans], dict(preview.failures)) == (["base", "app"], {})
    assert loop.apply(*both)
    assert loop.agent.log == ["create base", "create app"]


def test_what_was_missing_is_looked_for_again_when_its_dependency_was_healed(loop: Loop, tmp_path: Path) -> None:
    loop.agent.needs["app"] = "base"
    both = gadget("app", dependsOn=["Gadget/base"], directory=str(tmp_path)), gadget("base")
    assert loop.apply(*both)
    loop.agent.world.clear()
    assert loop.converge()
    assert loop.agent.log[2:] == ["create base", "create app"]


def test_what_cannot_be_made_although_its_dependencies_are_there_stalls_and_is_seen_before(loop: Loop) -> None:
    loop.agent.needs["app"] = "elsewhere"
    assert loop.apply(gadget("base"))
    both = gadget("app", dependsOn=["Gadget/base"]), gadget("base")
    loop.take(declare(*both))
    for keys in ([key("app"), key("base")], [key("app")]):
        preview, _ = preview_of(loop.parts, Manager(loop.parts).reconciler, keys, NONE)
        assert (preview.plans, preview.failures[key("app")].reason) == ((), "Lacking")
    loop.apply(*both)
    assert (set(loop.agent.world), loop.reason("app")) == ({"base"}, "Lacking")


def test_a_dependency_that_is_not_ready_never_stops_healing(loop: Loop) -> None:
    loop.apply(gadget("app", color="red", dependsOn=["Gadget/base"]), gadget("base"))
    loop.agent.unhealthy["base"] = Health(ready=False, message="ill", stalled=True)
    del loop.agent.world["app"]
    loop.converge()
    assert "app" in loop.agent.world


def test_a_missing_dependency_and_a_cycle_stall_with_the_way_out(loop: Loop) -> None:
    loop.apply(
        gadget("a", dependsOn=["Gadget/nowhere"]),
        gadget("b", dependsOn=["Gadget/c"]),
        gadget("c", dependsOn=["Gadget/b"]),
    )
    assert loop.agent.world == {}
    assert loop.reason("a") == Reason.DEPENDENCY_MISSING and "Gadget/nowhere" in loop.message("a")
    assert "Gadget/b -> Gadget/c -> Gadget/b" in loop.message("b")


def test_of_two_claimants_the_older_keeps_the_thing(loop: Loop) -> None:
    loop.apply(gadget("a", slot="1"))
    loop.apply(gadget("a", slot="1"), gadget("b", slot="1"))
    assert set(loop.agent.world) == {"a"}
    assert loop.reason("b") == Reason.CLAIMED and "Gadget/a" in loop.message("b")
    loop.apply(gadget("b", slot="1"))
    assert set(loop.agent.world) == {"b"}


def test_a_strangers_thing_is_left_alone_until_adopted(loop: Loop) -> None:
    loop.agent.world["a"] = Thing("old", 1, None, 99)
    loop.apply(gadget("a", color="red"))
    assert colors(loop) == {"a": "old"} and loop.reason("a") == Reason.NOT_OWNED
    assert "adopt: true" in loop.message("a")
    loop.apply(gadget("a", color="red", adopt=True))
    assert colors(loop) == {"a": "red"} and loop.reason("a") == Reason.CONVERGED


def test_a_thing_of_another_installation_is_a_strangers(loop: Loop) -> None:
    loop.agent.world["a"] = Thing("old", 1, Mark(key("a"), "elsewhere", 1), 99)
    loop.apply(gadget("a", color="red"))
    assert loop.reason("a") == Reason.NOT_OWNED and "elsewhere" in loop.message("a")


def test_our_own_thing_is_known_by_its_mark_when_the_inventory_is_lost(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    again = Loop(loop.agent)
    assert again.apply(gadget("a", color="red"))
    assert loop.agent.log == ["create a"]


def test_a_suspended_resource_is_looked_at_and_not_changed(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    loop.stores.overrides.suspend([key("a")])
    loop.apply(gadget("a", color="green"))
    assert colors(loop) == {"a": "red"} and loop.reason("a") == Reason.SUSPENDED
    loop.stores.overrides.resume([key("a")])
    loop.converge()
    assert colors(loop) == {"a": "green"}


def test_retained_things_stay_even_when_the_protecting_file_is_deleted(loop: Loop) -> None:
    loop.apply(gadget("a", deletionPolicy=DeletionPolicy.RETAIN), gadget("b"))
    loop.apply(gadget("b"))
    assert set(loop.agent.world) == {"a", "b"} and loop.reason("a") == Reason.RETAINED


def test_protection_is_written_down_even_while_the_resource_cannot_be_applied(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"), gadget("b"))
    loop.agent.refused["a"] = "no"
    loop.apply(gadget("a", color="red", size=1, deletionPolicy=DeletionPolicy.RETAIN), gadget("b"))
    loop.apply(gadget("b"))
    assert "a" in loop.agent.world


def test_a_broken_file_keeps_its_last_good_documents_and_holds_all_deletions(loop: Loop) -> None:
    loop.take(declare(gadget("a", color="red"), file="/desired/a.yaml"))
    both = {**declare(gadget("a", color="red"), file="/desired/a.yaml").documents}
    both |= declare(gadget("b"), file="/desired/b.yaml").documents
    loop.take(Revision(both))
    loop.converge()
    problem = Problem("/desired/a.yaml", "cannot read it")
    loop.take(Revision({}, problems={"/desired/a.yaml": (problem,)}))
    loop.agent.world["a"].color = "pink"
    loop.converge()
    assert colors(loop) == {"a": "red", "b": None}, "healed by its last good version, and b is held"
    assert loop.reason("a") == Reason.SOURCE_INVALID and "cannot read it" in loop.message("a")
    assert loop.reason("b") == Reason.SOURCE_INVALID
    loop.take(declare(gadget("a", color="red"), file="/desired/a.yaml"))
    loop.converge()
    assert set(loop.agent.world) == {"a"}


def test_with_keep_going_the_good_documents_of_a_broken_file_count(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"), gadget("b", color="red"))
    file = "/desired/all.yaml"
    good = declare(gadget("b", color="blue")).documents[file]
    broken = Revision({}, problems={file: (Problem(file, "cannot read a"),)}, partial={file: good})
    loop.index.take(broken, partly=True)
    loop.converge()
    assert colors(loop) == {"a": "red", "b": "blue"}


def test_an_empty_source_deletes_nothing(loop: Loop) -> None:
    loop.apply(gadget("a"))
    loop.take(Revision({}, condition=Condition.EMPTY, message="no YAML files in /desired"))
    loop.converge()
    assert "a" in loop.agent.world


def test_a_resource_that_moved_to_another_file_is_the_same(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    loop.take(declare(gadget("a", color="red"), file="/desired/elsewhere.yaml"))
    loop.converge()
    assert loop.agent.log == ["create a"]
    record = loop.stores.inventory.find(key("a"))
    assert record is not None and record.file == "/desired/elsewhere.yaml"


class Strict(GadgetAgent):
    """Can't change what there is."""

    def diff(self, desired, last, observed):  # type: ignore[no-untyped-def]
        plan = super().diff(desired, last, observed)
        return Plan(plan.key, Action.REPLACE, plan.changes) if plan.action is Action.UPDATE else plan

    def replace(self, step, ctx):  # type: ignore[no-untyped-def]
        return self._make(step, "replace")


def test_a_thing_that_holds_data_is_not_replaced_until_confirmed() -> None:
    loop = Loop(Strict())
    loop.apply(gadget("v", Vault, color="red"))
    loop.apply(gadget("v", Vault, color="blue"))
    assert colors(loop) == {"v": "red"} and loop.reason("v", "Vault") == Reason.IMMUTABLE
    loop.stores.overrides.confirm([key("v", "Vault")])
    loop.converge()
    assert colors(loop) == {"v": "blue"}
    assert not loop.stores.overrides.confirmed(), "a confirmation serves once"


def test_a_spec_that_was_taken_back_keeps_its_generation_when_it_is_read_anew() -> None:
    loop = Loop(Strict())
    loop.apply(gadget("v", Vault, color="red"))
    loop.apply(gadget("v", Vault, color="red", suspend=True))
    loop.agent.world["v"].color = "green"
    loop.apply(gadget("v", Vault, color="red"))
    assert loop.reason("v", "Vault") == Reason.IMMUTABLE
    status = loop.stores.statuses.find(key("v", "Vault"))
    reread = Loop(loop.agent, loop.stores)
    reread.take(declare(gadget("v", Vault, color="red")))
    entry = reread.index.find(key("v", "Vault"))
    assert entry is not None
    assert status is not None
    assert (entry.generation, status.generation) == (3, 3)


def test_an_adoption_that_loses_data_waits_for_a_confirmation() -> None:
    class Lossy(GadgetAgent):
        def diff(self, desired, last, observed):  # type: ignore[no-untyped-def]
            plan = super().diff(desired, last, observed)
            lossy = plan.action is Action.UPDATE
            return Plan(plan.key, Action.REPLACE, plan.changes, loses_data=True) if lossy else plan

    loop = Loop(Lossy(world={"v": Thing(color="red", size=None, mark=None, serial=9)}))
    loop.apply(gadget("v", Vault, color="blue", adopt=True))
    assert colors(loop) == {"v": "red"} and loop.reason("v", "Vault") == Reason.IMMUTABLE
    loop.stores.overrides.confirm([key("v", "Vault")])
    loop.converge()
    assert colors(loop) == {"v": "blue"}


def test_what_an_apply_cannot_make_equal_stalls_and_names_the_field(loop: Loop) -> None:
    loop.agent.lies.add("a")
    loop.apply(gadget("a", color="red"))
    assert loop.reason("a") == Reason.DIFF_PERSISTS
    assert 'color is "gray", not "red"' in loop.message("a")
    assert loop.agent.log.count("create a") + loop.agent.log.count("update a") == 3


def test_a_thing_that_does_not_last_is_not_ready_because_it_was_seen_in_a_good_moment(loop: Loop) -> None:
    """A program that exits at once may be seen running."""
    make, seen = loop.agent._make, loop.agent._seen
    made: list[str] = []

    def falls_over(step: Step[Gadget, Thing], verb: str) -> Done:
        made.append(verb)
        done = make(step, verb)
        if len(made) != 2:
            loop.agent.world["a"].color = "gray"
        return done

    def looked_at(resource: Gadget) -> Seen[Thing]:
        found = seen(resource)
        if len(made) == 2 and "a" in loop.agent.world:
            loop.agent.world["a"].color = "gray"  # right after it was seen
        return found

    loop.agent._make, loop.agent._seen = falls_over, looked_at  # type: ignore[method-assign]
    loop.apply(gadget("a", color="red"))
    assert len(made) > 2
    assert loop.reason("a") == Reason.DIFF_PERSISTS


def test_a_command_about_some_makes_nothing_of_what_is_made_from_them(loop: Loop) -> None:
    """They are only looked at again by whoever is about them, too."""
    loop.agent.rolls_out = True
    loop.take(declare(gadget("a"), gadget("b", dependsOn=["Gadget/a"]), gadget("slow")))
    make = loop.agent._make

    def takes_its_time(step: Step[Gadget, Thing], verb: str) -> Done:
        if step.key.name == "slow":
            Flag().wait(0.3)
        return make(step, verb)

    loop.agent._make = takes_its_time  # type: ignore[method-assign]
    assert Manager(loop.parts).converge(Errand({key("a"), key("slow")}, Flag()), 20.0)
    assert sorted(loop.agent.world) == ["a", "slow"]


def test_what_is_finished_after_a_cancel_counts_as_done(loop: Loop) -> None:
    manager, cancelled = Manager(loop.parts), Flag()
    loop.take(declare(gadget("a"), gadget("b", dependsOn=["Gadget/a"])))
    errand = Errand({*loop.index.entries()}, cancelled)
    make = loop.agent._make

    def slowly(step: Step[Gadget, Thing], verb: str) -> Done:
        cancelled.set()
        eventually(lambda: manager.ended)
        return make(step, verb)

    loop.agent._make = slowly  # type: ignore[method-assign]
    assert not manager.converge(errand, 20)
    assert [plan.key.name for plan in errand.done] == ["a"]
    assert set(loop.agent.world) == {"a"}


def test_a_refusal_of_one_resource_stops_no_other(loop: Loop) -> None:
    loop.agent.refused["a"] = "cannot make a: it is Monday"
    loop.apply(gadget("a"), gadget("b"))
    assert set(loop.agent.world) == {"b"}
    assert (loop.reason("a"), loop.message("a")) == ("Refused", "cannot make a: it is Monday")


def test_an_unreachable_system_is_said_at_once_and_nothing_is_lost(loop: Loop) -> None:
    loop.agent.unreachable = True
    assert loop.apply(gadget("a"), timeout=5)
    assert loop.reason("a") == Reason.AGENT_UNAVAILABLE
    loop.agent.unreachable = False
    loop.converge()
    assert set(loop.agent.world) == {"a"}


def test_children_of_an_expanding_resource_are_made_edited_and_pruned_with_it(loop: Loop) -> None:
    loop.apply(gadget("set", color="red", parts=("x", "y")))
    assert colors(loop) == {"set": "red", "set-x": "red", "set-y": "red"}
    loop.apply(gadget("set", color="blue", parts=("x",)))
    assert colors(loop) == {"set": "blue", "set-x": "blue"}
    loop.apply(gadget("other"))
    assert set(loop.agent.world) == {"other"}


def test_two_hundred_converged_resources_cost_one_look(loop: Loop) -> None:
    many = [gadget(f"g{n}", color="red") for n in range(200)]
    loop.apply(*many)
    loop.agent.looks.clear()
    loop.converge()
    assert loop.agent.looks == [200]


def test_a_key_of_another_living_source_is_refused(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    other = Loop(loop.agent, loop.stores, source="/other")
    other.apply(gadget("a", color="blue"))
    assert colors(loop) == {"a": "red"} and other.reason("a") == Reason.DUPLICATE
    assert "/desired" in other.message("a") and "/other" in other.message("a")
