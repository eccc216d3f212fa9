"""A running controller that is stopped, killed, frozen, or not alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, eventually, fingerprint, happened

# Files that change while the controller is frozen: more than the 16,384 events that the kernel keeps for a watch.
STORM = int(os.environ.get("P2_TEST_STORM", "20000"))


def many(story: Story, count: int, content: str = "hello") -> list[str]:
    names = [f"n{number}" for number in range(count)]
    story.write("many.yaml", *[story.file(name, content) for name in names])
    return names


def test_termination_in_the_middle_of_work_leaves_whole_things_and_the_next_start_goes_on(
    story: Story, controller: Controller
) -> None:
    names = many(story, 2000)
    controller.start()
    eventually(lambda: len(list(story.world.iterdir())) > 50, "it was at work")
    began = time.monotonic()
    assert controller.end() == 0
    assert time.monotonic() - began < 5
    made = {path.name for path in story.world.iterdir()}
    assert len(made) < len(names)
    assert all((story.world / name).read_text() == "hello" for name in made)
    controller.start()
    eventually(lambda: all_ready(story, names), "the rest was made")
    assert happened(story, "Created") == sorted(names)
    assert at_rest(controller)


def test_killed_controller_goes_on_where_it_was(story: Story, controller: Controller) -> None:
    """Killed at ever later moments of its work: nothing is lost, nothing is made twice, nothing half made stays."""
    names: list[str] = []
    for round in range(6):
        names = many(story, 300, f"round {round}")
        controller.start()
        eventually(lambda: any(holds(story.world / name, f"round {round}") for name in names), "it was at work")  # noqa: B023
        time.sleep(0.02 * round)  # the moment is the point
        controller.kill()
    controller.start()
    eventually(lambda: all_ready(story, names), "all was ready")
    assert sorted(path.name for path in story.world.iterdir()) == sorted(names)
    assert {(story.world / name).read_text() for name in names} == {"round 5"}
    assert happened(story, "NotOwned") == []
    assert at_rest(controller)


def holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def test_storm_of_changes_while_the_controller_is_frozen_ends_in_the_truth(
    story: Story, controller: Controller
) -> None:
    """The kernel drops the events of the source and of the world alike; nothing may depend on having heard them."""
    names = many(story, 50)
    controller.start()
    eventually(lambda: all_ready(story, names), "all were made")
    untouched = fingerprint(story.world)["n2"]
    controller.signal(signal.SIGSTOP)
    for directory in (story.root / "state", story.world):
        for number in range(STORM):
            path = directory / f"storm{number}"
            path.touch()
            path.unlink()
    (story.world / "n1").write_text("vandal")
    story.write("many.yaml", *[story.file(name, "edited" if name == "n0" else "hello") for name in names])
    controller.signal(signal.SIGCONT)
    eventually(lambda: holds(story.world / "n1", "hello"), "what was broken by hand was healed")
    eventually(lambda: holds(story.world / "n0", "edited"), "the edit was applied", seconds=40)
    eventually(lambda: all_ready(story, names), "all was ready")
    assert fingerprint(story.world)["n2"] == untouched
    assert at_rest(controller)


def test_what_happened_while_no_controller_ran_is_found_at_the_next_start(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"), story.file("three"))
    story.write("b.yaml", story.file("four"), story.file("five"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two", "three", "four", "five"]), "all were made")
    untouched = fingerprint(story.world)["five"]
    controller.kill()
    (story.world / "one").unlink()
    (story.world / "two").write_text("vandal")
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.write("b.yaml", story.file("four", "edited"), story.file("five"), story.file("six"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two", "four", "five", "six"]), "all was ready")
    found = {path.name: path.read_text() for path in story.world.iterdir()}
    assert found == {"one": "hello", "two": "hello", "four": "edited", "five": "hello", "six": "hello"}
    assert fingerprint(story.world)["five"] == untouched
    assert at_rest(controller)


def test_things_broken_by_hand_all_at_once_are_healed_and_their_neighbours_left_alone(
    story: Story, controller: Controller
) -> None:
    names = many(story, 100)
    controller.start()
    eventually(lambda: all_ready(story, names), "all were made")
    before = fingerprint(story.world)
    broken, neighbours = names[:60], names[60:]
    for number, name in enumerate(broken):
        path = story.world / name
        match number % 3:
            case 0:
                path.unlink()
            case 1:
                path.write_text("vandal")
            case 2:
                draft = story.root / "draft"
                draft.write_text("another file")
                draft.rename(path)
    eventually(lambda: all(holds(story.world / name, "hello") for name in names), "all was healed")
    after = fingerprint(story.world)
    assert {name for name in names if before[name] == after[name]} == set(neighbours)
    assert at_rest(controller)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_controller_with_nothing_to_do_ends_at_once(
    story: Story, controller: Controller, number: signal.Signals
) -> None:
    story.write("a.yaml", story.file("one"))
    controller.start()
    eventually(lambda: all_ready(story, ["one"]), "it was made")
    began = time.monotonic()
    controller.signal(number)
    eventually(lambda: not controller.alive, "it ended")
    assert time.monotonic() - began < 2
    assert controller.end() == 0
