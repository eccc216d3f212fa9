"""A running controller when much of its source is gone: what it keeps, what it says, and what a confirmation does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, eventually, fingerprint, happened, listed, told

QUIET = 2.0  # seconds without a change before something is deleted


def held(story: Story) -> dict[str, list[str]]:
    """What `p2 confirm` lists: names by reason."""
    found = json.loads(story.p2("confirm", "-o", "json").out)
    return {hold["reason"]: [key.rpartition("/")[2] for key in hold["keys"]] for hold in found}


def taken_away(story: Story) -> None:
    (story.root / "state").rename(story.root / "away")


def deleted(story: Story) -> None:
    shutil.copytree(story.root / "state", story.root / "away")
    shutil.rmtree(story.root / "state")


def emptied(story: Story) -> None:
    shutil.copytree(story.root / "state", story.root / "away")
    for file in (story.root / "state").iterdir():
        file.unlink()


def put_back(story: Story) -> None:
    shutil.copytree(story.root / "away", story.root / "state", dirs_exist_ok=True)


@pytest.mark.parametrize("vanishes", [taken_away, deleted, emptied])
def test_source_that_vanishes_takes_nothing_along_and_says_so(
    story: Story, controller: Controller, vanishes: Callable[[Story], None]
) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    before = fingerprint(story.world)
    vanishes(story)
    eventually(lambda: told(story, "SourceEmpty"), "it was told that the source is gone")
    assert "state" in told(story, "SourceEmpty")[0]
    eventually(
        lambda: {ready.get("reason") for ready in listed(story).values()} == {"SourceEmpty"}, "each resource said so"
    )
    assert all_ready(story, ["one", "two"])
    assert held(story) == {"SourceEmpty": ["one", "two"]}
    assert fingerprint(story.world) == before
    (story.world / "one").unlink()
    eventually((story.world / "one").exists, "it was healed all the same")
    put_back(story)
    story.write("b.yaml", story.file("two", "edited"))
    eventually(lambda: (story.world / "two").read_text() == "edited", "it followed the source again")
    eventually(
        lambda: {ready.get("reason") for ready in listed(story).values()} == {"Converged"}, "it said that all is well"
    )
    assert held(story) == {}
    assert happened(story, "Deleted") == []
    assert at_rest(controller)


@pytest.mark.parametrize("vanishes", [taken_away, emptied])
def test_confirmation_lets_go_what_the_source_declared_before_it_vanished(
    story: Story, controller: Controller, vanishes: Callable[[Story], None]
) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"), story.file("three"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two", "three"]), "all were made")
    vanishes(story)
    eventually(lambda: told(story, "SourceEmpty"), "it was told that the source is gone")
    assert story.p2("confirm", "file/one").out == "File/one is allowed from now on\n"
    eventually(lambda: not (story.world / "one").exists(), "what was confirmed was gone")
    assert held(story) == {"SourceEmpty": ["three", "two"]}
    assert (story.world / "two").exists()
    story.p2("confirm", "--all")
    eventually(lambda: listed(story) == {}, "nothing was left")
    story.write("b.yaml", story.file("three"), story.file("four"))
    eventually(lambda: all_ready(story, ["three", "four"]), "it followed the source again")
    assert happened(story, "Created") == ["four", "one", "three", "three", "two"]  # and nothing in between
    assert at_rest(controller)


def test_source_that_comes_back_brings_back_what_was_let_go(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    taken_away(story)
    eventually(lambda: told(story, "SourceEmpty"), "it was told that the source is gone")
    story.p2("confirm", "file/one")
    eventually(lambda: not (story.world / "one").exists(), "what was confirmed was gone")
    (story.root / "away").rename(story.root / "state")
    eventually(lambda: all_ready(story, ["one", "two"]), "it was made again")
    eventually(lambda: happened(story, "Created") == ["one", "one", "two"], "and only it was made again")
    assert at_rest(controller)


def test_confirmation_that_was_not_needed_in_the_end_lapses(story: Story) -> None:
    """Else it would let through, much later, the very accident that holds are there for."""
    names = [f"n{number}" for number in range(8)]
    many = [story.file(name) for name in names]
    story.write("a.yaml", story.file("stays"))
    story.write("b.yaml", *many)
    story.p2("apply")
    story.remove("b.yaml")
    story.p2("confirm", "--all")
    story.write("b.yaml", *many)
    assert story.p2("apply").code == 0
    story.remove("b.yaml")
    assert story.p2("apply", "--yes").code == 1
    assert held(story) == {"TooManyDeletes": names}
    assert sorted(path.name for path in story.world.iterdir()) == [*names, "stays"]


def test_many_removals_wait_for_a_confirmation_that_the_controller_obeys_at_once(
    story: Story, controller: Controller
) -> None:
    names = [f"n{number}" for number in range(8)]
    story.write("a.yaml", *[story.file(f"s{number}") for number in range(6)])
    story.write("b.yaml", *[story.file(name) for name in names])
    controller.start()
    eventually(lambda: len(list(story.world.iterdir())) == 14, "all were made")
    story.remove("b.yaml")
    eventually(lambda: told(story, "TooManyDeletes"), "it was told of the hold")
    assert "8 of 14 would go at once" in told(story, "TooManyDeletes")[0]
    eventually(lambda: listed(story)["n0"].get("reason") == "TooManyDeletes", "each resource said so")
    assert held(story) == {"TooManyDeletes": names}
    assert len(list(story.world.iterdir())) == 14
    story.p2("confirm", "file/n0")
    eventually(lambda: not (story.world / "n0").exists(), "what was confirmed was gone")
    assert held(story) == {"TooManyDeletes": names[1:]}
    story.p2("confirm", "--all")
    eventually(lambda: all_ready(story, [f"s{number}" for number in range(6)]), "the rest was gone too")
    assert happened(story, "Deleted") == names
    assert at_rest(controller)


def test_confirmation_counts_that_was_given_before_the_controller_has_noticed(
    story: Story, controller: Controller
) -> None:
    """It acts on removals when it has been quiet; the user need not wait for that."""
    names = [f"n{number}" for number in range(8)]
    story.write("a.yaml", story.file("stays"))
    story.write("b.yaml", *[story.file(name) for name in names])
    controller.start()
    eventually(lambda: all_ready(story, ["stays", *names]), "all were made")
    story.remove("b.yaml")
    assert len(story.p2("confirm", "--all").out.splitlines()) == 8
    eventually(lambda: all_ready(story, ["stays"]), "all of it was gone")
    assert at_rest(controller)


def test_removal_is_held_while_another_file_cannot_be_read(story: Story, controller: Controller) -> None:
    """The resource may have moved to the file that is broken just now."""
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.write("b.yaml", story.file("three"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two", "three"]), "all were made")
    before = fingerprint(story.world)
    story.write("b.yaml", story.file("three"), story.file("two").replace("spec:", "spec: ["))
    eventually(lambda: "b.yaml" in " ".join(told(story, "SourceInvalid")), "it was told of the mistake")
    story.write("a.yaml", story.file("one"))
    eventually(lambda: held(story) == {"SourceInvalid": ["two"]}, "the deletion was held")
    eventually(lambda: "SourceInvalid" in story.p2("get", "file/two").out, "get showed it")
    story.write("b.yaml", story.file("three"), story.file("two"))
    eventually(lambda: all_ready(story, ["one", "two", "three"]), "all was ready")
    eventually(lambda: held(story) == {}, "nothing was held any more")
    assert fingerprint(story.world) == before
    assert at_rest(controller)


def test_protection_outlives_the_file_that_declared_it(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two", deletionPolicy="Retain"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    story.remove("b.yaml")
    eventually(lambda: listed(story)["two"].get("reason") == "Retained", "it said that it keeps it")
    assert (story.world / "two").exists()
    assert at_rest(controller)
    story.p2("delete", "file/two", "--yes")
    assert not (story.world / "two").exists()


def test_taking_over_a_source_that_moved_is_no_leave_for_the_controller_of_the_old_place_to_delete(
    story: Story, controller: Controller
) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    before = fingerprint(story.world)
    (story.root / "state").rename(story.root / "moved")
    eventually(lambda: told(story, "SourceEmpty"), "it was told that the source is gone")
    confirmed = story.start("confirm", "-s", "moved", "--all").communicate(timeout=20)[0]
    assert "File/one is allowed from the next p2 apply moved on\n" in confirmed
    taking_over = story.start("apply", "moved")
    assert taking_over.wait(20) == 0, taking_over.communicate()
    assert fingerprint(story.world) == before
    assert happened(story, "Deleted") == []
    assert controller.end() == 0


def test_what_moved_is_listed_where_it_is_declared_now_and_not_as_a_deletion(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    assert story.p2("apply").code == 0
    before = fingerprint(story.world)
    (story.root / "state").rename(story.root / "moved")
    assert story.p2("confirm", "file/two").code == 0
    assert story.p2("apply", "--yes").code == 1  # keeps in the database that what is left is held
    shown = story.p2("confirm", "-s", "moved", "-o", "json")
    assert [(hold["reason"], hold["keys"]) for hold in json.loads(shown.out)] == [
        ("SourceMoved", ["File/default/one"]),
    ]
    assert story.p2("confirm", "-s", "moved", "--all").code == 0
    assert story.p2("apply", "--yes").code == 2, "the old place is still held back"
    assert fingerprint(story.world)["one"] == before["one"]
    assert story.p2("apply", "moved").code == 0
    assert fingerprint(story.world)["one"] == before["one"]


def test_a_file_that_is_half_written_when_the_controller_comes_takes_nothing_away(
    story: Story, controller: Controller
) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    assert story.p2("apply").code == 0
    before = fingerprint(story.world)
    story.write("a.yaml")  # as an editor leaves it for a moment
    controller.start()
    eventually(lambda: "watching" in controller.log, "it has come")
    eventually(lambda: len(json.loads(story.p2("history", "-o", "json").out)) == 2, "it has read the empty file")
    assert fingerprint(story.world) == before
    story.write("a.yaml", story.file("one"))
    eventually(lambda: all_ready(story, ["one", "two"]), "it has read the whole one")
    assert at_rest(controller)
    assert fingerprint(story.world) == before
    assert happened(story, "Deleted") == []


def test_what_left_before_the_controller_came_goes_when_it_has_been_quiet(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    assert story.p2("apply").code == 0
    story.remove("a.yaml")
    controller.start()
    eventually(lambda: not (story.world / "one").exists(), "it went")
    assert (story.world / "two").exists()
    assert at_rest(controller)
