"""Updates that no edit brings are on trial as edits are: what they were made of before is taken again. And what keeps ending."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from controller.engine.agent import Context, Done, Health, Seen, Step
from controller.engine.passes import Verdict
from controller.engine.patience import ENDS, HEALS, SOON
from controller.engine.trial import SETTLING
from controller.store.stores import open_stores
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Action, Change, Plan, Why
from tests.unit.test_trials import DEADLINE, ILL, A, Passes, Times, a
from tests.unit.test_trials import _gadgets_are_a_kind as _gadgets_are_a_kind
from tests.unit.world import Gadget, GadgetAgent, Thing, gadget

B = Key("Gadget", "default", "b")


@dataclass
class Foundry(GadgetAgent):
    """Makes its gadgets of the `stock` of the day, which no spec names."""

    stock: str = "iron"
    made_of: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    given_up: list[str] = field(default_factory=list)
    no_way_back: str = ""

    def _seen(self, resource: Gadget) -> Seen[Thing]:
        seen, name = super()._seen(resource), resource.metadata.name
        ill = self.made_of.get(name) in self.bad
        return replace(seen, health=ILL) if ill and seen.value else seen

    def diff(self, desired: Gadget, last: Gadget | None, observed: Thing | None) -> Plan:
        plan = super().diff(desired, last, observed)
        name = desired.metadata.name
        if observed is None or self.made_of.get(name) == self.stock:
            return plan
        change = Change("stock", self.made_of.get(name), self.stock, Why.DRIFTED)
        news = self.made_of.get(name) not in self.given_up and plan.empty
        return Plan(desired.key, Action.REPLACE, (*plan.changes, change), updates=news)

    def replace(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        return self._make(step, "replace")

    def _make(self, step: Step[Gadget, Thing], verb: str) -> Done:
        done, name = super()._make(step, verb), step.key.name
        self.before[name], self.made_of[name] = self.made_of.get(name, ""), self.stock
        return done

    def give_up_update(self, resource: Gadget, why: str) -> str:
        name = resource.metadata.name
        if not self.no_way_back:
            self.given_up.append(self.stock)
            self.stock = self.before[name] if self.made_of[name] == self.stock else self.made_of[name]
        return self.no_way_back


@pytest.fixture
def foundry() -> Foundry:
    return Foundry()


@pytest.fixture
def world(foundry: Foundry) -> Iterator[Passes]:
    yield Passes(Times(), foundry, open_stores(None))


def updated(world: Passes, foundry: Foundry, stock: str, *, bad: bool) -> None:
    foundry.bad = {stock} if bad else set()
    foundry.stock = stock
    world.look()


def test_update_that_fails_goes_back_when_its_time_is_over(world: Passes, foundry: Foundry) -> None:
    world.good(a("red"))
    updated(world, foundry, "tin", bad=True)
    assert (foundry.made_of["a"], world.status.reason) == ("tin", "Unhealthy")
    world.look(after=DEADLINE - 1)
    assert foundry.made_of["a"] == "tin"
    each = world.look(after=1)
    assert (foundry.made_of["a"], each.verdict, foundry.given_up) == ("iron", Verdict.READY, ["tin"])
    assert (world.record.given_up, world.record.tried) == ("", "")


def test_update_that_works_is_believed_in_after_a_while(world: Passes, foundry: Foundry) -> None:
    world.good(a("red"))
    updated(world, foundry, "steel", bad=False)
    assert world.record.tried
    world.look(after=SETTLING)
    assert not world.record.tried
    foundry.bad = {"steel"}
    world.look(after=DEADLINE)
    world.look(after=DEADLINE)
    assert (foundry.made_of["a"], foundry.given_up) == ("steel", [])


def test_update_survives_a_start_of_the_controller(world: Passes, foundry: Foundry) -> None:
    world.good(a("red"))
    updated(world, foundry, "tin", bad=True)
    world.times.go_on(DEADLINE)
    again = world.again()
    again.look()
    again.look(after=SETTLING)
    assert (foundry.made_of["a"], foundry.given_up) == ("iron", ["tin"])


def test_update_of_what_was_applied_long_ago_where_no_controller_runs_goes_back_too(
    world: Passes, foundry: Foundry
) -> None:
    world.declare(a("red"))
    world.times.go_on(3600)
    again = world.again()
    updated(again, foundry, "tin", bad=True)
    again.look(after=DEADLINE)
    assert foundry.made_of["a"] == "iron"


@pytest.mark.parametrize(
    ("spec", "writes", "says"),
    [
        ({"rollback": False}, "", "has to be asked for"),
        ({}, "/data", "/data may hold data that the newer program has changed"),
    ],
)
def test_update_stays_where_an_edit_would(
    spec: dict[str, Any], writes: str, says: str, world: Passes, foundry: Foundry
) -> None:
    foundry.writes = {"a": writes}
    world.good(a("red", **spec))
    updated(world, foundry, "tin", bad=True)
    each = world.look(after=DEADLINE)
    assert (each.verdict, each.reason) == (Verdict.STALLED, Reason.NOT_READY_IN_TIME)
    assert says in each.message
    assert (foundry.made_of["a"], foundry.given_up) == ("tin", [])
    foundry.bad = set()
    assert world.look().verdict is Verdict.READY


def test_update_with_data_goes_back_where_that_is_asked_for(world: Passes, foundry: Foundry) -> None:
    foundry.writes = {"a": "/data"}
    world.good(a("red", rollback=True))
    updated(world, foundry, "tin", bad=True)
    world.look(after=DEADLINE)
    assert foundry.made_of["a"] == "iron"


def test_update_without_a_way_back_says_why_it_stays(world: Passes, foundry: Foundry) -> None:
    foundry.no_way_back = "there is no iron any more"
    world.good(a("red"))
    updated(world, foundry, "tin", bad=True)
    each = world.look(after=DEADLINE)
    assert each.reason == Reason.NOT_READY_IN_TIME
    assert "not rolled back because there is no iron any more" in each.message


def test_edit_in_the_middle_of_an_update_is_on_trial_itself(world: Passes, foundry: Foundry) -> None:
    world.good(a("red"))
    updated(world, foundry, "tin", bad=True)
    world.declare(a("blue"))
    world.look(after=DEADLINE)
    assert (world.color, world.status.reason) == ("red", Reason.ROLLED_BACK)


def test_update_waits_for_what_it_depends_on_to_be_updated_first(world: Passes, foundry: Foundry) -> None:
    both = (a("red"), gadget("b", color="red", readyTimeout="5m", dependsOn=("Gadget/a",)))
    world.good(*both)
    foundry.bad, foundry.stock = {"tin"}, "tin"
    each = world.look(key=B)
    assert (each.verdict, each.message) == (Verdict.BLOCKED, "waits until Gadget/a is updated")
    world.look()
    each = world.look(key=B)
    assert (each.verdict, each.message) == (Verdict.BLOCKED, "waits for Gadget/a to be Ready")
    world.look(after=DEADLINE)
    assert world.look(key=B).verdict is Verdict.READY
    assert foundry.made_of == {"a": "iron", "b": "iron"}
    foundry.bad, foundry.stock = set(), "steel"
    world.look()
    world.look(key=B)
    assert foundry.made_of == {"a": "steel", "b": "steel"}


# -- what keeps ending ---------------------------------------------------------------------------------------------


def end(world: Passes, foundry: Foundry, after: float = 5.0) -> Any:
    """The gadget ends by itself, and is looked at once `after` seconds and all pauses have passed."""
    foundry.world["a"].color = "out"
    foundry.unhealthy["a"] = Health(message="it has ended with code 3; see there", ended=True)
    foundry.log.clear()
    each = world.look(after=after)
    while each.reason == Reason.CONTESTED and each.after:
        each = world.look(after=each.after)
    foundry.unhealthy.clear()
    if foundry.log:
        world.look()
    return each


def test_thing_that_keeps_ending_is_not_ready_in_between_and_is_left_alone_in_the_end(
    world: Passes, foundry: Foundry
) -> None:
    world.declare(a("red"))
    for number in range(1, ENDS + 1):
        end(world, foundry)
        assert world.color == "red"
        assert world.status.ready is (number < HEALS), number
    each = end(world, foundry)
    assert (each.verdict, each.reason, world.color) == (Verdict.STALLED, Reason.CRASH_LOOP, "out")
    assert each.message.startswith(f"it has ended with code 3, once more, {ENDS} times")
    foundry.unhealthy["a"] = Health(message="it has ended with code 3", ended=True)
    assert world.look(after=86400).reason == Reason.CRASH_LOOP


@pytest.mark.parametrize("how", ["edited", "started by somebody", "a controller that was started again"])
def test_thing_that_was_left_alone_begins_anew(how: str, world: Passes, foundry: Foundry) -> None:
    world.declare(a("red"))
    for _ in range(ENDS + 1):
        end(world, foundry)
    assert world.color == "out"
    match how:
        case "edited":
            world.declare(a("blue"))
        case "started by somebody":
            foundry.world["a"].color = "red"
        case _:
            world = world.again()
    assert world.look().verdict is Verdict.READY
    end(world, foundry)
    assert world.color == ("blue" if how == "edited" else "red")


def test_thing_that_ends_now_and_then_is_started_for_ever(world: Passes, foundry: Foundry) -> None:
    world.declare(a("red"))
    for _ in range(3 * ENDS):
        end(world, foundry, after=SOON + 1)
        assert (world.color, world.status.ready) == ("red", True)


def test_thing_that_somebody_keeps_changing_is_healed_for_ever(world: Passes, foundry: Foundry) -> None:
    world.declare(a("red"))
    for _ in range(3 * ENDS):
        foundry.world["a"].color = "pink"
        each = world.look(after=5)
        while each.reason == Reason.CONTESTED and each.after:
            each = world.look(after=each.after)
        assert world.color == "red"
    assert world.record.key == A


def test_who_asks_by_hand_does_not_wait_until_somebody_elses_changes_are_healed_again(
    world: Passes, foundry: Foundry
) -> None:
    world.declare(a("red"))
    for _ in range(HEALS):
        foundry.world["a"].color = "pink"
        world.look()
    foundry.world["a"].color = "pink"
    assert (world.look().reason, world.color) == (Reason.CONTESTED, "pink")
    world.reconciler.forgive(A)
    world.look()
    assert world.color == "red"
    world.reconciler.forgive(A)  # where there is nothing to heal, that is over with the next look
    world.look()
    foundry.world["a"].color = "pink"
    assert (world.look().reason, world.color) == (Reason.CONTESTED, "pink")
