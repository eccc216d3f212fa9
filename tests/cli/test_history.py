"""What the history says of what people and the world have done."""

from __future__ import annotations

import json
import sqlite3
import zlib
from typing import Any

import pytest

from tests.cli.story import Story


def history(story: Story, *arguments: str) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = json.loads(story.p2("history", "-o", "json", *arguments).out)
    return found


def changed(entry: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["key"].rpartition("/")[2]: (each["action"], each["outcome"]) for each in entry["changes"]}


def test_each_applied_edit_is_an_entry_with_fields_and_without_values(story: Story) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.p2("apply")
    story.write("a.yaml", story.file("one", "goodbye", mode='"0600"'), story.file("two"))
    story.p2("apply")
    newest, oldest = history(story)
    assert changed(oldest) == {"one": ("create", "done"), "two": ("create", "done")}
    assert newest["changes"] == [
        {
            "key": "File/default/one",
            "action": "update",
            "fields": ["content", "mode"],
            "outcome": "done",
            "message": "",
        }
    ]
    assert (newest["revision"], newest["cause"], newest["outcome"], newest["message"]) == (2, "edit", "converged", "")
    assert "goodbye" not in story.p2("history", "--revision", "2", "-o", "json").out
    assert [each["path"] for each in json.loads(story.p2("history", "--revision", "2", "-o", "json").out)["files"]] == [
        "a.yaml"
    ]


def test_what_changes_nothing_leaves_no_entry(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    for command in ("apply", "diff", "get", "validate", "apply"):
        story.p2(command)
    story.write("b.yaml", story.file("two"))
    story.p2("diff")
    assert len(history(story)) == 1


def test_an_apply_that_is_refused_leaves_no_entry(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    story.p2("apply")
    story.remove("b.yaml")
    assert story.p2("apply").code == 2
    assert len(history(story)) == 1
    assert story.p2("apply", "--yes").code == 0
    assert changed(history(story)[0]) == {"two": ("delete", "done")}


def test_drift_is_an_entry_of_its_own_and_equal_ones_are_counted(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    for _ in range(3):
        (story.world / "one").write_text("vandal")
        story.p2("apply")
    newest, _ = history(story)
    assert (newest["revision"], newest["cause"], newest["count"]) == (2, "drift", 3)
    assert changed(newest) == {"one": ("update", "done")}


def test_what_fails_says_why(story: Story) -> None:
    (story.world / "taken").write_text("somebody else's")
    story.write("a.yaml", story.file("one"), story.file("taken"))
    assert story.p2("apply").code == 1
    entry = history(story)[0]
    assert entry["outcome"] == "failed"
    assert entry["message"].startswith("File/taken: NotOwned: cannot take over")
    assert changed(entry) == {"one": ("create", "done"), "taken": ("none", "failed")}


def test_the_entry_of_a_failed_edit_is_followed_by_that_of_its_repair(story: Story) -> None:
    (story.world / "taken").write_text("somebody else's")
    story.write("a.yaml", story.file("taken"))
    story.p2("apply")
    (story.world / "taken").unlink()
    assert story.p2("apply").code == 0
    assert [(each["outcome"], each["cause"]) for each in history(story)] == [("converged", "edit"), ("failed", "edit")]


def test_a_deletion_by_name_is_one_too(story: Story) -> None:
    story.write("a.yaml", story.file("one", deletionPolicy="Retain"), story.file("two"))
    story.p2("apply")
    story.write("a.yaml", story.file("two"))
    story.p2("apply")
    assert story.p2("delete", "file/one", "--yes").code == 0
    entry = history(story)[0]
    assert (entry["cause"], entry["outcome"], changed(entry)) == ("delete", "converged", {"one": ("delete", "done")})


def test_it_can_be_asked_for_kinds_names_and_sources(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    other = story.root / "other"
    other.mkdir()
    (other / "b.yaml").write_text(story.file("two"))
    story.p2("apply", "other")
    assert [entry["revision"] for entry in history(story, "file/two")] == [2]
    assert [entry["revision"] for entry in history(story, "files")] == [2, 1]
    assert history(story, "container") == []
    assert [entry["revision"] for entry in history(story, "-s", "state")] == [1]
    assert [entry["revision"] for entry in history(story, "-n", "1")] == [2]
    shown = story.p2("history").out
    assert "state: + File/one" in shown
    assert "other: + File/two" in shown
    assert story.p2("history", "file/one", "--revision", "1").code == 2
    assert 'cannot find the kind "fil"' in story.p2("history", "fil").err


def test_before_anything_was_applied_it_says_so(story: Story) -> None:
    shown = story.p2("history")
    assert (shown.code, shown.out) == (0, "")
    assert "nothing was recorded yet" in shown.err
    assert json.loads(story.p2("history", "-o", "json").out) == []


def test_one_revision_is_shown_whole(story: Story) -> None:
    (story.world / "taken").write_text("somebody else's")
    story.write("a.yaml", story.file("one"), story.file("taken"))
    story.write("sub/b.yaml", story.file("two"))
    story.p2("apply")
    shown = story.p2("history", "--revision", "1").out
    for line in (
        "Revision 1",
        "  cause    edit",
        "  sub/b.yaml",
        "  + File/one  create  done",
        "  ! File/taken  failed",
    ):
        assert line in shown.splitlines(), shown


def test_keep_bounds_it_and_leaves_whole_what_remains(story: Story, home: Any) -> None:
    home.mkdir(mode=0o700)
    (home / "config.yaml").write_text("history: {keep: 5}\n")
    story.write("stays.yaml", story.file("stays"))
    for number in range(12):
        story.write("a.yaml", story.file("one", f"text {number}"))
        story.p2("apply")
    assert [entry["revision"] for entry in history(story)] == [12, 11, 10, 9, 8]
    assert story.p2("rollback", "8").code == 0
    assert (story.world / "one").read_text() == "text 7"
    assert (story.world / "stays").read_text() == "hello"
    refused = story.p2("rollback", "7")
    assert "there is 9 to 13" in refused.err
    with sqlite3.connect(home / "p2.db") as connection:
        kept = connection.execute("SELECT content FROM blob").fetchall()
    assert {zlib.decompress(content).decode() for (content,) in kept} == {
        story.file("stays"),
        *(story.file("one", f"text {number}") for number in range(7, 12)),
    }


@pytest.mark.parametrize("said", ["history: {keep: 0}", "history: {keep: many}", "history: 5"])
def test_a_wrong_number_to_keep_is_refused(story: Story, home: Any, said: str) -> None:
    home.mkdir(mode=0o700)
    (home / "config.yaml").write_text(said)
    story.write("a.yaml", story.file("one"))
    shown = story.p2("apply")
    assert shown.code == 2
    assert f"cannot use {home}/config.yaml: history must say how many revisions are kept" in shown.err
    assert not (story.world / "one").exists()
