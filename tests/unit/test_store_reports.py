"""Statuses, events, overrides and holds as the surfaces read them back."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from controller.engine.stores import Event, Hold, Level
from controller.store.events import SqliteEvents
from controller.store.stores import OpenStores, open_stores
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import Key
from resources.plan import Change, Why
from tests.unit.store_samples import key

READY = Condition(Type.READY, Truth.TRUE, Reason.CONVERGED, "", 3, 1700000000.25)
STALLED = Condition(Type.STALLED, Truth.TRUE, "ImageNotFound", 'cannot pull "x": "y"', 2, 5.0)


@pytest.fixture
def stores() -> OpenStores:
    return open_stores(None)


def event(at: float, message: str = "created", name: str | None = "web") -> Event:
    return Event(at, key(name) if name else None, Level.NORMAL, "Created", message)


def test_every_field_of_a_status_is_read_back(stores: OpenStores) -> None:
    drift = (
        Change("env.TZ", None, "UTC", Why.DRIFTED),
        Change("ports", ["80:80"], [{"deep": 1.5}], Why.EDITED),
        Change("memory", "(secret)", 12, Why.DROPPED),
    )
    full = Status(3, 2, (READY, STALLED), drift, "digest", "handle", 17.5)
    assert all(getattr(full, field.name) != field.default for field in fields(Status)), (
        "the sample leaves a field unset"
    )
    stores.statuses.save({key("web"): full})
    found = stores.statuses.find(key("web"))
    assert found == full
    assert found is not None
    assert [type(part.status) for part in found.conditions] == [Truth, Truth]
    assert [type(part.why) for part in found.drift] == [Why, Why, Why]


def test_statuses_are_replaced_listed_counted_and_forgotten(stores: OpenStores) -> None:
    fine, waiting = Status(1, 1, (READY,)), Status(1, 0)
    stores.statuses.save({key("web"): waiting, key("db"): fine, Key("Network", "shop", "front"): fine})
    stores.statuses.save({key("web"): fine})
    assert list(stores.statuses.all()) == [key("db"), key("web"), Key("Network", "shop", "front")]
    stores.statuses.save({key("db"): waiting})
    assert stores.statuses.tally() == {
        ("File", Truth.TRUE): 1,
        ("File", Truth.UNKNOWN): 1,
        ("Network", Truth.TRUE): 1,
    }
    held = Status(1, 1, (Condition(Type.READY, Truth.FALSE, Reason.IMMUTABLE, "", 1, 0.0),))
    stores.statuses.save({key("db"): held})
    assert stores.statuses.unready() == {Reason.IMMUTABLE: 1}
    stores.statuses.forget([key("web"), key("never-known")])
    assert stores.statuses.find(key("web")) is None
    assert key("web") not in stores.statuses.all()


def test_equal_events_in_a_row_are_one_with_a_count(stores: OpenStores) -> None:
    for at in (1.0, 2.0, 3.0):
        stores.events.record(event(at))
    assert stores.events.since() == [replace(event(3.0), count=3, first=1.0)]


def test_two_failing_resources_by_turns_do_not_flood_the_events(stores: OpenStores) -> None:
    for at in range(1, 9):
        stores.events.record(event(at, "cannot", "web" if at % 2 else "db"))
    assert [(found.key, found.count) for found in stores.events.since()] == [(key("web"), 4), (key("db"), 4)]


def test_repeated_event_moves_to_the_end_and_other_messages_stay(stores: OpenStores) -> None:
    for at, message in enumerate(("created", "cannot", "created"), 1):
        stores.events.record(event(at, message))
    stores.events.record(event(4.0, "about an agent", None))
    assert [(found.at, found.message, found.count) for found in stores.events.since()] == [
        (1.0, "created", 1),
        (2.0, "cannot", 1),
        (3.0, "created", 1),
        (4.0, "about an agent", 1),
    ]


def test_events_are_chosen_by_time_key_and_number(stores: OpenStores) -> None:
    for at in range(1, 6):
        stores.events.record(event(at, f"message {at}", "web" if at % 2 else "db"))
    assert [found.at for found in stores.events.since(3.0)] == [4.0, 5.0]
    assert [found.at for found in stores.events.since(key=key("web"))] == [1.0, 3.0, 5.0]
    assert [found.at for found in stores.events.since(limit=2)] == [4.0, 5.0]


def test_oldest_events_make_room(stores: OpenStores) -> None:
    events = SqliteEvents(stores.database, retention=3)
    for at in range(1, 8):
        events.record(event(at, f"message {at}"))
    assert [found.at for found in events.since()] == [5.0, 6.0, 7.0]


def test_suspended_keys_stay_until_resumed(stores: OpenStores) -> None:
    stores.overrides.suspend([key("web"), key("db")])
    stores.overrides.suspend([key("web")])
    stores.overrides.resume([key("db")])
    assert stores.overrides.suspended() == {key("web")}


def test_confirmation_serves_once(stores: OpenStores) -> None:
    stores.overrides.confirm([key("web"), key("db")])
    stores.overrides.use([key("web")])
    assert stores.overrides.confirmed() == {key("db")}


def test_holds_of_a_source_are_replaced_as_a_whole(stores: OpenStores) -> None:
    many = Hold(Reason.TOO_MANY_DELETES, "7 of 9", frozenset({key("web"), key("db")}), 3.0)
    empty = Hold(Reason.SOURCE_EMPTY, "nothing in it", frozenset(), 4.0)
    stores.holds.replace("/srv/state", [many, empty])
    stores.holds.replace("/srv/other", [empty])
    assert stores.holds.all("/srv/state") == [many, empty]
    stores.holds.replace("/srv/state", [])
    assert stores.holds.all("/srv/state") == []
    assert stores.holds.all("/srv/other") == [empty]
