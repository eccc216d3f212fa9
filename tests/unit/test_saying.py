"""What the database says is known without opening it as long as nobody else has written, and never wrongly."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller.engine.audit import AuditEntry
from controller.store import stamps
from controller.store.home import Home
from controller.store.saying import digest_of, note, said
from controller.store.stamps import are_past, stamp_of
from controller.store.stores import OpenStores, open_stores
from resources.meta import Key

ENTRY = AuditEntry(at=1000.0, action="apply")
WEB = Key("Container", "default", "web")


@pytest.fixture
def stores(home: Path) -> Iterator[OpenStores]:
    with open_stores(Home(home)) as found:
        yield found


def test_what_was_noted_is_known_when_the_database_is_closed(home: Path) -> None:
    with open_stores(Home(home)) as stores:
        stores.overrides.suspend([WEB])
        assert note(home, stores.database, digest := digest_of(stores.database))
        assert said(home) == digest
    assert said(home) == digest
    assert not (home / "p2.db-wal").exists()


def test_an_entry_of_the_audit_and_a_start_change_nothing_of_what_it_says(home: Path, stores: OpenStores) -> None:
    before = digest_of(stores.database)
    stores.audit.begin({"a-command": ENTRY})
    assert digest_of(stores.database) == before
    stores.audit.end({"a-command": ENTRY})
    stores.database.keep_meta("starts", "17")
    assert digest_of(stores.database) == before
    assert note(home, stores.database, before)
    assert said(home) == before


@pytest.mark.parametrize("closed", [False, True])
def test_what_another_writes_is_noticed(closed: bool, home: Path, stores: OpenStores) -> None:
    assert note(home, stores.database, digest_of(stores.database))
    with open_stores(Home(home)) as others:
        others.overrides.suspend([WEB])
        if not closed:
            assert said(home) is None
    assert said(home) is None


def test_what_another_has_written_since_it_was_opened_is_not_noted(home: Path, stores: OpenStores) -> None:
    before = digest_of(stores.database)
    with open_stores(Home(home)) as others:
        others.overrides.suspend([WEB])
    assert not note(home, stores.database, before)
    assert said(home) is None
    with open_stores(Home(home)) as again:
        assert note(home, again.database, digest_of(again.database))
    assert said(home) not in (None, before)


def test_a_look_through_a_database_that_is_only_read_writes_nothing_into_it(home: Path, stores: OpenStores) -> None:
    stores.overrides.suspend([WEB])
    stores.database.write_back()  # the log is written back, and this connection begins it anew
    stores.overrides.resume([WEB])
    size = (home / "p2.db-wal").stat().st_size
    with open_stores(Home(home, read_only=True)) as reading:
        assert note(home, reading.database, digest := digest_of(reading.database))
    assert (home / "p2.db-wal").stat().st_size == size
    assert said(home) == digest


def test_who_is_in_the_middle_of_reading_is_not_waited_for(home: Path, stores: OpenStores) -> None:
    stores.overrides.suspend([WEB])
    with closing(sqlite3.connect(home / "p2.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM suspended").fetchall()
        stores.overrides.resume([WEB])
        note(home, stores.database, digest_of(stores.database))
        stores.overrides.suspend([WEB])
        assert said(home) is None


def test_a_database_of_an_older_schema_is_never_noted(home: Path) -> None:
    with open_stores(Home(home)):
        pass
    with closing(sqlite3.connect(home / "p2.db", isolation_level=None)) as old:
        old.execute("ALTER TABLE revision DROP COLUMN deployment")
        old.execute("PRAGMA user_version = 7")
    with open_stores(Home(home, read_only=True)) as reading:  # a copy of it, brought up to date
        assert not note(home, reading.database, digest_of(reading.database))


def test_damaged_note_is_none(home: Path, stores: OpenStores) -> None:
    assert note(home, stores.database, digest_of(stores.database))
    for text in ("", "[]", '{"said": "x"}', '{"stamps": null}'):
        (home / "cache" / "database.said").write_text(text)
        assert said(home) is None


def test_stamps_are_past_when_the_clock_has_gone_on(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in ("one", "two", "six"):
        file.write_text(content)
        before = stamp_of(str(file))
        assert are_past([before, None])
        file.write_text("ten")
        assert stamp_of(str(file)) != before


def test_stamps_that_come_after_now_or_count_in_seconds_are_never_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_PATIENCE", 0.0)
    now = time.time_ns()
    assert not are_past([[0, 0, 0, 0, 0, 0, now + 10**12]])
    assert not are_past([[0, 0, 0, 0, 0, 0, now - now % 10**9 - 10**12]])
    assert are_past([[0, 0, 0, 0, 0, 0, now - now % 10**9 - 1]])
