"""Several sources in one home, a source that moved, and sources in which much is wrong at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.story import Shown, Story
from tests.support import Controller, all_ready, at_rest, eventually, fingerprint, happened, listed, told


def write(story: Story, file: str, *documents: str) -> Path:
    """A file of any source."""
    path = story.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n---\n".join(documents))
    return path


def steady(story: Story, source: str) -> bool:
    before = fingerprint(story.world)
    again = story.p2("apply", source)
    return (again.code, "nothing to do" in again.last, fingerprint(story.world)) == (0, True, before)


def test_sources_of_one_home_leave_each_others_things_alone(story: Story) -> None:
    write(story, "shop/a.yaml", story.file("one"), story.file("two"))
    write(story, "blog/a.yaml", story.file("three"))
    assert story.p2("apply", "shop").code == 0
    assert story.p2("apply", "blog").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == ["one", "three", "two"]
    write(story, "shop/a.yaml", story.file("one"))
    assert story.p2("apply", "shop", "--yes").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == ["one", "three"]
    assert steady(story, "shop")
    assert steady(story, "blog")


def test_key_that_two_sources_declare_is_refused_naming_both(story: Story) -> None:
    write(story, "shop/a.yaml", story.file("one"))
    write(story, "blog/a.yaml", story.file("one", "other"), story.file("two"))
    assert story.p2("apply", "shop").code == 0
    for command in ("diff", "apply"):
        shown = story.p2(command, "blog")
        assert shown.code == {"diff": 2, "apply": 1}[command]
        assert "! File/one  Duplicate" in shown.out
        assert str(story.root / "shop") in shown.out
        assert str(story.root / "blog") in shown.out
    assert (story.world / "one").read_text() == "hello"
    assert (story.world / "two").exists()
    assert steady(story, "shop")
    write(story, "blog/a.yaml", story.file("two"))
    assert steady(story, "blog")


def test_source_that_moved_is_taken_over_after_one_confirmation_and_nothing_is_made_anew(story: Story) -> None:
    names = [f"n{number}" for number in range(12)]
    write(story, "state/a.yaml", *[story.file(name) for name in names])
    write(story, "state/sub/b.yaml", story.file("stays", deletionPolicy="Retain"))
    assert story.p2("apply").code == 0
    before = fingerprint(story.world)
    (story.root / "state").rename(story.root / "state2")
    shown = story.p2("apply", "state2", "--yes")
    assert shown.code == 1
    assert "! File/n0  SourceMoved" in shown.out
    assert f"p2 confirm -s {story.root / 'state2'}" in shown.out
    assert fingerprint(story.world) == before
    assert len(story.p2("confirm", "--all", "-s", "state2").out.splitlines()) == 13
    assert story.p2("apply", "state2", "--yes").code == 0
    assert fingerprint(story.world) == before
    assert steady(story, "state2")
    write(story, "state2/a.yaml", *[story.file(name) for name in names[1:]])
    assert story.p2("apply", "state2", "--yes").code == 0
    assert not (story.world / "n0").exists()


def test_source_that_moved_is_taken_over_by_a_running_controller(story: Story, controller: Controller) -> None:
    write(story, "elsewhere/a.yaml", story.file("one"), story.file("two"))
    assert story.p2("apply", "elsewhere").code == 0
    before = fingerprint(story.world)
    (story.root / "elsewhere").rename(story.root / "state")
    controller.start()
    eventually(lambda: len(told(story, "SourceMoved")) == 2, "it asked whether the source has moved")
    assert fingerprint(story.world) == before
    story.p2("confirm", "--all")
    eventually(lambda: all_ready(story, ["one", "two"]), "it took both over")
    assert fingerprint(story.world) == before
    assert happened(story, "Created") == ["one", "two"]
    assert at_rest(controller)


def test_delete_refuses_what_any_source_declares_naming_the_place(story: Story) -> None:
    write(story, "shop/a.yaml", story.file("one"), story.file("two"))
    assert story.p2("apply", "shop").code == 0
    for arguments in (["file/two"], ["file/two", "--yes"]):
        refused = story.p2("delete", *arguments)
        assert refused.code == 2
        assert (
            refused.err
            == "error: cannot delete File/two: shop/a.yaml:9 declares it; remove it there, then p2 apply shop\n"
        )
    assert (story.world / "two").exists()
    write(story, "shop/a.yaml", story.file("one"))
    assert "add --yes" in story.p2("delete", "file/two").err
    assert story.p2("delete", "file/two", "--yes").code == 0
    assert not (story.world / "two").exists()
    assert steady(story, "shop")


def bad_files(story: Story) -> dict[str, str]:
    """One file of each kind that can't be used, with what must be said of it."""
    state = story.root / "state"
    state.mkdir()
    good = story.file("one")
    texts = {
        "a-syntax.yaml": ("kind: [", "1:"),
        "a-tab.yaml": (good.replace("  path", "\tpath"), "5:"),
        "a-twice-a-key.yaml": (good + "  content: again\n", "content"),
        "a-wrong-type.yaml": (good.replace("hello", "[1, 2]"), "spec.content"),
        "a-unknown-kind.yaml": (good.replace("kind: File", "kind: Fiel"), "File"),
        "a-unknown-field.yaml": (good.replace("content:", "contents:"), "content"),
        "a-unknown-version.yaml": (good.replace("pegasus2.dev/v1", "pegasus2.dev/v9"), "pegasus2.dev/v1"),
        "a-invalid-name.yaml": (good.replace("name: one", "name: One_"), "metadata.name"),
        "a-number-for-mode.yaml": (good + "  mode: 0644\n", "quotes"),
    }
    for name, (text, _) in texts.items():
        (state / name).write_text(text)
    (state / "b-binary.yaml").write_bytes(os.urandom(2000))
    (state / "b-huge.yaml").write_text("# " + "x" * (10 << 20))
    (state / "b-folder.yaml").mkdir()
    (state / "b-loop.yaml").symlink_to(state / "b-loop.yaml")
    (state / "b-dangling.yaml").symlink_to(state / "nowhere.yaml")
    os.mkfifo(state / "b-fifo.yaml")
    others = {"b-binary.yaml": "", "b-huge.yaml": "split", "b-loop.yaml": "link", "b-dangling.yaml": "link"}
    return {name: says for name, (_, says) in texts.items()} | others | {"b-fifo.yaml": "not a regular file"}


