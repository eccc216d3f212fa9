"""Rebuilding the inventory from marks, and what then may go: nothing, before somebody has declared or confirmed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from controller.engine.agent import Context, Mark, Owned, Retry, found_again
from controller.engine.recovery import doubt, forget_gone, marks_in_the_world, recover
from controller.engine.stores import Record
from resources.conditions import Reason
from resources.meta import Key
from tests.unit.world import SOURCE, Gadget, GadgetAgent, Loop, Thing, Vault, gadget


class ListingAgent(GadgetAgent):
    def owned(self, ctx: Context) -> Iterable[Owned]:
        if self.unreachable:
            raise Retry(Reason.AGENT_UNAVAILABLE, "cannot reach the gadgets: switch them on")
        marked = ((thing, thing.mark) for thing in self.world.values() if thing.mark)
        return [Owned(mark, str(thing.serial), found_again(Gadget, mark.key)) for thing, mark in marked]


def key(name: str) -> Key:
    return Key("Gadget", "default", name)


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", {"Gadget": Gadget, "Vault": Vault}.get)


@pytest.fixture
def loop() -> Loop:
    return Loop(ListingAgent())


def made(loop: Loop, *names: str) -> None:
    """Things that carry our mark, and that the inventory knows nothing of."""
    for serial, name in enumerate(names):
        loop.agent.world[name] = Thing("red", None, Mark(key(name), "installation", 4), 100 + serial)


def rebuilt(loop: Loop) -> list[Key]:
    marks = marks_in_the_world([loop.agent], loop.parts.context)
    return recover(loop.stores.inventory, marks.owned, SOURCE)


def test_what_is_declared_is_owned_again_and_not_touched(loop: Loop) -> None:
    made(loop, "a", "b")
    assert rebuilt(loop) == [key("a"), key("b")]
    assert loop.apply(gadget("a", color="red"), gadget("b", color="red"))
    assert loop.agent.log == []
    record = loop.stores.inventory.find(key("a"))
    assert record is not None
    assert (record.recovered, record.handle, bool(record.digest)) == (False, "100", True)
    assert record.generation > 4, "counted on from the mark's"


def test_what_is_declared_by_nobody_is_held_until_it_is_confirmed(loop: Loop) -> None:
    made(loop, "a", "b")
    rebuilt(loop)
    loop.apply(gadget("a", color="red"))
    assert set(loop.agent.world) == {"a", "b"}
    assert loop.reason("b") == Reason.RECOVERED
    assert "declare it again" in loop.message("b")
    assert "'p2 delete'" in loop.message("b")
    loop.stores.overrides.confirm([key("b")])
    loop.apply(gadget("a", color="red"))
    assert set(loop.agent.world) == {"a"}
    assert loop.stores.inventory.find(key("b")) is None


def test_what_was_declared_once_since_is_held_no_more(loop: Loop) -> None:
    made(loop, "a", "b")
    rebuilt(loop)
    loop.apply(gadget("a", color="red"), gadget("b", color="red"))
    loop.apply(gadget("a", color="red"))
    assert set(loop.agent.world) == {"a"}


def test_declaring_clears_the_hold_even_where_work_fails(loop: Loop) -> None:
    made(loop, "a", "b")
    rebuilt(loop)
    loop.agent.refused["b"] = "no"
    loop.apply(gadget("a", color="red"), gadget("b", color="blue"))
    record = loop.stores.inventory.find(key("b"))
    assert record is not None
    assert not record.recovered


def test_edit_that_was_made_meanwhile_is_applied_to_the_thing_that_is_there(loop: Loop) -> None:
    made(loop, "a")
    rebuilt(loop)
    assert loop.apply(gadget("a", color="blue"))
    assert loop.agent.log == ["update a"]


def test_what_is_recorded_already_is_left_as_it_is(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    before = loop.stores.inventory.find(key("a"))
    assert rebuilt(loop) == []
    assert loop.stores.inventory.find(key("a")) == before


def test_system_that_is_away_is_named(loop: Loop) -> None:
    loop.agent.unreachable = True
    marks = marks_in_the_world([loop.agent], loop.parts.context)
    assert (marks.owned, marks.unanswered) == ((), {"gadgets": "cannot reach the gadgets: switch them on"})


def test_doubtful_inventory_lets_nothing_go_that_nobody_declares(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"), gadget("b", color="red"))
    doubt(loop.stores.inventory)
    loop.apply(gadget("a", color="red"))
    assert set(loop.agent.world) == {"a", "b"}
    assert loop.reason("b") == Reason.RECOVERED


def test_what_is_gone_is_forgotten_unless_something_is_kept_or_begun(loop: Loop) -> None:
    def found(name: str) -> Record:
        applied = gadget(name).model_dump_json(exclude_unset=True)
        return Record(key(name), SOURCE, 1, applied=applied, recovered=True)

    plain, kept, sure = found("a"), replace(found("b"), kept="/kept"), replace(found("c"), recovered=False)
    loop.stores.inventory.confirm([plain, kept, sure])
    assert forget_gone(loop.stores.inventory, loop.parts.agent_of, loop.parts.context) == [key("a")]
    assert loop.stores.inventory.records(SOURCE).keys() == {key("b"), key("c")}


def test_nothing_is_forgotten_while_its_system_is_away(loop: Loop) -> None:
    made(loop, "a")
    rebuilt(loop)
    loop.agent.world.clear()
    loop.agent.unreachable = True
    assert forget_gone(loop.stores.inventory, loop.parts.agent_of, loop.parts.context) == []
    assert loop.stores.inventory.find(key("a"))
