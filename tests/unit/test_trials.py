"""Edits on trial: one that does not become Ready goes back to what was, and stays so until the next edit.

Pass by pass, on a clock of the tests' own, with a small world in which a color can make a gadget ill.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from controller.engine.agent import Context, Done, Health, Step
from controller.engine.audit import AuditQuery
from controller.engine.clock import Clock
from controller.engine.manager import Manager
from controller.engine.passes import Pass, Verdict
from controller.engine.patience import APPLIES, ASK_AGAIN, HEALS, Patience, Refusal
from controller.engine.revision import Revision
from controller.engine.stores import Record
from controller.engine.trial import SETTLING
from controller.store.stores import open_stores
from resources.conditions import Reason, Status
from resources.meta import Declared, DeletionPolicy, DriftPolicy, Key, Origin
from resources.plan import Action, Disruption, Plan
from tests.unit.world import Gadget, GadgetAgent, Loop, Thing, declare, gadget

A = Key("Gadget", "default", "a")
DEADLINE = 300.0  # seconds: 5m
ILL = Health(False, "Unhealthy", "it is ill")
HOPELESS = Health(False, "Failed", "it has failed", stalled=True)


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: Gadget)


class Times:
    """A clock that stands still until it is told to go on; the one on the wall can be set."""

    def __init__(self) -> None:
        self.now, self.wall = 1000.0, 1_000_000.0

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: self.wall)


class Passes:
    """A controller, driven pass by pass. A new one over the same stores and world is one that was started again."""

    def __init__(self, times: Times, agent: GadgetAgent, stores: Any) -> None:
        self.times, self.agent, self.stores = times, agent, stores
        self.loop = Loop(agent, stores, clock=times.clock())
        self.reconciler = Manager(self.loop.parts).reconciler

    def again(self) -> Passes:
        """As after a crash and a start, of the machine perhaps: monotonic time begins anew, the desired state is the same."""
        self.times.now = 5.0
        started = Passes(self.times, self.agent, self.stores)
        started.loop.take(declare(*self.loop.index.of_kind("Gadget")))  # type: ignore[arg-type]
        return started

    def declare(self, *gadgets: Gadget) -> Pass:
        self.loop.take(declare(*gadgets))
        return self.look()

    def declare_content(self, each: Gadget, digest: str) -> Pass:
        """As if a file that it refers to had another content: the spec is the same, what is desired is not."""
        self.loop.take(Revision({"/desired/all.yaml": (Declared(each, Origin("/desired/all.yaml"), digest),)}))
        return self.look()

    def look(self, after: float = 0.0, key: Key = A) -> Pass:
        """Looks once `after` seconds have passed, and goes on for as long as there is something to be done at once."""
        self.times.go_on(after)
        for _ in range(20):
            each = self._one(key)
            self.loop.parts.board.settle([each])
            if each.verdict is not Verdict.AGAIN and each.after != 0:
                return each
        raise AssertionError("it does not come to rest")

    def _one(self, key: Key) -> Pass:
        ctx = self.loop.parts.context
        each = self.reconciler.look([key], ctx)[0]
        return self.reconciler.carry_out([each], ctx)[0] if each.verdict is Verdict.WORK else each

    def preview(self, key: Key = A) -> Pass:
        return self.reconciler.look([key], self.loop.parts.context, preview=True)[0]

    def good(self, *gadgets: Gadget) -> None:
        """Declares them, and waits until they have proven good."""
        self.declare(*gadgets)
        for each in gadgets:
            self.look(key=each.key)
        self.times.go_on(SETTLING)
        for each in gadgets:
            self.look(key=each.key)

    @property
    def status(self) -> Status:
        status = self.loop.parts.board.status(A)
        assert status is not None
        return status

    @property
    def record(self) -> Record:
        record = self.stores.inventory.find(A)
        assert record is not None
        return record

    @property
    def color(self) -> str | None:
        return self.agent.world["a"].color


@pytest.fixture
def world() -> Iterator[Passes]:
    agent = GadgetAgent(ill={"bad": ILL, "hopeless": HOPELESS})
    yield Passes(Times(), agent, open_stores(None))


def a(color: str, **spec: Any) -> Gadget:
    return gadget("a", color=color, **{"readyTimeout": "5m", **spec})


def rolled_back(world: Passes, **spec: Any) -> Passes:
    world.good(a("red", **spec))
    world.declare(a("bad", **spec))
    world.look(after=DEADLINE)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)
    return world


# -- passing -------------------------------------------------------------------------------------------------------


def test_a_spec_counts_as_good_once_it_has_been_ready_for_a_while(world: Passes) -> None:
    first = world.declare(a("red"))
    assert (first.verdict, first.by) == (Verdict.READY, SETTLING)
    assert world.look(after=SETTLING - 1).by == 1
    assert world.record.good_digest == ""
    assert world.look(after=1).by is None
    assert world.record.good_digest == world.record.digest
    assert (world.record.tried, world.record.tried_at) == ("", 0.0)


def test_a_spec_that_is_interrupted_in_being_ready_begins_anew(world: Passes) -> None:
    world.declare(a("red"))
    world.agent.unhealthy["a"] = ILL
    world.look(after=SETTLING / 2)
    world.agent.unhealthy.clear()
    assert world.look(after=SETTLING / 2).by == SETTLING
    assert world.record.good_digest == ""


def test_a_short_deadline_makes_for_a_short_while(world: Passes) -> None:
    assert world.declare(a("red", readyTimeout="2s")).by == 2


def test_a_kind_without_a_deadline_is_never_on_trial(world: Passes) -> None:
    each = world.declare(a("red", readyTimeout=None))
    assert (each.by, world.record.tried, world.record.good) == (None, "", "")


def test_an_edit_that_becomes_ready_in_time_is_the_good_one_then(world: Passes) -> None:
    world.good(a("red"))
    world.agent.unhealthy["a"] = ILL
    assert world.declare(a("blue")).verdict is Verdict.WAITING
    world.agent.unhealthy.clear()
    assert world.look(after=DEADLINE - 1).verdict is Verdict.READY
    world.look(after=SETTLING)
    assert (world.color, world.record.good_digest) == ("blue", world.record.digest)


def test_what_was_ready_when_nobody_looked_after_it_is_good_when_it_is_edited(world: Passes) -> None:
    """As it is where there is only `p2 apply`, each in a process of its own."""
    world.declare(a("red"))
    world.times.go_on(3600)
    world = world.again()
    world.declare(a("bad"))
    world.look(after=DEADLINE)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)


def test_what_was_ready_and_is_not_any_more_when_it_is_edited_is_not_good(world: Passes) -> None:
    world.declare(a("red"))
    world.times.go_on(3600)
    world.agent.world["a"].color = "pink"
    world = world.again()
    world.declare(a("bad"))
    assert world.record.good_digest == ""


# -- failing -------------------------------------------------------------------------------------------------------


def test_an_edit_that_is_not_ready_in_time_goes_back_and_says_so(world: Passes) -> None:
    world.good(a("red"))
    assert world.declare(a("bad")).by == DEADLINE
    assert world.look(after=DEADLINE - 1).by == 1
    assert world.color == "bad"
    each = world.look(after=1)
    assert world.color == "red"
    assert (each.verdict, world.status.reason) == (Verdict.STALLED, Reason.ROLLED_BACK)
    assert world.status.message == (
        "gave up generation 2 (color): not Ready within 5m (Unhealthy: it is ill); "
        "what was Ready before is in force until the next edit"
    )
    assert world.loop.told.rolled_back_keys == [A]
    told = [event.reason for event in world.stores.events.since() if event.key == A]
    assert told == ["Created", "Converged", "Updated", "Unhealthy", "Updated", "RolledBack"]
    assert [entry.cause for entry in world.stores.audit.entries(AuditQuery())] == ["edit", "edit", "rollback"]


def test_the_time_counts_from_when_the_change_was_made(world: Passes) -> None:
    """Not from its beginning: pulling an image may take longer than becoming Ready."""

    class SlowAgent(GadgetAgent):
        def update(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
            world.times.go_on(1000)
            return super().update(step, ctx)

    world.good(a("red"))
    world.agent.__class__ = SlowAgent
    assert world.declare(a("bad")).by == DEADLINE


def test_an_edit_that_will_not_become_ready_by_itself_goes_back_at_once(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("hopeless"))
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)
    assert "would not become Ready (Failed: it has failed)" in world.status.message


def test_an_edit_that_can_not_be_made_so_goes_back_when_trying_is_over(world: Passes) -> None:
    world.good(a("red"))
    world.agent.lies.add("blue")
    world.declare(a("blue"))
    for _ in range(APPLIES):
        assert world.color == "gray"
        world.look()
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)
    assert "would not become Ready (color not as declared)" in world.status.message


def test_an_edit_that_is_refused_is_given_up_when_its_time_is_over(world: Passes) -> None:
    """Until then it says why: nothing was changed, and what was there goes on."""
    world.good(a("red"))
    world.agent.refused["blue"] = "cannot paint it blue: choose another color"
    world.agent.writes["a"] = "/data"  # it was never made, so nothing was written either
    each = world.declare(a("blue"))
    assert (each.verdict, each.reason, each.by) == (Verdict.STALLED, "Refused", DEADLINE)
    world.look(after=DEADLINE)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)
    assert "cannot paint it blue" in world.status.message
    assert world.agent.log == ["create a"], "there was nothing to take back"


def test_an_edit_that_falls_ill_again_and_again_goes_back(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("blue"))
    for _ in range(int(DEADLINE / 5) + 1):
        world.agent.unhealthy["a"] = ILL
        world.look(after=1)
        world.agent.unhealthy.clear()
        world.look(after=4)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)


def test_an_edit_that_does_not_last_goes_back_and_says_what_was_found(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("blue"))
    for seconds in (*[5] * HEALS, DEADLINE):
        world.agent.world["a"].color = "pink"
        world.look(after=seconds)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)
    assert "not Ready within 5m (color not as declared)" in world.status.message


def test_an_edit_of_an_edit_on_trial_goes_back_to_what_was_good_before_both(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("blue"))
    world.declare(a("bad"))
    world.look(after=DEADLINE)
    assert world.color == "red"


def test_what_is_new_has_nothing_to_go_back_to_and_stalls_when_its_time_is_over(world: Passes) -> None:
    world.declare(a("bad"))
    each = world.look(after=DEADLINE)
    assert (each.verdict, each.reason) == (Verdict.STALLED, Reason.NOT_READY_IN_TIME)
    assert "nothing to go back to" in each.message
    world.agent.ill.clear()
    assert world.look().verdict is Verdict.READY


# -- no way back ---------------------------------------------------------------------------------------------------


def test_what_may_have_written_data_is_not_rolled_back_and_says_why(world: Passes) -> None:
    world.agent.writes["a"] = "/data"
    world.good(a("red"))
    world.declare(a("bad"))
    each = world.look(after=DEADLINE)
    assert (world.color, each.verdict, each.reason) == ("bad", Verdict.STALLED, Reason.NOT_READY_IN_TIME)
    assert each.message == (
        "not Ready within 5m (Unhealthy: it is ill); not rolled back because /data may hold data that the newer "
        "program has changed: set rollback: true, or edit it"
    )
    assert world.look(after=600).message == each.message
    world.agent.ill.clear()
    assert world.look().verdict is Verdict.READY
    world.look(after=SETTLING)
    assert world.record.good_digest == world.record.digest


def test_what_may_have_written_data_is_rolled_back_when_its_owner_says_so(world: Passes) -> None:
    world.agent.writes["a"] = "/data"
    rolled_back(world, rollback=True)


def test_saying_so_afterwards_takes_it_back_as_well(world: Passes) -> None:
    world.agent.writes["a"] = "/data"
    world.good(a("red"))
    world.declare(a("bad"))
    world.look(after=DEADLINE)
    assert world.declare(a("bad", rollback=True)).by == DEADLINE
    world.look(after=DEADLINE)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)


def test_what_is_not_to_be_rolled_back_is_not(world: Passes) -> None:
    world.good(a("red", rollback=False))
    world.declare(a("bad", rollback=False))
    assert world.look(after=DEADLINE).reason == Reason.NOT_READY_IN_TIME
    assert world.color == "bad"


def test_what_the_loop_goes_on_trying_by_itself_does_not_stall(world: Passes) -> None:
    world.good(a("red", rollback=False))
    world.agent.lies.add("blue")
    world.declare(a("blue", rollback=False))
    each = world.look(after=DEADLINE)
    assert each.verdict is Verdict.RETRY
    assert "not rolled back" in each.message


def test_what_another_has_taken_meanwhile_is_not_taken_back(world: Passes) -> None:
    world.good(a("red", slot="7"))
    other = gadget("b", slot="7")
    world.declare(a("bad", slot="8"), other)
    each = world.look(after=DEADLINE)
    assert (world.color, each.reason) == ("bad", Reason.NOT_READY_IN_TIME)
    assert "Gadget/b has slot 7 now" in each.message


def test_what_it_needed_and_is_no_more_is_said(world: Passes) -> None:
    world.good(gadget("b"), a("red", dependsOn=("Gadget/b",)))
    world.look()
    world.look(after=SETTLING)
    world.declare(a("bad"))
    each = world.look(after=DEADLINE)
    assert (world.color, each.reason) == ("bad", Reason.NOT_READY_IN_TIME)
    assert "Gadget/b, which it needed then, is not declared any more" in each.message


def test_what_was_edited_in_a_file_that_it_refers_to_can_not_be_taken_back(world: Passes) -> None:
    world.good(a("red"))
    world.agent.unhealthy["a"] = ILL
    world.declare_content(a("red"), "another digest")
    each = world.look(after=DEADLINE)
    assert (each.reason, world.record.given_up) == (Reason.NOT_READY_IN_TIME, "")
    assert "going back would change nothing of it" in each.message


def test_an_edit_of_the_deadline_alone_is_not_taken_back(world: Passes) -> None:
    world.good(a("red"))
    world.agent.unhealthy["a"] = ILL
    world.declare(a("red", readyTimeout="1m"))
    assert "going back would change nothing of it" in world.look(after=60).message


# -- rolled back ---------------------------------------------------------------------------------------------------


def test_what_was_rolled_back_stays_so_and_nothing_moves(world: Passes) -> None:
    rolled_back(world)
    done, message = list(world.agent.log), world.status.message
    for _ in range(3):
        world.look(after=1000)
    assert (world.agent.log, world.status.message) == (done, message)
    assert (world.status.stalled, world.status.ready) == (True, False)


def test_what_was_rolled_back_is_healed_as_it_was(world: Passes) -> None:
    rolled_back(world)
    del world.agent.world["a"]
    world.look()
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)
    world.agent.world["a"].color = "pink"
    world.look()
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)


def test_what_was_rolled_back_and_is_ill_all_the_same_says_both(world: Passes) -> None:
    rolled_back(world)
    world.agent.unhealthy["a"] = Health(False, "Unhealthy", "its neighbour is away")
    world.look()
    assert world.status.reason == Reason.ROLLED_BACK
    assert world.status.message.endswith("and is not Ready either: Unhealthy: its neighbour is away")


def test_what_was_rolled_back_and_is_just_starting_is_not_called_ill(world: Passes) -> None:
    rolled_back(world)
    message = world.status.message
    world.agent.unhealthy["a"] = Health(False, Reason.PROGRESSING, "waits for its healthcheck", again=1)
    assert world.look().after == 1
    assert (world.status.reason, world.status.message) == (Reason.ROLLED_BACK, message)


def test_what_can_not_be_put_back_says_so_and_is_when_it_can(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.agent.refused["red"] = "cannot find red paint: buy some"
    world.look(after=DEADLINE)
    assert (world.color, world.status.reason) == ("bad", Reason.ROLLED_BACK)
    assert world.status.message.endswith("can't be put back: Refused: cannot find red paint: buy some")
    note = world.preview().plan.notes[0]
    assert note.endswith("what was Ready before is to be put back")
    world.agent.refused.clear()
    world.look(after=ASK_AGAIN)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)


def test_a_refused_way_back_is_tried_again_even_if_it_disturbs(world: Passes) -> None:
    """It disturbs only what has failed."""
    patience, plan = Patience(world.times.clock()), Plan(A, Action.REPLACE, disruption=Disruption.RECREATE)
    patience.refused(A, "digest", plan, Refusal("Refused", "cannot"))
    assert patience.refusal(A, "digest", plan, failed=True)
    world.times.go_on(ASK_AGAIN)
    assert patience.refusal(A, "digest", plan)
    assert patience.refusal(A, "digest", plan, failed=True) is None


def test_the_next_edit_is_tried(world: Passes) -> None:
    rolled_back(world)
    assert world.declare(a("blue")).verdict is Verdict.READY
    assert (world.color, world.status.generation, world.record.given_up) == ("blue", 3, "")


def test_an_edit_back_to_what_is_in_force_is_ready_and_changes_nothing(world: Passes) -> None:
    rolled_back(world)
    done = list(world.agent.log)
    assert world.declare(a("red")).verdict is Verdict.READY
    assert (world.agent.log, world.record.given_up, world.status.generation) == (done, "", 3)
    assert world.again().look().verdict is Verdict.READY


def test_what_was_given_up_is_tried_again_when_it_comes_back_as_an_edit(world: Passes) -> None:
    rolled_back(world)
    world.declare(a("red"))
    world.agent.ill.clear()
    assert world.declare(a("bad")).verdict is Verdict.READY
    assert world.color == "bad"


def test_another_failing_edit_goes_back_to_the_same(world: Passes) -> None:
    rolled_back(world)
    world.declare(a("hopeless"))
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)
    assert "generation 3" in world.status.message


def test_a_restart_changes_nothing_about_it(world: Passes) -> None:
    rolled_back(world)
    before, done = world.status, list(world.agent.log)
    world = world.again()
    assert world.look().verdict is Verdict.STALLED
    after = world.status
    assert (after.generation, after.digest, after.message) == (before.generation, before.digest, before.message)
    assert world.agent.log == done


def test_what_depends_on_it_is_not_edited_meanwhile_but_healed(world: Passes) -> None:
    top = Key("Gadget", "default", "top")
    world.good(a("red"), gadget("top", color="red", dependsOn=("Gadget/a",)))
    world.look(key=top)
    world.declare(a("bad"), gadget("top", color="red", dependsOn=("Gadget/a",)))
    world.look(after=DEADLINE)
    world.declare(a("bad"), gadget("top", color="blue", dependsOn=("Gadget/a",)))
    assert world.look(key=top).reason == Reason.DEPENDENCY_NOT_READY
    world.declare(a("bad"), gadget("top", color="red", dependsOn=("Gadget/a",)))
    del world.agent.world["top"]
    world.look(key=top)
    assert world.agent.world["top"].color == "red"


def test_going_back_does_not_wait_for_what_it_depends_on(world: Passes) -> None:
    base = Key("Gadget", "default", "base")
    needy = {"dependsOn": ("Gadget/base",)}
    world.declare(gadget("base", color="red"), a("red", **needy))
    world.look(key=base)
    world.look()
    world.look(after=SETTLING)
    world.declare(gadget("base", color="red"), a("bad", **needy))
    world.agent.unhealthy["base"] = ILL
    world.look(key=base)
    world.look(after=DEADLINE)
    assert world.color == "red"


def test_drift_that_is_only_reported_does_not_keep_an_edit_from_being_taken_back(world: Passes) -> None:
    rolled_back(world, driftPolicy=DriftPolicy.REPORT)
    world.agent.world["a"].color = "pink"
    world.look()
    assert (world.color, world.status.reason) == ("pink", Reason.ROLLED_BACK)


def test_the_protection_that_the_edit_brought_is_in_force(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("bad", deletionPolicy=DeletionPolicy.RETAIN))
    world.look(after=DEADLINE)
    assert world.status.reason == Reason.ROLLED_BACK
    assert world.record.retain


def test_a_preview_shows_what_was_given_up_and_plans_nothing(world: Passes) -> None:
    rolled_back(world)
    each = world.preview()
    assert (each.verdict, each.reason, each.step) == (Verdict.STALLED, Reason.ROLLED_BACK, None)
    assert [(c.path, c.observed, c.desired) for c in each.plan.changes] == [("color", "red", "bad")]


def test_a_preview_of_what_drifted_meanwhile_plans_the_way_back_with_a_note(world: Passes) -> None:
    rolled_back(world)
    del world.agent.world["a"]
    each = world.preview()
    assert (each.verdict, each.plan.action) == (Verdict.WORK, Action.CREATE)
    assert "gave up generation 2" in each.plan.notes[0]


# -- crashes, clocks and outages -----------------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone."""