def problems_of(shown: Shown) -> dict[str, str]:
    """What is said of each file."""
    lines = (shown.out + shown.err).splitlines()
    found = [line.removeprefix("state/").partition(":") for line in lines if line.startswith("state/")]
    return {name: rest for name, _, rest in found}


def test_everything_that_is_wrong_is_told_at_once_and_stops_nothing_else(story: Story) -> None:
    expected = bad_files(story)
    story.write("c-windows.yaml", "\ufeff" + story.file("windows").replace("\n", "\r\n"))
    story.write("c-empty.yaml", "")
    story.write("c-comments.yaml", "# nothing here\n---\n# nor here\n---\n")
    story.write("c-good.yaml", story.file("good"))
    for command in ("validate", "diff", "apply"):
        shown = story.p2(command)
        assert shown.code == 2
        problems = problems_of(shown)
        assert problems.keys() == expected.keys(), command
        for name, says in expected.items():
            assert says in problems[name], f"{name}: {problems[name]}"
    assert list(story.world.iterdir()) == []
    shown = story.p2("apply", "--keep-going")
    assert shown.code == 1
    assert sorted(path.name for path in story.world.iterdir()) == ["good", "windows"]
    for name in expected:
        (story.root / "state" / name).unlink()
    assert steady(story, "state")


def test_files_that_turn_bad_one_after_another_take_nothing_from_a_running_controller(
    story: Story, controller: Controller
) -> None:
    names = [f"n{number}" for number in range(6)]
    for name in names:
        story.write(f"{name}.yaml", story.file(name))
    controller.start()
    eventually(lambda: all_ready(story, names), "all were made")
    before = fingerprint(story.world)
    state = story.root / "state"
    (state / "n0.yaml").write_bytes(os.urandom(2000))
    (state / "n1.yaml").write_text("# " + "x" * (10 << 20))
    (state / "n2.yaml").write_text("")  # somebody's editor crashed: this is a removal
    (state / "n3.yaml").unlink()
    (state / "n3.yaml").symlink_to(state / "n3.yaml")
    (state / "n4.yaml").write_text(story.file("n4").replace("\n  path", "\n\tpath"))
    eventually(lambda: len(told(story, "SourceInvalid")) >= 4, "it was told of the four mistakes")
    eventually(lambda: listed(story)["n2"].get("reason") == "SourceInvalid", "the removal was held for them")
    assert fingerprint(story.world) == before
    story.write("n5.yaml", story.file("n5", "edited"))
    eventually(lambda: (story.world / "n5").read_text() == "edited", "what is in order was applied")
    for name in names[:5]:
        (state / f"{name}.yaml").unlink()
        story.write(f"{name}.yaml", story.file(name))
    eventually(lambda: all_ready(story, names), "all was ready")
    eventually(lambda: {ready["reason"] for ready in listed(story).values()} == {"Converged"}, "all was well")
    after = fingerprint(story.world)
    assert {name for name in names if before[name] != after[name]} == {"n5"}
    assert at_rest(controller)


@pytest.mark.parametrize("command", ["diff", "apply"])
def test_conflicts_across_files_name_both_places(story: Story, command: str) -> None:
    story.write("a.yaml", story.file("one"), story.file("two", dependsOn="[File/three]"))
    story.write("b.yaml", story.file("three", dependsOn="[File/two]"), story.file("four", dependsOn="[File/nowhere]"))
    story.write("c.yaml", story.file("one", "again"), story.file("five").replace("world/five", "world/one"))
    shown = story.p2(command)
    assert shown.code == 2
    said = shown.err
    assert "File/one twice" in said
    assert "File/two -> File/three -> File/two" in said or "File/three -> File/two -> File/three" in said
    assert "cannot find File/nowhere" in said
    assert f"path {story.world / 'one'}" in said
    assert list(story.world.iterdir()) == []
