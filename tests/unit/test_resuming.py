"""What a crash leaves of a creation, where things can't carry a mark: it is recognised by what was being made."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from controller.engine.agent import Context, Done, Seen, Stalled, Step
from controller.engine.stores import Record
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Action
from tests.unit.world import SOURCE, Gadget, GadgetAgent, Loop, Thing, gadget

KEY = Key("Gadget", "default", "a")


class UnmarkedAgent(GadgetAgent):
    """Its gadgets carry no mark; one is known by its serial number."""

    marks: ClassVar[bool] = False

    def _seen(self, resource: Gadget) -> Seen[Thing]:
        return replace(super()._seen(resource), mark=None)


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: Gadget)


@pytest.fixture
def loop() -> Loop:
    return Loop(UnmarkedAgent())


def interrupted(loop: Loop, being_made: Gadget) -> None:
    """As a crash leaves the inventory that came after the intent and before the confirmation."""
    applied = being_made.model_dump_json(exclude_unset=True)
    loop.stores.inventory.intend([Record(KEY, SOURCE, 1, applied=applied, intent=Action.CREATE)])


def test_what_was_being_created_is_ours_although_its_spec_was_edited_since(loop: Loop) -> None:
    interrupted(loop, gadget("a", color="red"))
    loop.agent.world["a"] = Thing("red", None, None, 7)
    assert loop.apply(gadget("a", color="blue"))
    assert loop.agent.world["a"].color == "blue"
    assert loop.agent.log == ["update a"]


def test_field_that_was_dropped_since_goes_back_to_nothing(loop: Loop) -> None:
    interrupted(loop, gadget("a", color="red", size=3))
    loop.agent.world["a"] = Thing("red", 3, None, 7)
    assert loop.apply(gadget("a", color="red"))
    assert loop.agent.world["a"].size is None


def test_what_was_being_created_and_is_no_longer_declared_is_no_orphan(loop: Loop) -> None:
    interrupted(loop, gadget("a", color="red"))
    loop.agent.world["a"] = Thing("red", None, None, 7)
    assert loop.apply(gadget("b"))
    assert set(loop.agent.world) == {"b"}
    assert loop.stores.inventory.find(KEY) is None


def test_another_thing_that_has_appeared_in_its_place_is_a_strangers(loop: Loop) -> None:
    interrupted(loop, gadget("a", color="red"))
    loop.agent.world["a"] = Thing("green", None, None, 7)
    loop.apply(gadget("a", color="blue"))
    assert loop.agent.world["a"].color == "green"
    assert loop.reason("a") == Reason.NOT_OWNED
    loop.apply(gadget("b"))
    assert set(loop.agent.world) == {"a", "b"}


def test_what_was_never_made_is_made_as_it_is_declared_now(loop: Loop) -> None:
    """And a crash in that would find the new intent, not the old one."""
    interrupted(loop, gadget("a", color="red"))
    intents = []

    def create(step: Step[Gadget, Thing], ctx: Context) -> Done:
        intents.append(loop.stores.inventory.find(KEY))
        return GadgetAgent.create(loop.agent, step, ctx)

    loop.agent.create = create  # type: ignore[method-assign]
    assert loop.apply(gadget("a", color="blue"))
    assert [intent.intent for intent in intents] == [Action.CREATE]
    assert "blue" in intents[0].applied
    assert loop.agent.world["a"].color == "blue"


def test_crash_after_the_crash_loses_nothing_either(loop: Loop) -> None:
    interrupted(loop, gadget("a", color="red"))
    loop.agent.world["a"] = Thing("red", None, None, 7)
    before = []

    def update(step: Step[Gadget, Thing], ctx: Context) -> Done:
        before.append(loop.stores.inventory.find(KEY))
        return GadgetAgent.update(loop.agent, step, ctx)

    loop.agent.update = update  # type: ignore[method-assign]
    assert loop.apply(gadget("a", color="blue"))
    (record,) = before
    loop.stores.inventory.confirm([record])  # as if it had ended there, the change made
    loop.agent.world["a"] = Thing("blue", None, None, 7)
    assert loop.apply(gadget("a", color="green"))
    assert loop.agent.world["a"].color == "green"


class Interrupted(UnmarkedAgent):
    """Its deletions do not get through until it is told so."""

    through: ClassVar[bool] = False

    def delete(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        if not self.through:
            raise Stalled("Interrupted", "killed before anything was deleted")
        return super().delete(step, ctx)


def test_what_was_being_created_is_still_ours_after_its_deletion_was_interrupted_too() -> None:
    loop = Loop(Interrupted())
    interrupted(loop, gadget("a", color="red"))
    loop.agent.world["a"] = Thing("red", None, None, 7)
    loop.apply(gadget("b"))
    assert "a" in loop.agent.world
    loop.agent.through = True  # type: ignore[attr-defined]
    again = Loop(loop.agent, loop.stores)
    assert again.apply(gadget("b"))
    assert list(again.agent.world) == ["b"]