class MortalAgent(GadgetAgent):
    """Dies before or after the change that makes it red again."""

    before = False
    after = False

    def update(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        assert step.desired is not None
        back = step.desired.spec.color == "red"
        if back and self.before:
            raise Crash
        done = super().update(step, ctx)
        if back and self.after:
            raise Crash
        return done


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_on_the_way_back_ends_as_if_there_was_none(world: Passes, when: str) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.agent.__class__ = MortalAgent
    setattr(world.agent, when, True)
    with pytest.raises(Crash):
        world.look(after=DEADLINE)
    world.agent.__class__ = GadgetAgent
    world = world.again()
    world.look()
    assert (world.color, world.status.reason, world.status.generation) == ("red", Reason.ROLLED_BACK, 2)
    assert "not Ready within 5m (Unhealthy" in world.status.message
    assert (world.record.digest, world.record.intent) == (world.record.good_digest, None)
    assert world.agent.log.count("update a") == 2


def test_a_crash_before_it_was_given_up_prolongs_the_trial_by_a_moment_at_most(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.times.go_on(DEADLINE * 10)
    world = world.again()
    assert world.look().by == SETTLING, "it may have been started only just now, with the machine"
    world.look(after=SETTLING)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)


def test_what_was_ready_before_a_restart_gets_all_of_its_time_after_it(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("blue"))
    world.times.go_on(86_400)
    world.agent.unhealthy["a"] = ILL
    assert world.again().look().by == DEADLINE


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_moves_no_deadline(world: Passes, hours: int) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.times.wall += 3600 * hours
    assert world.look(after=DEADLINE - 1).by == 1
    world.look(after=1)
    assert world.color == "red"


def test_a_trial_that_began_in_the_future_began_just_now(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.times.wall -= 3600
    world = world.again()
    assert world.look().by == DEADLINE
    world.look(after=DEADLINE)
    assert world.color == "red"


def test_time_without_its_system_does_not_count(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.agent.unreachable = True
    world.look(after=DEADLINE * 2)
    assert world.color == "bad"
    world.agent.unreachable = False
    assert world.look().by == DEADLINE


def test_time_in_which_it_belongs_to_somebody_else_does_not_count(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.agent.world["a"] = Thing("pink", None, None, 77)
    assert world.look(after=DEADLINE * 2).reason == Reason.NOT_OWNED
    assert (world.color, world.record.given_up) == ("pink", "")


def test_time_in_which_it_was_suspended_does_not_count(world: Passes) -> None:
    world.good(a("red"))
    world.declare(a("bad"))
    world.stores.overrides.suspend([A])
    world.look(after=DEADLINE * 2)
    world.stores.overrides.resume([A])
    assert world.look().by == DEADLINE
