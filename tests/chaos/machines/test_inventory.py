"""The inventory on a real file, against a map: reopened at any time, and on a disk that is full at any time."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from controller.engine.stores import NotKept, Record
from controller.store.database import open_database
from controller.store.inventory import SqliteInventory
from resources.meta import Key
from resources.plan import Action
from tests.chaos.machines.machine import Machine, endure

SOURCES = ["/one", "/one/below", "/two"]
KEYS = [Key(kind, space, name) for kind in ("File", "Volume") for space in ("default", "shop") for name in "abc"]
NO_LIMIT = 2**31 - 2


@st.composite
def records(draw: st.DrawFn) -> Record:
    big = draw(st.sampled_from([0, 0, 0, 9000]))  # bytes: a big one needs pages of its own
    return Record(
        key=draw(st.sampled_from(KEYS)),
        source=draw(st.sampled_from(SOURCES)),
        generation=draw(st.integers(1, 9)),
        digest=draw(st.sampled_from(["", "d1", "d2"])),
        handle=draw(st.sampled_from(["", "h1"])),
        applied="ü" * big,
        dependencies=frozenset(draw(st.lists(st.sampled_from(KEYS), max_size=2))),
        owner=draw(st.none() | st.sampled_from(KEYS)),
        intent=draw(st.none() | st.sampled_from(list(Action))),
        retain=draw(st.booleans()),
    )


class InventoryMachine(Machine):
    """What a call that returned was given is there, in memory and on disk; what a call that raised was given is nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="p2-machine-")
        self.path = Path(self.directory.name) / "p2.db"
        self.database = open_database(self.path)
        self.inventory = SqliteInventory(self.database)
        self.expected: dict[Key, Record] = {}

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    @rule(batch=st.lists(records(), min_size=1, max_size=4))
    def intend(self, batch: list[Record]) -> None:
        with suppress(NotKept):
            self.inventory.intend(batch)
            self.expected |= {record.key: record for record in batch}

    @rule(key=st.sampled_from(KEYS), digest=st.sampled_from(["d1", "d2"]))
    def confirm(self, key: Key, digest: str) -> None:
        if known := self.inventory.find(key):
            done = replace(known, intent=None, digest=digest, generation=known.generation + 1)
            with suppress(NotKept):
                self.inventory.confirm([done])
                self.expected[key] = done

    @rule(keys=st.lists(st.sampled_from(KEYS), max_size=3))
    def forget(self, keys: list[Key]) -> None:
        with suppress(NotKept):
            self.inventory.forget(keys)
            for key in keys:
                self.expected.pop(key, None)

    @rule(key=st.sampled_from(KEYS), source=st.sampled_from(SOURCES))
    def take_over(self, key: Key, source: str) -> None:
        if known := self.inventory.find(key):
            with suppress(NotKept):
                self.inventory.confirm([replace(known, source=source)])
                self.expected[key] = replace(known, source=source)

    @rule()
    def fill_the_disk(self) -> None:
        """SQLite itself says that there is no room: its file may not grow any more."""
        with self.database.read() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")

    @rule()
    def make_room(self) -> None:
        with self.database.read() as connection:
            connection.execute(f"PRAGMA max_page_count = {NO_LIMIT}")

    @rule()
    def restart(self) -> None:
        self.database.close()
        self.database = open_database(self.path)
        self.inventory = SqliteInventory(self.database)

    @rule()
    def lose_the_process(self) -> None:
        """The connection is not closed: another process opens the same file beside it."""
        left = self.database
        self.database = open_database(self.path)
        self.inventory = SqliteInventory(self.database)
        left.close()

    @invariant()
    def memory_and_disk_are_as_expected(self) -> None:
        for inventory in (self.inventory, SqliteInventory(self.database)):
            found = {source: dict(inventory.records(source)) for source in SOURCES}
            assert {key: record for own in found.values() for key, record in own.items()} == self.expected
            assert all(record.source == source for source, own in found.items() for record in own.values())
            assert all(inventory.count(source) == len(own) for source, own in found.items())
            assert inventory.sources() == sorted(source for source, own in found.items() if own)
            assert all(inventory.find(key) == self.expected.get(key) for key in KEYS)


def test_inventory_keeps_what_it_was_given_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    endure(InventoryMachine, capsys)


def test_disk_that_is_full_is_met_by_the_machine() -> None:
    """Otherwise the machine would prove less than it says."""
    machine = InventoryMachine()
    try:
        machine.fill_the_disk()
        with pytest.raises(NotKept, match="disk is full"):
            machine.inventory.intend([Record(KEYS[0], "/one", 1, applied="x" * 100_000)])
        machine.memory_and_disk_are_as_expected()
        machine.make_room()
        machine.inventory.intend([Record(KEYS[0], "/one", 1, applied="x" * 100_000)])
    finally:
        machine.teardown()
