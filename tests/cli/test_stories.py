"""Stories of diff and apply on real files: what a person does, what the machine is afterwards, and that it stays so."""

from __future__ import annotations

import json
import time

import pytest

from tests.cli.story import Story


def steady(story: Story) -> bool:
    """Nothing more is to be done, and doing it changes nothing."""
    before = {path: path.stat().st_mtime_ns for path in story.world.iterdir()}
    again = story.p2("apply")
    return (
        (again.code, story.p2("diff").code) == (0, 0)
        and "nothing to do" in again.last
        and before == {path: path.stat().st_mtime_ns for path in story.world.iterdir()}
    )


def test_from_nothing_to_what_is_declared(story: Story) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    assert story.p2("diff").code == 1
    shown = story.p2("apply")
    assert shown.code == 0
    assert shown.last == "Converged: 2 created; 2 ready"
    assert (story.world / "one").read_text() == "hello"
    assert steady(story)


def test_an_edit_is_shown_by_field_then_applied_then_nothing_differs(story: Story) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.p2("apply")
    story.write("a.yaml", story.file("one", "goodbye"), story.file("two"))
    shown = story.p2("diff")
    assert shown.code == 1
    assert shown.out == (
        '~ File/one  update\n    content: "hello" -> "goodbye"   edited\n\n'
        "Plan: 0 to create, 1 to update, 0 to delete; 1 unchanged\n"
    )
    assert (story.world / "one").read_text() == "hello"
    assert story.p2("apply").code == 0
    assert (story.world / "one").read_text() == "goodbye"
    assert steady(story)


