"""One set of files for several machines: each takes what `spec.node` gives it, and leaves the rest alone."""

from __future__ import annotations

import json

import pytest

from tests.cli.story import Story
from tests.support import Controller, eventually

OTHER = "machine beta"


@pytest.fixture(autouse=True)
def _atlas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEGASUS2_NODE", "atlas")


def test_each_machine_makes_what_is_for_it_and_what_is_for_all(story: Story) -> None:
    story.write("a.yaml", story.file("ours", node="atlas"), story.file("theirs", node="beta"), story.file("all"))
    done = story.p2("apply")
    assert done.code == 0
    assert sorted(path.name for path in story.world.iterdir()) == ["all", "ours"]
    assert story.p2("diff").code == 0


def test_what_is_for_others_is_counted_once_and_not_shown(story: Story) -> None:
    story.write("a.yaml", story.file("ours"), story.file("theirs", node="beta"), story.file("more", node="gamma"))
    for command in ("diff", "get"):
        shown = story.p2(command)
        assert shown.err.count("2 resources are for other machines (beta, gamma)") == 1, command
        assert "theirs" not in shown.out
    found = json.loads(story.p2("diff", "-o", "json").out)
    assert [action["key"] for action in found["actions"]] == ["File/default/ours"]


def test_equal_names_on_several_machines_are_one_resource_each(story: Story) -> None:
    for node in ("atlas", "beta", "gamma"):
        story.write(f"{node}.yaml", story.file("motd", f"this is {node}", node=node))
    done = story.p2("apply")
    assert (done.code, (story.world / "motd").read_text()) == (0, "this is atlas")
    assert "2 resources are for other machines (beta, gamma)" in done.err
    story.remove("atlas.yaml")
    assert story.p2("apply", "--yes").code == 0
    assert not (story.world / "motd").exists()


def test_what_is_for_others_is_validated(story: Story) -> None:
    story.write("a.yaml", story.file("theirs", node="beta", mode="rubbish"))
    shown = story.p2("validate")
    assert (shown.code, "mode" in shown.out) == (2, True)
    story.write("a.yaml", story.file("theirs", node="beta"), story.file("ours"))
    assert "2 resources in state (1 for other machines), nothing wrong" in story.p2("validate").err


def test_who_asks_for_what_is_anothers_is_told_whose_it_is(story: Story) -> None:
    story.write("a.yaml", story.file("theirs", node="beta"))
    for command in (("get", "file/theirs"), ("describe", "file/theirs"), ("diff", "--only", "file/theirs")):
        shown = story.p2(*command)
        assert (shown.code, OTHER in shown.err) == (2, True), command


def test_reference_to_anothers_resource_is_missing_and_says_whose_it_is(story: Story) -> None:
    story.write("a.yaml", story.file("theirs", node="beta"), story.file("ours", dependsOn="[File/theirs]"))
    shown = story.p2("apply", "--keep-going")
    assert shown.code != 0
    assert "DependencyMissing" in story.p2("get", "file/ours").out
    assert "another machine's (beta, by its spec.node)" in story.p2("get", "file/ours").out
    assert not list(story.world.iterdir())


def test_resource_that_moves_to_another_machine_leaves_this_one(story: Story) -> None:
    story.write("a.yaml", story.file("moves"), story.file("stays"))
    assert story.p2("apply").code == 0
    story.write("a.yaml", story.file("moves", node="beta"), story.file("stays"))
    assert story.p2("apply").code == 2, "a deletion is asked for"
    assert story.p2("apply", "--yes").code == 0
    assert [path.name for path in story.world.iterdir()] == ["stays"]
    assert "moves" not in story.p2("get").out


def test_resource_that_moves_back_is_made_again(story: Story) -> None:
    story.write("a.yaml", story.file("moves", node="beta"))
    assert story.p2("apply").code == 0
    story.write("a.yaml", story.file("moves", node="atlas"))
    assert story.p2("apply").code == 0
    assert (story.world / "moves").read_text() == "hello"


def test_many_that_move_at_once_wait_for_a_confirmation(story: Story) -> None:
    names = [f"n{number}" for number in range(8)]
    story.write("a.yaml", *(story.file(name) for name in names))
    assert story.p2("apply").code == 0
    story.write("a.yaml", *(story.file(name, node="beta") for name in names))
    shown = story.p2("apply", "--yes")
    assert "TooManyDeletes" in shown.out
    assert len(list(story.world.iterdir())) == 8


@pytest.mark.parametrize("when", ["before", "in the edit that moves it"])
def test_retained_resource_that_moves_is_kept_for_good(story: Story, when: str) -> None:
    retained = {"deletionPolicy": "Retain"}
    story.write("a.yaml", story.file("moves", **(retained if when == "before" else {})), story.file("stays"))
    assert story.p2("apply").code == 0
    story.write(
        "a.yaml", story.file("moves", node="beta", **({} if when == "before" else retained)), story.file("stays")
    )
    assert "Retained" in story.p2("diff").out
    story.p2("apply", "--yes")
    story.write("a.yaml", story.file("stays"))
    story.p2("apply", "--yes")
    assert (story.world / "moves").exists(), "the protection outlives the file that said it"


def test_controller_lets_go_of_what_moves_and_says_so(story: Story) -> None:
    story.write("a.yaml", story.file("moves"), story.file("stays"))
    controller = Controller(story, {"PEGASUS2_NODE": "atlas"}).start()
    try:
        eventually(lambda: (story.world / "moves").exists(), "it was made")
        story.write("a.yaml", story.file("moves", node="beta"), story.file("stays"))
        eventually(lambda: not (story.world / "moves").exists(), "it left")
        assert (story.world / "stays").exists()
        sent = story.start("get")
        out, err = sent.communicate(timeout=20)
        assert "1 resource is for other machines (beta)" in err
        assert "moves" not in out
        assert controller.end() == 0, controller.log
    finally:
        controller.kill()
