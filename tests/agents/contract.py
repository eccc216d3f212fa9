"""The contract that every agent keeps, as tests. `test_contract.py` runs them for each world; see `World` for what they need.

`Contract` is for all agents, the other suites are for those that offer more. A package that brings agents of its own can
do as `test_contract.py` does: subclass `World`, and the suites with a fixture `world`.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from controller.engine.agent import (
    Done,
    Relist,
    Retry,
    Stalled,
    Started,
    Step,
)
from resources.conditions import Reason
from resources.meta import Claim, Key, Resource
from resources.plan import Action, Why
from tests.agents.keeper import Keeper
from tests.agents.world import INSTALLATION, ByHand, World

NOTICED_WITHIN = 15.0  # seconds for a watch in the real world to give its hint


class Suite:
    """What the suites have in common."""

    @pytest.fixture
    def keeper(self, world: World[Any]) -> Keeper:
        return Keeper(world)


class Looking(Suite):
    """Observing and planning."""

    def test_absent_thing_is_seen_as_absent(self, world: World[Any], keeper: Keeper) -> None:
        seen = keeper.look(world.sample())
        assert (seen.value, seen.handle, seen.mark) == (None, "", None)

    def test_every_key_that_is_asked_for_is_answered(self, world: World[Any], keeper: Keeper) -> None:
        there, absent = world.sample("one"), world.sample("absent")
        keeper.make(there)
        assert world.agent.observe([], keeper.context) == {}
        seen = world.agent.observe([there, absent], keeper.context)
        assert seen.keys() == {there.key, absent.key}
        assert [getattr(seen[key], "value", None) is None for key in (there.key, absent.key)] == [False, True]

    def test_looking_changes_nothing(self, world: World[Any], keeper: Keeper) -> None:
        there, absent = world.sample("one"), world.sample("absent")
        keeper.make(there)
        before = world.state(there)
        first = world.agent.observe([absent, there], keeper.context)
        assert world.agent.observe([absent, there], keeper.context) == first
        assert (world.state(there), world.state(absent)) == (before, None)

    def test_absent_thing_is_planned_to_be_created(self, world: World[Any], keeper: Keeper) -> None:
        assert keeper.plan(world.sample()).action is Action.CREATE

    def test_planning_is_pure(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        before, value = world.state(resource), keeper.look(resource).value
        edit = next(iter(world.edits(resource).values()))
        assert world.agent.diff(edit, resource, value) == world.agent.diff(edit, resource, value)
        assert world.state(resource) == before


class Making(Suite):
    """Creating, updating, replacing."""

    def test_created_thing_is_there_and_nothing_is_left_to_do(self, world: World[Any], keeper: Keeper) -> None:
        resources = [world.sample("one"), world.sample("two"), world.sample("three")]
        keeper.make(*resources)
        for resource in resources:
            assert world.state(resource) is not None
            assert keeper.plan(resource).empty, keeper.plan(resource)
            assert keeper.look(resource).health.ready

    def test_created_thing_equals_its_spec_even_when_nobody_remembers_it(
        self, world: World[Any], keeper: Keeper
    ) -> None:
        resource = world.sample()
        keeper.make(resource)
        assert Keeper(world).plan(resource).empty

    def test_spec_that_was_kept_as_text_is_the_same_spec(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        kept = world.model.model_validate_json(resource.model_dump_json(exclude_unset=True))
        assert kept == resource
        assert world.agent.diff(resource, kept, keeper.look(resource).value).empty

    def test_edit_is_planned_as_an_edit_and_carried_out(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        for what, edited in world.edits(resource).items():
            before, plan = world.state(resource), keeper.plan(edited)
            assert plan.action in (Action.UPDATE, Action.REPLACE), what
            assert plan.changes, what
            assert all(change.why in (Why.EDITED, Why.DROPPED) for change in plan.changes), f"{what}: {plan}"
            keeper.make(edited)
            assert keeper.plan(edited).empty, f"{what}: {keeper.plan(edited)}"
            assert world.state(edited) != before, what

    def test_drift_is_seen_as_drift_and_healed(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        as_declared = world.state(resource)
        for what, drift in world.drifts(resource).items():
            drift()
            assert world.state(resource) != as_declared, what
            plan = keeper.plan(resource)
            assert plan.drift_only, f"{what}: {plan}"
            keeper.make(resource)
            assert keeper.plan(resource).empty, f"{what}: {keeper.plan(resource)}"
            assert world.state(resource) == as_declared, what

    def test_ignored_field_is_left_as_it_is(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        for what, drift in world.drifts(resource).items():
            drift()
            plan = keeper.plan(resource)
            paths = tuple(change.path for change in plan.changes)
            assert keeper.plan(with_common(resource, ignore=paths)).empty, what
            keeper.make(resource)

    def test_thing_removed_by_hand_is_made_again(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        as_declared = world.state(resource)
        world.remove(resource)
        assert keeper.look(resource).value is None
        assert keeper.plan(resource).action is Action.CREATE
        keeper.make(resource)
        assert keeper.plan(resource).empty
        assert world.state(resource) == as_declared


class Deleting(Suite):
    """Deleting."""

    def test_deleted_thing_is_gone_and_its_neighbour_is_not(self, world: World[Any], keeper: Keeper) -> None:
        resource, neighbour = world.sample("one"), world.sample("two")
        keeper.make(resource, neighbour)
        before = world.state(neighbour)
        keeper.delete(resource)
        assert keeper.look(resource).value is None
        assert (world.state(resource), world.state(neighbour)) == (None, before)

    def test_deleting_what_has_gone_meanwhile_is_done(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        deletion = keeper.deletions(resource)
        world.remove(resource)
        assert isinstance(keeper.apply(deletion)[resource.key], Done)
        assert world.state(resource) is None

    def test_deleted_thing_can_be_made_again(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        as_declared = world.state(resource)
        keeper.delete(resource)
        keeper.make(resource)
        assert world.state(resource) == as_declared


class Batching(Suite):
    """Several steps at once."""

    def test_mixed_steps_at_once_have_an_outcome_each(self, world: World[Any], keeper: Keeper) -> None:
        fresh, edited, leaving = world.sample("one"), world.sample("two"), world.sample("three")
        keeper.make(edited, leaving)
        edit = next(iter(world.edits(edited).values()))
        outcomes = keeper.apply([*keeper.steps(fresh, edit), *keeper.deletions(leaving)])
        assert outcomes.keys() == {fresh.key, edited.key, leaving.key}
        assert all(isinstance(outcome, Done | Started) for outcome in outcomes.values())
        world.later()
        assert world.state(fresh) is not None
        assert world.state(leaving) is None
        assert keeper.plan(edit).empty

    def test_step_that_fails_does_not_fail_the_others(self, world: World[Any], keeper: Keeper) -> None:
        first, impossible, last = world.sample("one"), world.impossible(), world.sample("three")
        outcomes = keeper.apply(keeper.steps(first, impossible, last))
        failure = outcomes[impossible.key]
        assert isinstance(failure, Retry | Stalled)
        assert failure.message.startswith("cannot ")
        assert isinstance(outcomes[first.key], Done | Started)
        assert isinstance(outcomes[last.key], Done | Started)
        assert world.state(first) is not None
        assert world.state(last) is not None
        assert world.state(impossible) is None


class Owning(Suite):
    """Telling our things from others'."""

    def test_own_thing_is_recognised(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        assert recognised(keeper, resource)
        assert (keeper.look(resource).mark is not None) == world.agent.marks

    def test_thing_is_still_recognised_after_an_edit(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        for what, edited in world.edits(resource).items():
            keeper.make(edited)
            assert recognised(keeper, edited), what

    def test_strangers_thing_is_seen_and_not_taken_for_our_own(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        world.make_strangers(resource)
        seen = keeper.look(resource)
        assert seen.value is not None
        assert seen.mark is None
        assert not world.agent.same_owner("", seen)

    def test_adopted_thing_becomes_as_declared_and_ours(self, world: World[Any], keeper: Keeper) -> None:
        resource = with_common(world.sample(), adopt=True)
        world.make_strangers(resource)
        keeper.succeed([keeper.adoption(resource)])
        world.later()
        assert keeper.plan(resource).empty, keeper.plan(resource)
        assert recognised(keeper, resource)


class ReadOnly(Suite):
    """The agent of a dry run."""

    def test_reader_sees_the_same(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        world.later()
        reading = Keeper(world, world.reader)
        assert reading.look(resource).value == keeper.look(resource).value
        assert reading.plan(resource).empty

    def test_reader_cannot_write(self, world: World[Any], keeper: Keeper) -> None:
        absent, there = world.sample("one"), world.sample("two")
        keeper.make(there)
        before = world.state(there)
        edit = next(iter(world.edits(there).values()))
        for step in [*keeper.steps(absent, edit), *keeper.deletions(there)]:
            assert_refused(world, keeper, step)
            assert world.state(absent) is None
            assert world.state(there) == before


class Contract(Looking, Making, Deleting, Batching, Owning, ReadOnly):
    """What every agent keeps."""


class GivingBack(Suite):
    """For agents that put aside what they adopt."""

    def test_deleting_what_was_adopted_gives_back_what_was_there(self, world: World[Any], keeper: Keeper) -> None:
        resource = with_common(world.sample(), adopt=True)
        world.make_strangers(resource)
        before = world.state(resource)
        keeper.succeed([keeper.adoption(resource)])
        assert world.state(resource) != before
        keeper.delete(resource)
        assert world.state(resource) == before


class Secretive(Suite):
    """For kinds with secrets in their specs."""

    OLD, NEW = "correct-horse-battery", "staple-horse-correct"

    def test_secret_is_used_and_never_shown(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.secretive(self.OLD)
        steps = keeper.steps(resource)
        outcomes = keeper.apply(steps)
        assert isinstance(outcomes[resource.key], Done | Started), outcomes
        assert self.OLD in repr(world.state(resource))
        assert keeper.plan(resource).empty
        assert self.OLD not in repr((steps, outcomes, keeper.look(resource), keeper.reports, resource))

    def test_rotated_secret_is_planned_without_either_value(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.secretive(self.OLD)
        keeper.make(resource)
        world.secretive(self.NEW)
        plan = keeper.plan(resource)
        assert not plan.empty
        shown = repr((plan, keeper.look(resource)))
        assert self.OLD not in shown
        assert self.NEW not in shown
        keeper.make(resource)
        assert keeper.plan(resource).empty
        assert self.NEW in repr(world.state(resource))

    def test_missing_secret_stalls_the_making_and_not_the_deleting(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.secretive(self.OLD)
        steps = keeper.steps(resource)
        world.environment.clear()
        failure = keeper.apply(steps)[resource.key]
        assert isinstance(failure, Stalled)
        assert failure.reason == Reason.SECRET_NOT_FOUND
        assert world.state(resource) is None
        keeper.make(world.secretive(self.OLD))
        world.environment.clear()
        keeper.delete(resource)
        assert world.state(resource) is None


class Reaching(Suite):
    """For agents whose system can be out of reach."""

    def test_system_out_of_reach_is_told_apart(self, world: World[Any], keeper: Keeper) -> None:
        with pytest.raises(Retry) as failure:
            world.cut_off().observe([world.sample()], keeper.context)
        assert failure.value.reason == Reason.AGENT_UNAVAILABLE
        assert failure.value.message.startswith("cannot ")

    def test_health_tells_whether_the_system_is_there(self, world: World[Any], keeper: Keeper) -> None:
        agent: Any = world.agent
        health = agent.health(keeper.context)
        assert (health.available, health.message) == (True, "")
        health = world.cut_off().health(keeper.context)
        assert not health.available
        assert health.message.startswith("cannot ")


class Listing(Suite):
    """For agents that find our things without the inventory."""

    def test_own_things_are_listed_and_strangers_are_not(self, world: World[Any], keeper: Keeper) -> None:
        ours, strangers = world.sample("one"), world.sample("two")
        keeper.make(ours)
        world.make_strangers(strangers)
        agent: Any = world.agent
        found = {owned.mark.key: owned for owned in agent.owned(keeper.context)}
        assert found[ours.key].handle == keeper.look(ours).handle
        assert found[ours.key].mark == keeper.look(ours).mark
        assert strangers.key not in found

    def test_what_is_listed_is_found_again_by_what_the_listing_says(self, world: World[Any], keeper: Keeper) -> None:
        ours = world.sample("one")
        keeper.make(ours)
        agent: Any = world.agent
        (owned,) = [owned for owned in agent.owned(keeper.context) if owned.mark.key == ours.key]
        assert owned.resource.key == ours.key
        assert keeper.look(owned.resource).handle == owned.handle


class Watching(Suite):
    """For agents that watch."""

    def test_what_is_done_by_hand_is_hinted_at(self, world: World[Any], keeper: Keeper) -> None:
        resource = world.sample()
        keeper.make(resource)
        with watching(world.agent, [resource]) as hinted:
            done_by_hand: ByHand = {**world.drifts(resource), "removed": lambda: world.remove(resource)}
            for what, by_hand in done_by_hand.items():
                by_hand()
                assert hinted(resource.key), f"no hint that it was {what}"
                keeper.make(resource)

    def test_watch_ends_when_told_to(self, world: World[Any], keeper: Keeper) -> None:
        with watching(world.agent, [world.sample()]):
            pass


def with_common(resource: Resource, **fields: Any) -> Resource:
    """The resource with these fields, common to all kinds, in its spec."""
    return resource.model_copy(update={"spec": resource.spec.model_copy(update=fields)})


def recognised(keeper: Keeper, resource: Resource) -> bool:
    """Whether the thing that stands for `resource` is ours by its mark, or else by the handle in the inventory."""
    seen = keeper.look(resource)
    if seen.mark:
        return (seen.mark.key, seen.mark.installation) == (resource.key, INSTALLATION)
    return keeper.agent.same_owner(keeper.handles[resource.key], seen)


def assert_refused(world: World[Any], keeper: Keeper, step: Step[Any, Any]) -> None:
    """That `step` fails when the reader is asked to carry it out, in whatever way."""
    try:
        outcome = world.reader.apply([step], keeper.context)[step.key]
    except Exception:
        return
    assert isinstance(outcome, Retry | Stalled), f"the reader carried out {step.plan.action} of {step.key.short}"


class StillScope:
    """A scope in which nothing changes."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._resources = resources

    def resources(self) -> Sequence[Resource]:
        return self._resources

    def find(self, claim: Claim) -> Key | None:
        claims = {mine: resource.key for resource in self._resources for mine in resource.claims()}
        return next((key for mine, key in claims.items() if mine.collides(claim)), None)

    def subscribe(self, changed: Callable[[Sequence[Resource], Sequence[Resource]], None]) -> None: ...


@contextlib.contextmanager
def watching(agent: Any, resources: Sequence[Resource]) -> Iterator[Callable[[Key], bool]]:
    """Watches meanwhile. Gives a function that tells whether a hint at a key has come since it was last asked."""
    hints: queue.Queue[Key | Relist] = queue.Queue()
    stop = Flag()

    def watch() -> None:
        for hint in agent.watch(StillScope(resources), stop):
            hints.put(hint)

    def hinted(key: Key) -> bool:
        with contextlib.suppress(queue.Empty):
            while hints.get(timeout=NOTICED_WITHIN) not in (key, Relist()):
                pass
            return True
        return False

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        # What happened before the watch began is not known, so it begins with a Relist.
        assert hints.get(timeout=NOTICED_WITHIN) == Relist()
        yield hinted
    finally:
        stop.set()
        thread.join(NOTICED_WITHIN)
    assert not thread.is_alive(), "the watch goes on after it was told to stop"
