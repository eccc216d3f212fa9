"""The audit at rest: added to and never changed, found again, pruned only where it is old and long."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from controller.engine.audit import AuditEntry, AuditQuery, Ending
from controller.store.database import DatabaseError
from controller.store.home import Home
from controller.store.schema import NEVER_PRUNED
from controller.store.stores import OpenStores, open_stores
from tests.unit.store_samples import key, record

ENTRY = AuditEntry(
    at=1000.0,
    action="update",
    outcome=Ending.FAILED,
    key=key("web"),
    user="ada",
    command="p2 apply state",
    cause="edit",
    fields=("content", "mode"),
    generation=3,
    file="/srv/state/web.yaml",
    reason="Refused",
    message="cannot write it",
    code=None,
    seconds=0.25,
)
COMMAND = AuditEntry(at=1001.0, action="apply", user="root (ada)", command="p2 apply state", code=0)
ALL = AuditQuery(limit=1_000_000)

# Begins something, says so, and never ends it.
BEGINNER = """
import sys, time
from pathlib import Path
from controller.engine.audit import AuditEntry
from controller.store.home import Home
from controller.store.stores import open_stores
open_stores(Home(Path(sys.argv[1]))).audit.begin({"a-command": AuditEntry(at=5.0, action="suspend", user="ada")})
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stores(home: Path) -> Iterator[OpenStores]:
    with open_stores(Home(home)) as stores:
        yield stores


def add(stores: OpenStores, *entries: AuditEntry) -> None:
    stores.audit.end({str(number): entry for number, entry in enumerate(entries)})


def found(stores: OpenStores, **query: object) -> list[AuditEntry]:
    return list(stores.audit.entries(replace(ALL, **query)))  # type: ignore[arg-type]


def test_entries_are_read_back_as_they_were_written_oldest_first(stores: OpenStores) -> None:
    add(stores, ENTRY, COMMAND)
    assert found(stores) == [ENTRY, COMMAND]


def test_each_condition_of_a_query_narrows_it(stores: OpenStores) -> None:
    other = replace(ENTRY, at=2000.0, key=key("db"), user="controller", action="create", outcome=Ending.DONE)
    add(stores, ENTRY, COMMAND, other)
    assert found(stores, keys=frozenset([key("db")])) == [other]
    assert found(stores, kinds=frozenset(["File"])) == [ENTRY, other]
    assert found(stores, kinds=frozenset(["Container"])) == []
    assert found(stores, since=1001.0) == [COMMAND, other]
    assert found(stores, user="ada") == [ENTRY, COMMAND]
    assert found(stores, user="root") == []
    assert found(stores, action="apply") == [COMMAND]
    assert found(stores, outcome=Ending.FAILED) == [ENTRY]
    assert found(stores, limit=2) == [COMMAND, other]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET user = 'nobody'",
        "UPDATE audit SET message = '' WHERE number = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number = 1",
        "INSERT OR REPLACE INTO audit SELECT number, at, action, outcome, key, 'nobody', command, cause, fields, "
        "generation, file, reason, message, code, seconds FROM audit",
        "REPLACE INTO audit SELECT * FROM audit",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_written(home: Path, statement: str) -> None:
    with open_stores(Home(home)) as stores:
        add(stores, ENTRY, COMMAND)
    with closing(sqlite3.connect(home / "p2.db")) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
        connection.commit()
    with open_stores(Home(home)) as stores:
        assert found(stores) == [ENTRY, COMMAND]


def test_pruning_removes_the_old_beyond_the_newest_and_nothing_else(stores: OpenStores) -> None:
    add(stores, *(replace(COMMAND, at=float(number)) for number in range(NEVER_PRUNED + 2500)))
    assert stores.audit.prune(2000.0) == 2000
    assert [found(stores)[0].at, len(found(stores))] == [2000.0, NEVER_PRUNED + 500]
    assert stores.audit.prune(1e12) == 500
    assert len(found(stores)) == NEVER_PRUNED
    assert stores.audit.prune(1e12) == 0


def test_a_clock_that_was_set_back_does_not_let_pruning_stop(stores: OpenStores) -> None:
    times = (9e9 if number == 0 else 1.0 for number in range(NEVER_PRUNED + 10))
    add(stores, *(replace(COMMAND, at=at) for at in times))
    assert stores.audit.prune(2.0) == 9
    assert found(stores)[0].at == 9e9


def test_what_has_begun_becomes_an_entry_when_it_ends(stores: OpenStores) -> None:
    stores.audit.begin({"web": ENTRY})
    assert found(stores) == []
    stores.audit.end({"web": ENTRY})
    assert found(stores) == [ENTRY]
    assert stores.audit.recover(2000.0) == []


def test_an_action_that_never_ended_is_interrupted_at_the_next_start(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        stores.audit.begin({"web": ENTRY})
    with open_stores(Home(home)) as stores:
        [entry] = stores.audit.recover(1010.0)
        assert found(stores) == [entry]
        assert stores.audit.recover(1020.0) == []
    assert (entry.outcome, entry.user, entry.command, entry.at) == (Ending.INTERRUPTED, "ada", "p2 apply state", 1010.0)
    assert entry.message.startswith("the process ended while it was under way")


def test_a_command_that_goes_on_elsewhere_is_not_taken_for_interrupted(home: Path) -> None:
    command = [sys.executable, "-c", BEGINNER, str(home)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        open_stores(Home(home)) as stores,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            assert stores.audit.recover(1010.0) == []
            process.kill()
            process.wait()
            [entry] = stores.audit.recover(1010.0)
            assert (entry.action, entry.outcome, entry.key) == ("suspend", Ending.INTERRUPTED, None)
        finally:
            process.kill()


def test_an_end_that_could_not_be_written_down_leaves_an_entry_all_the_same(stores: OpenStores) -> None:
    stores.audit.begin({"web": ENTRY})
    stores.audit.begin({"web": replace(ENTRY, at=1100.0)})
    [entry] = found(stores)
    assert (entry.outcome, entry.message) == (Ending.INTERRUPTED, "how it ended could not be written down")


def test_what_is_kept_together_is_kept_all_or_not_at_all(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        with pytest.raises(RuntimeError), stores.together():
            stores.inventory.confirm([record("web")])
            add(stores, ENTRY)
            raise RuntimeError
        assert stores.inventory.find(key("web")) is None, "memory is ahead of the disk"
        with stores.together():
            stores.inventory.confirm([record("web")])
            stores.overrides.suspend([key("web")])
            add(stores, ENTRY)
        assert stores.inventory.find(key("web")) == record("web")
    with open_stores(Home(home)) as stores:
        assert stores.inventory.find(key("web")) == record("web")
        assert stores.overrides.suspended() == {key("web")}
        assert found(stores) == [ENTRY]


def test_the_inventory_is_right_after_a_failed_removal(stores: OpenStores) -> None:
    stores.inventory.confirm([record("web")])
    with pytest.raises(DatabaseError), stores.together():
        stores.inventory.forget([key("web")])
        with stores.database.write() as connection:
            connection.execute("DELETE FROM nowhere")
    assert stores.inventory.find(key("web")) == record("web")