def test_drift_is_told_from_edits_and_corrected(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    (story.world / "one").write_text("vandal")
    assert 'content: "vandal" -> "hello"   drifted' in story.p2("diff").out
    assert story.p2("apply").code == 0
    assert (story.world / "one").read_text() == "hello"
    assert steady(story)


def test_what_has_left_the_source_goes_only_with_consent(story: Story) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.p2("apply")
    story.write("a.yaml", story.file("one"))
    refused = story.p2("apply")
    assert refused.code == 2
    assert refused.err.startswith("error: cannot delete 1 resource without being told: add --yes")
    assert (story.world / "two").exists()
    assert story.p2("apply", "--no-prune").code == 0
    assert (story.world / "two").exists()
    assert story.p2("apply", "--yes").last == "Converged: 1 deleted; 1 ready"
    assert not (story.world / "two").exists()
    assert steady(story)


def test_many_deletes_at_once_wait_for_a_confirmation(story: Story) -> None:
    names = [f"n{number}" for number in range(8)]
    story.write("a.yaml", *[story.file(name) for name in names])
    story.write("b.yaml", story.file("stays"))
    story.p2("apply")
    story.remove("a.yaml")
    held = story.p2("apply", "--yes")
    assert "! held back (TooManyDeletes): 8 resources" in held.out
    assert held.code == 1
    assert all((story.world / name).exists() for name in names)
    assert story.p2("diff").code == 1
    waiting = story.p2("confirm")
    assert "8 of 9 would go at once" in waiting.out
    assert "8 resources can be allowed" in waiting.err
    assert story.p2("confirm", "file/n0").out == "File/n0 is allowed from the next p2 apply or p2 run on\n"
    story.p2("apply", "--yes")
    assert not (story.world / "n0").exists()
    assert (story.world / "n1").exists()
    story.p2("confirm", "--all")
    assert story.p2("apply", "--yes").code == 0
    assert [path.name for path in story.world.iterdir()] == ["stays"]
    assert steady(story)


def test_what_nothing_holds_back_cannot_be_confirmed(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    refused = story.p2("confirm", "file/one")
    assert refused.code == 2
    assert "nothing about it is held back" in refused.err


def test_what_was_retained_is_kept_until_it_is_deleted_by_name(story: Story) -> None:
    story.write("a.yaml", story.file("one", deletionPolicy="Retain"), story.file("two"))
    story.p2("apply")
    refused = story.p2("delete", "file/one", "--yes")
    assert refused.code == 2
    assert refused.err == (
        "error: cannot delete File/one: state/a.yaml:1 declares it; remove it there, then p2 apply\n"
    )
    assert "state/a.yaml:10 declares it" in story.p2("delete", "file/two", "--yes").err
    story.write("a.yaml", story.file("two"))
    assert story.p2("apply").code == 0
    assert (story.world / "one").exists()
    assert story.p2("diff").code == 0
    assert story.p2("delete", "file/one").code == 2
    assert (story.world / "one").exists()
    assert story.p2("delete", "file/one", "--yes").out == "1 deleted, 0 resources left\n"
    assert not (story.world / "one").exists()
    assert steady(story)


def test_a_source_with_a_mistake_is_refused_whole(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two", colour="red"))
    for command in ("diff", "apply"):
        shown = story.p2(command)
        assert (shown.code, shown.out) == (2, "")
        problem, error = shown.err.splitlines()
        assert problem.startswith("state/b.yaml:7:3: spec.colour: ")
        assert error.startswith("error: cannot use the source: it has 1 problem; ")
    assert list(story.world.iterdir()) == []


def test_keep_going_applies_what_is_valid_and_says_that_it_is_not_all(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two", colour="red"))
    assert story.p2("diff", "--keep-going").code == 2
    shown = story.p2("apply", "--keep-going")
    assert "not all of the source was applied" in shown.err
    assert shown.code == 1
    assert [path.name for path in story.world.iterdir()] == ["one"]


def test_a_file_that_breaks_later_takes_nothing_away(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"))
    story.p2("apply")
    story.write("b.yaml", "kind: [")
    story.p2("apply", "--keep-going", "--yes")
    assert (story.world / "two").read_text() == "hello"


def test_a_saved_plan_is_carried_out_while_it_holds_and_refused_when_not(story: Story) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.p2("apply")
    story.write("a.yaml", story.file("one", "goodbye"), story.file("two"))
    (story.root / "plan.json").write_text(story.p2("diff", "-o", "json").out)
    (story.world / "two").write_text("vandal")
    refused = story.p2("apply", "--plan", "plan.json")
    assert refused.code == 2
    assert refused.err == (
        "error: cannot apply the saved plan: things have moved since; make a new one\n"
        "  File/two: was to stay as it was, now is to update\n"
    )
    assert (story.world / "one").read_text() == "hello"
    (story.world / "two").write_text("hello")
    assert story.p2("apply", "--plan", "plan.json").code == 0
    assert (story.world / "one").read_text() == "goodbye"


def test_single_files_and_resources_are_applied_without_pruning(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("b.yaml", story.file("two"), story.file("three"))
    story.write("c.yaml", story.file("four"))
    story.p2("apply")
    story.remove("c.yaml")
    story.write("a.yaml", story.file("one", "new"))
    story.write("b.yaml", story.file("two", "new"), story.file("three", "new"))
    assert story.p2("apply", "-f", "state/a.yaml").code == 0
    assert story.p2("apply", "--only", "files/two").code == 0
    contents = {path.name: path.read_text() for path in story.world.iterdir()}
    assert contents == {"one": "new", "two": "new", "three": "hello", "four": "hello"}


def test_what_somebody_else_made_is_left_alone_until_it_is_adopted(story: Story) -> None:
    (story.world / "one").write_text("mine")
    story.write("a.yaml", story.file("one"), story.file("two"))
    assert story.p2("diff").code == 2
    shown = story.p2("apply")
    assert shown.code == 1
    assert "! File/one  NotOwned" in shown.out
    assert (story.world / "one").read_text() == "mine"
    assert (story.world / "two").exists()
    story.write("a.yaml", story.file("one", adopt="true"), story.file("two"))
    assert "> File/one  adopt" in story.p2("diff").out
    assert story.p2("apply").code == 0
    assert (story.world / "one").read_text() == "hello"
    assert steady(story)


def test_what_is_suspended_is_shown_and_left_alone(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    assert story.p2("suspend", "file/one").out == "File/one is suspended from the next p2 apply or p2 run on\n"
    (story.world / "one").write_text("experiment")
    shown = story.p2("diff")
    assert shown.code == 1
    assert shown.out.startswith("= File/one  update\n")
    left_alone = story.p2("apply")
    assert (left_alone.code, left_alone.last) == (0, "Converged: nothing to do; 0 ready, 1 suspended")
    assert (story.world / "one").read_text() == "experiment"
    assert "Suspended" in story.p2("get").out
    story.p2("resume", "file/one")
    assert story.p2("apply").code == 0
    assert (story.world / "one").read_text() == "hello"
    assert steady(story)


def test_deleting_what_is_suspended_ends_at_once_and_says_what_to_do(story: Story) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    assert story.p2("apply").code == 0
    assert story.p2("suspend", "file/two").code == 0
    story.write("a.yaml", story.file("one"))
    begun = time.monotonic()
    shown = story.p2("delete", "file/two", "--yes", "--timeout", "30")
    assert (shown.code, shown.last) == (1, "0 deleted, 1 resource left")
    assert time.monotonic() - begun < 15
    assert "'p2 resume' lets it go" in shown.out
    assert (story.world / "two").exists()
    assert story.p2("resume", "file/two").code == 0
    assert story.p2("delete", "file/two", "--yes").code == 0
    assert not (story.world / "two").exists()


def test_suspending_what_does_not_exist_is_refused(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    refused = story.p2("suspend", "file/on")
    assert refused.code == 2
    assert "did you mean File/one?" in refused.err


def test_without_a_source_diff_and_apply_say_so_and_take_nothing_away(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    (story.root / "state").rename(story.root / "elsewhere")
    for command in ("diff", "apply"):
        shown = story.p2(command)
        assert shown.code == 2
        assert shown.err.startswith("error: cannot use state: the source is missing: ")
    assert (story.world / "one").exists()
    assert "File/one" in story.p2("get").out


def test_a_home_that_is_no_directory_is_one_line(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.write("a.yaml", story.file("one"))
    (story.root / "home").write_text("")
    monkeypatch.setenv("PEGASUS2_HOME", str(story.root / "home"))
    for command in ("diff", "apply", "get", "events", "confirm"):
        shown = story.p2(command)
        assert shown.code == 2
        assert shown.err.startswith(f"error: cannot use {story.root / 'home'}: it is not a directory")
        assert shown.err.count("\n") == 1
    assert story.p2("health").code == 1


def test_reading_leaves_no_traces(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    for command in ("diff", "get", "events", "health", "validate", "confirm"):
        story.p2(command)
    assert sorted(path.name for path in story.root.iterdir()) == ["state", "world"]
    assert not (story.root.parent / "p2home").exists()


def test_without_an_engine_containers_say_what_to_do_and_the_rest_converges(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{story.root}/nonexistent.sock")
    container = "apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {name: web}\nspec: {image: nginx}\n"
    story.write("a.yaml", story.file("one"), container)
    shown = story.p2("diff")
    assert shown.code == 2
    assert "! Container/web  AgentUnavailable\n    cannot " in shown.out
    applied = story.p2("apply")
    assert applied.code == 1
    assert applied.last == "Not converged: 1 created; 1 resource of 2 not ready"
    assert (story.world / "one").exists()
    assert "docker" in story.p2("get", "container/web").out.lower()
    health = story.p2("health", "-o", "json")
    assert health.code == 1
    assert [each["mark"] for each in json.loads(health.out) if each["part"] == "docker"] == ["FAIL"]
