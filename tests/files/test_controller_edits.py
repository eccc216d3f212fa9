"""A running controller and the ways in which people, editors and git change files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, events, eventually, fingerprint, happened, told

QUIET = 2.0  # seconds without a change before something is deleted


def by_atomic_rename(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text)
    draft.replace(path)


def as_vim_does(path: Path, text: str) -> None:
    """With its swap file, its probe of the directory, and its backup."""
    swap, probe, backup = path.with_name(f".{path.name}.swp"), path.with_name("4913"), path.with_name(f"{path.name}~")
    swap.write_bytes(b"b0VIM")
    probe.touch()
    probe.unlink()
    path.rename(backup)
    path.write_text(text)
    backup.unlink()
    swap.unlink()


def as_sed_does(path: Path, text: str) -> None:
    line = next(line for line in text.splitlines() if "content:" in line)
    subprocess.run(["sed", "-i", f"s/^  content:.*/{line}/", path], check=True)


def holds(path: Path, text: str) -> bool:
    return path.read_text() == text


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def in_pieces(path: Path, text: str) -> None:
    """As over a slow connection; what there is of it lacks what must be there, or is no YAML, until the end."""
    ends = [0, text.index("kind"), text.index("metadata") + 12, text.index("path") + 8, len(text)]
    with path.open("w") as file:
        for start, end in pairwise(ends):
            file.write(text[start:end])
            file.flush()
            time.sleep(0.15)


WAYS = {"atomic": by_atomic_rename, "vim": as_vim_does, "sed": as_sed_does, "plain": in_place, "slow": in_pieces}


def test_file_that_is_saved_is_acted_on_once_whatever_saves_it(story: Story, controller: Controller) -> None:
    file = story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    untouched = fingerprint(story.world)["two"]
    for done, (way, save) in enumerate(WAYS.items(), start=1):
        save(file, story.file("one", way))
        eventually(partial(holds, story.world / "one", way), f"the edit was applied ({way})")
        eventually(lambda: all_ready(story, ["one", "two"]), "it was ready")
        assert happened(story, "Updated") == ["one"] * done, way
    assert happened(story, "Created") == ["one", "two"]
    assert happened(story, "Deleted") == []
    assert fingerprint(story.world)["two"] == untouched
    assert at_rest(controller)


def test_half_written_file_is_named_and_takes_nothing_away_until_it_is_whole(
    story: Story, controller: Controller
) -> None:
    file = story.write("a.yaml", story.file("one"), story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    whole = f"{story.file('one', 'edited')}\n---\n{story.file('two')}"
    file.write_text(whole[:-30])
    eventually(lambda: told(story, "SourceInvalid"), "it was told of the mistake")
    (event,) = [event for event in events(story) if event["reason"] == "SourceInvalid" and not event["key"]]
    assert event["level"] == "Warning"
    assert event["message"].startswith(f"{file}:"), event
    assert event["message"].removeprefix(f"{file}:")[0].isdigit(), event
    (story.world / "one").unlink()
    eventually((story.world / "one").exists, "the last good version was put back")
    assert (story.world / "one").read_text() == "hello"
    assert "a.yaml" in story.p2("get", "file/one").out
    file.write_text(whole)
    eventually(lambda: (story.world / "one").read_text() == "edited", "the whole file was applied")
    eventually(lambda: "SourceInvalid" not in story.p2("get").out, "the mistake was forgotten")
    assert happened(story, "Deleted") == []
    assert at_rest(controller)


def test_removed_file_takes_its_resources_along_only_when_it_has_been_quiet(
    story: Story, controller: Controller
) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    story.remove("b.yaml")
    removed = time.monotonic()
    eventually(lambda: not (story.world / "two").exists(), "what was removed was gone")
    assert time.monotonic() - removed >= QUIET
    eventually(lambda: all_ready(story, ["one"]), "nothing was left of it")
    assert at_rest(controller)


def test_directory_that_is_deleted_and_comes_back_changes_only_what_was_edited(
    story: Story, controller: Controller
) -> None:
    names = [f"n{number}" for number in range(20)]
    team = story.root / "state" / "team"
    for name in names:
        story.write(f"team/{name}.yaml", story.file(name))
    story.write("a.yaml", story.file("alone"))
    controller.start()
    eventually(lambda: all_ready(story, [*names, "alone"]), "all were made")
    before = fingerprint(story.world)
    kept = shutil.copytree(team, story.root / "kept")
    shutil.rmtree(team)
    time.sleep(QUIET / 4)  # somebody copies it back, which takes a moment
    shutil.copytree(kept, team)
    story.write("team/n3.yaml", story.file("n3", "edited"))
    eventually(lambda: (story.world / "n3").read_text() == "edited", "the edit was applied")
    eventually(lambda: all_ready(story, [*names, "alone"]), "all was ready again")
    after = fingerprint(story.world)
    assert {name for name in before if before[name] != after[name]} == {"n3"}
    assert happened(story, "Deleted") == []
    assert at_rest(controller)


@pytest.mark.parametrize("order", ["added first", "removed first"])
def test_resource_that_moves_to_another_file_stays_the_same(story: Story, controller: Controller, order: str) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.write("b.yaml", story.file("three"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two", "three"]), "all were made")
    before = fingerprint(story.world)
    steps = [
        lambda: story.write("b.yaml", story.file("three"), story.file("two")),
        lambda: story.write("a.yaml", story.file("one")),
    ]
    for step in steps if order == "added first" else reversed(steps):
        step()
        time.sleep(QUIET / 4)  # a person takes this long from one file to the next
    moved = str(story.root / "state" / "b.yaml")
    eventually(
        lambda: f'"file": "{moved}"' in story.p2("get", "file/two", "-o", "json").out, "it was known to have moved"
    )
    eventually(lambda: all_ready(story, ["one", "two", "three"]), "all was ready")
    time.sleep(QUIET)  # long enough for a deletion
    assert fingerprint(story.world) == before
    assert happened(story, "Deleted") == []
    assert at_rest(controller)


def git(story: Story, *arguments: str) -> None:
    name = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = {**os.environ, **name, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *arguments], cwd=story.root, env=environment, check=True, capture_output=True)


def test_branch_switch_of_four_hundred_files_is_one_revision(story: Story, controller: Controller) -> None:
    """Every file has another name on the other branch, so git deletes all of them before it writes the first; every
    fourth resource has another content there."""
    names = [f"n{number}" for number in range(400)]
    edited = names[::4]
    git(story, "init", "--quiet", "--initial-branch=main")
    for name in names:
        story.write(f"{name}.yaml", story.file(name))
    git(story, "add", "state")
    git(story, "commit", "--quiet", "--message=main")
    git(story, "checkout", "--quiet", "-b", "other")
    shutil.rmtree(story.root / "state")
    for name in names:
        story.write(f"x-{name}.yaml", story.file(name, "other" if name in edited else "hello"))
    git(story, "add", "--all", "state")
    git(story, "commit", "--quiet", "--message=other")
    git(story, "checkout", "--quiet", "main")
    controller.start()
    eventually(lambda: all_ready(story, names), "all were made")
    before = fingerprint(story.world)
    for branch, content in [("other", "other"), ("main", "hello"), ("other", "other")]:
        git(story, "checkout", "--quiet", branch)
        for name in edited:
            eventually(partial(holds, story.world / name, content), f"{branch} was applied")
        eventually(lambda: all_ready(story, names), "all was ready")
    after = fingerprint(story.world)
    assert {name for name in names if before[name] != after[name]} == set(edited)
    assert happened(story, "Created") == sorted(names)
    assert happened(story, "Updated") == sorted(edited * 3)
    assert happened(story, "Deleted") == []
    assert at_rest(controller)
