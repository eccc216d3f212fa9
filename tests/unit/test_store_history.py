"""The history on SQLite: entries with what they did, and the files of a source as they were at any of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.engine.history import Deed, Ending, Entry, Kept, Result, Text
from controller.engine.requests import Cause
from controller.store.database import Database, open_database
from controller.store.history import SqliteHistory
from controller.store.home import Home
from controller.store.stores import open_stores
from resources.plan import Action
from tests.unit.store_samples import key

SOURCE = "/srv/state"


def entry(source: str = SOURCE, cause: Cause = Cause.EDIT, at: float = 1.0) -> Entry:
    return Entry(source, at, cause, "ada", "p2 apply")


def text(path: str, content: str) -> Text:
    return Text(path, hashlib.blake2b(content.encode(), digest_size=16).digest(), content.encode())


def at(history: SqliteHistory, number: int | None, source: str = SOURCE) -> dict[str, str]:
    """The files of a revision with their contents."""
    tree = history.tree(source, number)
    contents = history.content(kept.digest for kept in tree.values())
    return {path: contents[kept.digest].decode() for path, kept in tree.items() if kept.whole}


@pytest.fixture
def database() -> Database:
    return open_database(None)


@pytest.fixture
def history(database: Database) -> SqliteHistory:
    return SqliteHistory(database)


def test_an_entry_comes_back_as_it_was_kept_also_from_the_disk(home: Path) -> None:
    made = replace(entry(), restored=4, commit="c" * 40, dirty=True)
    deeds = (Deed(key("a"), Action.UPDATE, ("env.TZ", "image"), Result.DONE), Deed(key("b"), Action.DELETE))
    ended = replace(made, ending=Ending.FAILED, message="no room", seconds=1.5)
    with open_stores(Home(home)) as stores:
        number = stores.history.open(made, ())
        stores.history.note(number, ended, deeds)
    with open_stores(Home(home, read_only=True)) as stores:
        assert stores.history.find(number) == replace(ended, number=number, last=1.0, deeds=deeds)
        assert stores.history.find(number + 1) is None


def test_the_tree_of_a_revision_is_the_newest_of_each_path_until_then(history: SqliteHistory) -> None:
    history.open(entry(), [text("a", "a1"), text("b", "b1")])
    history.open(entry(), [text("a", "a2"), Text("b")])
    history.open(entry("/srv/other"), [text("a", "other")])
    history.open(entry(), [text("c", "c4"), text("b", "b4")])
    assert at(history, 1) == {"a": "a1", "b": "b1"}
    assert at(history, 2) == at(history, 3) == {"a": "a2"}
    assert at(history, None) == at(history, 4) == {"a": "a2", "b": "b4", "c": "c4"}
    assert at(history, None, "/srv/other") == {"a": "other"}
    assert list(history.texts(2)) == ["a", "b"]
    assert history.texts(2)["b"] is None


def test_a_content_is_kept_once_and_one_that_is_not_kept_has_its_digest(history: SqliteHistory) -> None:
    history.open(entry(), [text("a", "same"), text("b", "same"), Text("secret", b"d" * 16)])
    assert history.tree(SOURCE)["secret"] == Kept(b"d" * 16, False)
    assert history.content([b"d" * 16]) == {}
    with history._database.read() as connection:
        assert connection.execute("SELECT count(*) FROM blob").fetchone() == (1,)


def test_equal_drift_is_counted_and_its_number_free_again(history: SqliteHistory) -> None:
    first = history.open(entry(cause=Cause.DRIFT, at=1.0), ())
    again = history.open(entry(cause=Cause.DRIFT, at=2.0), ())
    history.note(
        again, replace(entry(cause=Cause.DRIFT), ending=Ending.CONVERGED, seconds=3.0), [Deed(key("a"), Action.UPDATE)]
    )
    assert history.merge(again, first)
    assert not history.merge(first, 99), "what is no longer kept counts nothing"
    [found] = history.entries()
    assert (found.number, found.at, found.last, found.count, found.ending) == (first, 1.0, 2.0, 2, Ending.CONVERGED)
    assert history.open(entry(), ()) == again


def test_only_what_is_open_is_interrupted(history: SqliteHistory) -> None:
    done, opened = history.open(entry(), ()), history.open(entry(), ())
    history.note(done, replace(entry(), ending=Ending.CONVERGED), ())
    history.interrupt()
    history.interrupt()
    assert [found.ending for found in history.entries()] == [Ending.INTERRUPTED, Ending.CONVERGED]
    assert history.find(opened)


def test_entries_are_found_by_source_kind_and_key_newest_first(history: SqliteHistory) -> None:
    for number, name in enumerate(["a", "b", "a"], start=1):
        history.open(entry(SOURCE if number < 3 else "/srv/other"), ())
        history.note(number, entry(), [Deed(key(name), Action.UPDATE)])
    kind = key("a").kind
    assert [found.number for found in history.entries(keys=[key("a")])] == [3, 1]
    assert [found.number for found in history.entries(keys=[key("a")], source=SOURCE)] == [1]
    assert [found.number for found in history.entries(kinds=[kind], limit=2)] == [3, 2]
    assert history.entries(kinds=[kind[:-1]]) == []
    assert history.range(SOURCE) == (1, 2)
    assert history.range("/nowhere") == (0, 0)


def test_drift_is_recalled_back_to_the_last_edit(history: SqliteHistory) -> None:
    history.open(entry(cause=Cause.DRIFT), ())
    history.open(entry(), ())
    history.open(entry(cause=Cause.DRIFT), ())
    history.open(entry("/srv/other"), ())
    assert [found.number for found in history.drifts(SOURCE)] == [3]


paths = st.sampled_from(["a", "b", "c"])
edits = st.lists(st.dictionaries(paths, st.none() | st.sampled_from("xyz"), max_size=3), min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(edits, st.integers(1, 8))
def test_retention_never_changes_a_tree_that_is_kept(made: list[dict[str, str | None]], keep: int) -> None:
    history = SqliteHistory(open_database(None), keep)
    trees: dict[int, dict[str, str]] = {}
    now: dict[str, str] = {}
    for edit in made:
        changed = [Text(path) if content is None else text(path, content) for path, content in edit.items()]
        now = {path: content for path, content in {**now, **edit}.items() if content is not None}
        trees[history.open(entry(), changed)] = now
    low, high = history.range()
    assert high == len(made)
    assert high - low + 1 == min(keep, len(made))
    for number in range(low, high + 1):
        assert at(history, number) == trees[number]
    with history._database.read() as connection:
        kept = {digest for (digest,) in connection.execute("SELECT digest FROM blob")}
        needed = {digest for (digest,) in connection.execute("SELECT digest FROM text WHERE digest IS NOT NULL")}
    assert kept == needed
    assert len(needed) <= 3
