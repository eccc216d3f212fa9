"""What single kills have left behind, as test_crashes.py found it; here they are made to hit that very moment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from controller.store.home import Home
from controller.store.stores import open_stores
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Action
from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, eventually, listed

BIG = 400 * 1024 * 1024  # bytes, of zeros that take no room: long enough to write to be killed at it


def big(story: Story) -> str:
    source = story.root / "big-source"
    with source.open("wb") as file:
        os.truncate(file.fileno(), BIG)
    return story.file("edited").replace("content: hello", f"source: {source}")


def kill_while_writing(story: Story) -> None:
    process = story.start("apply", "--yes")
    eventually(lambda: leftovers(story), "it was writing")
    process.kill()
    process.communicate()
    assert leftovers(story)


def leftovers(story: Story) -> list[str]:
    return [path.name for path in story.world.iterdir() if path.name.startswith(".p2-")]


@pytest.mark.parametrize("before", ["there", "absent"])
def test_half_written_file_goes_when_the_edit_that_wrote_it_is_taken_back(story: Story, before: str) -> None:
    """Then nothing is to be done about the resource any more, and no next write comes that would clear it away."""
    as_it_was = [story.file("stays"), *[story.file("edited")] * (before == "there")]
    story.write("all.yaml", *as_it_was)
    assert story.p2("apply").code == 0
    story.write("all.yaml", story.file("stays"), big(story))
    kill_while_writing(story)
    story.write("all.yaml", *as_it_was)
    assert story.p2("apply", "--yes").code == 0
    assert leftovers(story) == []
    assert sorted(path.name for path in story.world.iterdir()) == sorted(["stays", *["edited"] * (before == "there")])
    assert "nothing to do" in story.p2("apply").last


def test_adoption_that_was_killed_gives_back_what_it_found_however_it_is_edited_then(story: Story) -> None:
    """What was there is kept through two kills and an edit, and is back when the resource has gone."""
    (story.world / "edited").write_text("theirs")
    for text in ("ours", "ours, edited"):
        story.write("all.yaml", story.file("stays"), story.file("edited", text, adopt="true"))
        process = story.start("apply")
        eventually(lambda: (story.world / "edited").read_text() == text, "it was written")  # noqa: B023
        process.kill()
        process.communicate()
    story.write("all.yaml", story.file("stays"))
    assert story.p2("apply", "--yes").code == 0
    assert (story.world / "edited").read_text() == "theirs"


def at(story: Story, place: str, content: str = "hello") -> str:
    """A file that has been moved to `place`."""
    return story.file("edited", content).replace("world/edited", f"world/{place}")


def half_moved(story: Story, home: Path, *, old: bool) -> None:
    """As a kill leaves it between making the new file and the confirmation, before or after the old one is removed."""
    key, first, second = Key("File", "default", "edited"), story.world / "first", story.world / "second"
    with open_stores(Home(home)) as stores:
        record = stores.inventory.find(key)
        assert record is not None
        moved = record.applied.replace(str(first), str(second))
        assert moved != record.applied
        stores.inventory.intend([replace(record, intent=Action.REPLACE, intended=moved)])
    second.write_text("hello")
    second.chmod(0o644)
    if not old:
        first.unlink()


@pytest.mark.parametrize("old", [True, False], ids=["both there", "old one gone"])
@pytest.mark.parametrize(
    ("then", "left"),
    [
        (("second", "hello"), ["second", "stays"]),
        (("second", "edited"), ["second", "stays"]),
        (("third", "hello"), ["stays", "third"]),
        (("first", "hello"), ["first", "stays"]),
        (None, ["stays"]),
    ],
    ids=["as it was", "edited", "moved again", "moved back", "dropped"],
)
def test_move_that_was_killed_leaves_one_file_whatever_is_declared_then(
    story: Story, home: Path, then: tuple[str, str] | None, left: list[str], old: bool
) -> None:
    story.write("all.yaml", story.file("stays"), at(story, "first"))
    assert story.p2("apply").code == 0
    half_moved(story, home, old=old)
    story.write("all.yaml", story.file("stays"), *([at(story, *then)] if then else []))
    assert story.p2("apply", "--yes").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == left
    if then:
        assert (story.world / then[0]).read_text() == then[1]
    assert "nothing to do" in story.p2("apply").last


def test_half_moved_file_that_another_resource_declares_by_now_is_left_to_that_one(story: Story, home: Path) -> None:
    story.write("all.yaml", story.file("stays"), at(story, "first"))
    assert story.p2("apply").code == 0
    half_moved(story, home, old=True)
    other = at(story, "second").replace("name: edited", "name: other")
    story.write("all.yaml", story.file("stays"), at(story, "third"), other)
    assert story.p2("apply", "--yes").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == ["second", "stays", "third"]
    assert "nothing to do" in story.p2("apply").last


def test_half_moved_file_stays_while_a_brake_is_on_and_goes_after_it(story: Story, home: Path) -> None:
    story.write("all.yaml", story.file("stays"), at(story, "first"))
    assert story.p2("apply").code == 0
    half_moved(story, home, old=True)
    assert story.p2("pause").code == 0
    controller = Controller(story).start()
    try:
        eventually(lambda: "watching" in controller.log, "it runs")
        (story.world / "stays").write_text("vandal")
        eventually(lambda: listed(story)["stays"].get("reason") == Reason.PAUSED, "it has looked")
        assert sorted(path.name for path in story.world.iterdir()) == ["first", "second", "stays"]
        assert story.p2("unpause").code == 0
        eventually(lambda: not (story.world / "second").exists(), "it was cleared away")
        eventually(lambda: all_ready(story, ["edited", "stays"]), "all was put right")
        assert at_rest(controller)
    finally:
        controller.kill()
    assert (story.world / "first").read_text() == "hello"
