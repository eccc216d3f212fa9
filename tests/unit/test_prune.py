"""What has left the desired state: what may go, and what is held back. Each hold answers a way in which people lost things."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from controller.engine.index import Edits, Index
from controller.engine.prune import Pruning, SourceHealth, decide
from controller.engine.pruner import Pruner
from controller.engine.revision import Condition
from controller.engine.stores import Record
from resources.conditions import Reason
from resources.meta import DeletionPolicy, Key
from tests.unit.world import Loop, gadget

WELL = SourceHealth(Condition.OK, "", ())


def key(name: str) -> Key:
    return Key("Container", "default", name)


def stale(*names: str, **fields: Any) -> dict[Key, Record]:
    return {key(name): Record(key(name), "/state", 1, **fields) for name in names}


def decided(
    records: dict[Key, Record],
    owned: int = 100,
    source: SourceHealth = WELL,
    confirmed: Collection[Key] = (),
    suspended: Collection[Key] = (),
    needed: Collection[Key] = (),
    too_many: Collection[Key] = (),
    ordered: Collection[Key] = (),
) -> Pruning:
    return decide(
        records,
        owned,
        source,
        confirmed=confirmed,
        suspended=suspended,
        too_many=too_many,
        needed_by=lambda k: [key("user")] if k in needed else [],
        ordered=ordered,
    )


def reasons(pruning: Pruning) -> dict[str, set[str]]:
    return {hold.reason: {k.name for k in hold.keys} for hold in pruning.holds}


def test_a_few_removed_resources_go() -> None:
    assert decided(stale("a", "b")).deletes == {key("a"), key("b")}


def test_an_empty_source_deletes_nothing() -> None:
    pruning = decided(stale("a"), source=SourceHealth(Condition.EMPTY, "no resources in it", ()))
    assert not pruning.deletes and reasons(pruning) == {Reason.SOURCE_EMPTY: {"a"}}


def test_a_file_that_does_not_parse_holds_every_deletion_for_it_may_declare_them_now() -> None:
    pruning = decided(stale("a"), source=SourceHealth(Condition.OK, "", ("/state/broken.yaml",)))
    assert not pruning.deletes and reasons(pruning) == {Reason.SOURCE_INVALID: {"a"}}
    assert "/state/broken.yaml" in pruning.holds[0].message


def test_more_than_a_quarter_and_more_than_five_wait_for_a_confirmation() -> None:
    six = stale(*"abcdef")
    assert reasons(decided(six, owned=20)) == {Reason.TOO_MANY_DELETES: set("abcdef")}
    assert len(decided(six, owned=24).deletes) == 6, "a quarter is not more than a quarter"
    assert len(decided(stale(*"abcde"), owned=5).deletes) == 5, "five are few enough"


def test_a_confirmation_releases_what_it_names_and_no_more() -> None:
    pruning = decided(stale(*"abcdefgh"), owned=10, confirmed={key("a"), key("b")})
    assert pruning.deletes == {key("a"), key("b")}
    assert reasons(pruning) == {Reason.TOO_MANY_DELETES: set("cdefgh")}


def test_what_was_held_stays_held_when_only_a_few_are_left_to_confirm() -> None:
    rest = {key(name) for name in "cdef"}
    pruning = decided(stale(*"bcdef"), owned=10, confirmed={key("b")}, too_many={key("b"), *rest})
    assert pruning.deletes == {key("b")}
    assert reasons(pruning) == {Reason.TOO_MANY_DELETES: set("cdef")}


def test_protection_outlives_the_block_that_declared_it() -> None:
    pruning = decided(stale("a", retain=True), confirmed={key("a")})
    assert not pruning.deletes and reasons(pruning) == {Reason.RETAINED: {"a"}}


def test_suspended_and_still_needed_things_stay() -> None:
    pruning = decided(stale("a", "b", "c"), suspended={key("a")}, needed={key("b")})
    assert pruning.deletes == {key("c")}
    assert reasons(pruning) == {Reason.SUSPENDED: {"a"}, Reason.DEPENDENCY_MISSING: {"b"}}
    assert "Container/user" in next(hold.message for hold in pruning.holds if hold.reason == Reason.DEPENDENCY_MISSING)


def test_what_was_deleted_by_an_order_goes_however_much_it_is() -> None:
    all_of_it = stale(*"abcdefgh")
    pruning = decided(all_of_it, owned=8, ordered=all_of_it.keys(), needed=all_of_it.keys())
    assert (pruning.deletes, pruning.holds) == (all_of_it.keys(), ())


def test_order_does_not_lift_what_its_user_protects() -> None:
    protected = {**stale("kept", retain=True), **stale("suspended")}
    pruning = decided(protected, owned=2, ordered=protected.keys(), suspended=[key("suspended")])
    assert reasons(pruning) == {Reason.RETAINED: {"kept"}, Reason.SUSPENDED: {"suspended"}}
    assert not pruning.deletes


def test_order_is_forgotten_when_nothing_is_left_of_its_thing_and_no_sooner() -> None:
    loop = Loop()
    assert loop.apply(gadget("there", color="red"))
    there, never = Key("Gadget", "default", "there"), Key("Gadget", "default", "never")
    pruner = Pruner(replace(loop.parts, index=Index(lambda key, digest: 1)))
    pruner.decide()
    pruner.note(Edits(), dict.fromkeys((there, never), DeletionPolicy.DELETE))
    assert pruner.ordered == {there, never}
    pruner.gone([there, never])
    assert pruner.decide()[0].deletes == {there}
    assert pruner.ordered == {there}
