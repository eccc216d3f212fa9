"""What becomes of a resource, told once, and true of every kind in files and on Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from resources.conditions import Reason
from resources.meta import DeletionPolicy
from tests.agents.contract import with_common
from tests.agents.world import World
from tests.stories.mode import Mode
from tests.stories.story import Telling, until

SEEN_DRIFTED = (Reason.SUSPENDED, Reason.DRIFTED)


@pytest.fixture
def story(mode: Mode, world: World[Any]) -> Iterator[Telling]:
    made = Telling(mode, world)
    yield made
    made.clear()


def test_declared_resource_comes_to_be_and_stays_as_it_is(story: Telling) -> None:
    resource = story.sample()
    assert story.state(resource) is None
    story.make(resource)
    assert story.state(resource) is not None
    assert story.mode.happened(resource)["Created"] == 1
    story.steady(resource)


def test_each_edit_is_carried_out(story: Telling) -> None:
    resource = story.sample()
    story.make(resource)
    for what, edited in story.edits(resource).items():
        before = story.state(resource)
        story.make(edited)
        assert story.state(edited) != before, what
        story.steady(edited)


def test_each_drift_is_put_right(story: Telling) -> None:
    resource = story.sample()
    story.make(resource)
    for what, drift in story.drifts(resource).items():
        story.harm(resource, drift, what)
    story.steady(resource)


def test_thing_removed_by_hand_is_there_again(story: Telling) -> None:
    resource = story.sample()
    story.make(resource)
    story.harm(resource, lambda: story.world.remove(resource), "removed")
    story.steady(resource)


def test_drift_of_what_is_suspended_is_told_and_left_until_it_is_resumed(story: Telling) -> None:
    resource = story.sample()
    story.make(resource)
    declared, moves = story.state(resource), story.moves(resource)
    story.declare(with_common(resource, suspend=True))
    until(lambda: story.mode.report(resource).current, "the suspension is known")
    next(iter(story.drifts(resource).values()))()
    drifted = story.state(resource)
    until(lambda: story.mode.report(resource).drift, "the drift is told")
    found = story.mode.report(resource)
    assert (found.ready, found.reason in SEEN_DRIFTED) == ("False", True), found
    assert story.state(resource) == drifted != declared
    story.declare(resource)
    story.restored(resource, declared, moves, "resumed")


def test_withdrawn_resource_takes_its_thing_along_and_no_other(story: Telling) -> None:
    leaving, staying = story.sample("one"), story.sample("two")
    story.make(leaving, staying)
    before = story.state(staying)
    story.withdraw(leaving)
    until(lambda: story.mode.forgotten(leaving), f"{leaving.key} is gone")
    assert (story.state(leaving), story.state(staying)) == (None, before)
    story.make(leaving)
    assert story.state(leaving) is not None
    story.steady(staying)


def test_strangers_thing_is_left_alone_until_it_is_adopted(story: Telling) -> None:
    resource = story.sample()
    story.world.make_strangers(resource)
    before = story.state(resource)
    story.declare(resource)
    found = story.mode.stuck(resource, Reason.NOT_OWNED)
    assert found.stalled
    assert "adopt" in found.message
    assert story.state(resource) == before
    story.make(with_common(resource, adopt=True))
    assert story.state(resource) != before
    story.steady(resource)


def test_retained_thing_stays_and_is_ours_when_declared_again(story: Telling) -> None:
    resource = story.sample(deletionPolicy="Retain")
    story.make(resource)
    before, handle = story.state(resource), story.mode.report(resource).handle
    story.withdraw(resource)
    until(lambda: story.mode.forgotten(resource), f"{resource.key} is let go")
    assert story.state(resource) == before
    story.make(resource)
    assert (story.state(resource), story.mode.report(resource).handle) == (before, handle)
    assert not {"Adopted", Reason.NOT_OWNED} & story.mode.happened(resource).keys()
    story.declare(with_common(resource, deletionPolicy=DeletionPolicy.DELETE))


def test_dependent_waits_for_what_it_depends_on(story: Telling) -> None:
    needed = story.sample("one")
    dependent = story.sample("two", dependsOn=[f"{needed.kind}/{needed.metadata.name}"])
    story.declare(dependent)
    story.mode.stuck(dependent, Reason.DEPENDENCY_MISSING)
    assert story.state(dependent) is None
    story.make(needed, dependent)
    assert story.state(dependent) is not None
    story.withdraw(needed, dependent)
    until(lambda: story.mode.forgotten(needed) and story.mode.forgotten(dependent), "both are gone")
    assert (story.state(needed), story.state(dependent)) == (None, None)


def test_program_that_is_started_again_finds_all_as_it_was(mode: Mode, story: Telling) -> None:
    resource = story.sample()
    story.make(resource)
    mode.restart()
    story.steady(resource)
