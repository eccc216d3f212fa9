"""The inventory: per source, from memory, on disk before the call returns."""

from __future__ import annotations

import threading
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.engine.stores import Record
from controller.store.database import DamagedError, Database, open_database
from controller.store.inventory import COLUMNS, SqliteInventory
from resources.meta import Key
from resources.plan import Action
from tests.unit.store_samples import key, record


@pytest.fixture
def database() -> Database:
    return open_database(None)


@pytest.fixture
def inventory(database: Database) -> SqliteInventory:
    return SqliteInventory(database)


def test_every_field_of_a_record_survives_a_restart(database: Database, inventory: SqliteInventory) -> None:
    full = Record(
        key=key("web"),
        source="/srv/state",
        generation=7,
        digest="d1",
        handle="h1",
        applied='{"name": "über"}',
        file="/srv/state/a.yaml",
        dependencies=frozenset({key("db"), Key("Network", "shop", "front")}),
        owner=Key("Stack", "default", "shop"),
        intent=Action.REPLACE,
        retain=True,
        adopted=True,
        kept="/home/old",
        recovered=True,
        good='{"name": "web"}',
        good_digest="d0",
        tried="d1",
        tried_at=1.5,
        given_up="d2",
        intended='{"name": "moved"}',
        given_up_why="it was not Ready within 5m",
    )
    assert all(getattr(full, field.name) != field.default for field in fields(Record)), (
        "the sample leaves a field unset"
    )
    inventory.intend([full])
    assert SqliteInventory(database).find(key("web")) == full


@pytest.mark.parametrize("column", COLUMNS)
def test_damage_in_any_column_is_noticed(database: Database, inventory: SqliteInventory, column: str) -> None:
    inventory.confirm([replace(record("web"), tried_at=1)])
    assert SqliteInventory(database).find(key("web"))
    with database.write() as connection:
        connection.execute(f"UPDATE inventory SET {column} = coalesce({column}, '') || '1'")
    with pytest.raises(DamagedError):
        SqliteInventory(database).sources()


def test_confirmed_record_replaces_the_intended_one(database: Database, inventory: SqliteInventory) -> None:
    intended = replace(record("web"), intent=Action.CREATE)
    inventory.intend([intended])
    assert inventory.find(key("web")) == intended
    inventory.confirm([record("web")])
    assert inventory.find(key("web")) == record("web")
    assert SqliteInventory(database).records("/srv/state") == {key("web"): record("web")}


def test_sources_are_kept_apart(inventory: SqliteInventory) -> None:
    inventory.confirm([record("web"), record("db", source="/srv/other")])
    assert inventory.sources() == ["/srv/other", "/srv/state"]
    assert list(inventory.records("/srv/state")) == [key("web")]
    assert inventory.records("/srv/nothing") == {}
    assert inventory.find(key("db")) == record("db", source="/srv/other")


def test_record_taken_over_by_another_source_leaves_the_old_one(inventory: SqliteInventory) -> None:
    inventory.confirm([record("web")])
    inventory.confirm([record("web", source="/srv/moved")])
    assert inventory.sources() == ["/srv/moved"]
    assert inventory.records("/srv/state") == {}


def test_forgotten_record_is_gone_from_memory_and_disk(database: Database, inventory: SqliteInventory) -> None:
    inventory.confirm([record("web"), record("db")])
    inventory.forget([key("web"), key("never-known")])
    assert inventory.find(key("web")) is None
    assert list(SqliteInventory(database).records("/srv/state")) == [key("db")]


def test_answer_does_not_change_under_the_reader(inventory: SqliteInventory) -> None:
    inventory.confirm([record("web")])
    before = inventory.records("/srv/state")
    inventory.forget([key("web")])
    assert list(before) == [key("web")]


def test_threads_lose_no_record(database: Database, inventory: SqliteInventory) -> None:
    def work(thread: int) -> None:
        for number in range(50):
            inventory.intend([record(f"file-{thread}-{number}")])
            inventory.confirm([record(f"file-{thread}-{number}", generation=2)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {found.generation for found in inventory.records("/srv/state").values()} == {2}
    assert len(SqliteInventory(database).records("/srv/state")) == 200


_NAMES = st.sampled_from(["a", "b", "c"])
_SOURCES = st.sampled_from(["/one", "/two"])


@given(st.lists(st.tuples(st.sampled_from(["keep", "forget", "restart"]), _NAMES, _SOURCES)))
def test_memory_and_disk_agree_after_any_sequence(steps: list[tuple[str, str, str]]) -> None:
    database = open_database(None)
    inventory = SqliteInventory(database)
    expected: dict[Key, Record] = {}
    for action, name, source in steps:
        if action == "keep":
            expected[key(name)] = record(name, source)
            inventory.confirm([record(name, source)])
        elif action == "forget":
            expected.pop(key(name), None)
            inventory.forget([key(name)])
        else:
            inventory = SqliteInventory(database)
    for reader in (inventory, SqliteInventory(database)):
        assert {
            found.key: found for source in reader.sources() for found in reader.records(source).values()
        } == expected
        assert reader.sources() == sorted({found.source for found in expected.values()})
