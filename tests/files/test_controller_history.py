"""What a running controller writes into the history, and how it takes a rollback in."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from controller.wiring.settings import Settings
from controller.wiring.workspace import Workspace
from tests.cli.repository import ENVIRONMENT, committed, git
from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, eventually

PLUGIN = {"PYTHONPATH": str(Path(__file__).parents[1] / "cli" / "plugin")}


def history(story: Story) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = json.loads(story.p2("history", "-o", "json", "-n", "1000").out)
    return found


def outcomes(story: Story) -> list[tuple[str, str]]:
    return [(entry["cause"], entry["outcome"]) for entry in history(story)]


def test_edits_and_drift_are_written_down_and_a_start_is_not(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one"))
    story.p2("apply")
    controller.start()
    eventually(lambda: "watching" in controller.log, "it watches")
    (story.world / "one").write_text("vandal")
    eventually(lambda: outcomes(story)[:1] == [("drift", "converged")], "the drift was written down")
    story.write("a.yaml", story.file("one", "goodbye"))
    eventually(lambda: outcomes(story)[:1] == [("edit", "converged")], "the edit was written down")
    assert [entry["user"] for entry in history(story)][:2] == ["controller", "controller"]
    assert (story.world / "one").read_text() == "goodbye"
    assert at_rest(controller)
    assert outcomes(story) == [("edit", "converged"), ("drift", "converged"), ("edit", "converged")]


def test_apply_and_run_record_the_same(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one", "first"))
    story.write("b.yaml", story.file("two").replace("content: hello", "source: two.txt"))
    story.write("two.txt", "text")
    story.p2("apply")
    story.write("a.yaml", story.file("one", "second"))
    story.p2("apply")
    controller.start()
    eventually(lambda: "watching" in controller.log, "it watches")
    story.write("a.yaml", story.file("one", "third"))
    eventually(lambda: len(history(story)) == 3 and outcomes(story)[0] == ("edit", "converged"), "it was written down")
    assert at_rest(controller)
    by_run, by_apply, _ = history(story)
    assert by_run["changes"] == by_apply["changes"]
    files = [json.loads(story.p2("history", "--revision", n, "-o", "json").out)["files"] for n in ("2", "3")]
    assert files[0] == files[1]
    assert story.p2("rollback", "1").code == 0
    assert (story.world / "one").read_text() == "first"


def test_a_crash_leaves_the_entry_and_the_next_process_says_it_was_interrupted(story: Story) -> None:
    loaf = f"apiVersion: pegasus2.dev/v1\nkind: Oven\nmetadata: {{name: loaf}}\nspec: {{directory: {story.world}}}\n"
    story.write("a.yaml", loaf)
    process = story.start("apply", env=PLUGIN)
    eventually((story.world / "loaf.begun").exists, "it bakes")
    assert outcomes(story) == [("edit", "open")]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert outcomes(story) == [("edit", "interrupted")]
    (story.world / "loaf.door").touch()
    again = story.start("apply", env=PLUGIN)
    again.communicate()
    assert again.returncode == 0
    assert outcomes(story) == [("edit", "converged"), ("edit", "interrupted")]
    assert history(story)[1]["message"] == "the process ended before all was done"


def test_an_apply_that_is_stopped_by_its_user_was_interrupted(story: Story) -> None:
    ovens = [
        f"apiVersion: pegasus2.dev/v1\nkind: Oven\nmetadata: {{name: {name}}}\n"
        f"spec: {{directory: {story.world}, dependsOn: {needs}}}\n"
        for name, needs in (("first", "[]"), ("second", "[Oven/first]"))
    ]
    story.write("a.yaml", *ovens)
    process = story.start("apply", env=PLUGIN)
    eventually((story.world / "first.begun").exists, "it bakes")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert any("stopping" in line for line in process.stderr)
    (story.world / "first.door").touch()
    process.communicate()
    assert process.returncode == 130
    [entry] = history(story)
    assert (entry["outcome"], entry["message"]) == ("interrupted", "stopped before all was done")
    assert [(each["key"], each["outcome"]) for each in entry["changes"]] == [("Oven/default/first", "done")]


@contextmanager
def controlled(story: Story) -> Iterator[Workspace]:
    """A controller in this process."""
    stop = Flag()
    with Workspace.open(story.root / "state", Settings.from_environment()) as workspace:
        thread = Thread(target=workspace.run, args=(stop,), daemon=True)
        thread.start()
        try:
            yield workspace
        finally:
            stop.set()
            thread.join(20)
            assert not thread.is_alive()


def test_files_that_are_put_back_beside_a_controller_are_taken_in_all_at_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"f{number}" for number in range(20)]
    for content in ("first", "second"):
        for name in names:
            story.write(f"{name}.yaml", story.file(name, content))
        story.p2("apply")
    from controller.sources import restoring as module

    real, seen = module.write, Flag()

    def slowly(path: Path, content: bytes) -> None:
        real(path, content)
        seen.wait(0.03)  # longer than a watch takes to look

    monkeypatch.setattr(module, "write", slowly)
    with controlled(story) as workspace:
        eventually(lambda: len(workspace.declared()) == 20, "it has read the source")
        restoring = workspace.revisions.restoring(1, 0.0)
        assert restoring is not None
        restoring.run(workspace.source.still())
        eventually(lambda: {(story.world / name).read_text() for name in names} == {"first"}, "all were put back")
        eventually(lambda: outcomes(story)[0] == ("edit", "converged"), "it was written down")
    newest = history(story)[0]
    assert (newest["revision"], len(newest["changes"])) == (3, 20)


def test_a_commit_of_a_rollback_is_no_edit_to_be_undone_beside_a_controller(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    git(story.root, "init", "-q", "-b", "main")
    for content in ("first", "second"):
        story.write("a.yaml", story.file("one", content))
        committed(story)
        story.p2("apply")
    with controlled(story) as workspace:
        eventually(lambda: len(workspace.declared()) == 1, "it has read the source")
        restoring = workspace.revisions.restoring(1, 0.0)
        assert restoring is not None
        restored = restoring.run(workspace.source.still())
        eventually(lambda: (story.world / "one").read_text() == "first", "it was put back")
        eventually(lambda: outcomes(story)[0] == ("edit", "converged"), "it was written down")
    assert history(story)[0]["commit"].startswith(restored.commit)
    assert len(history(story)) == 3


def test_edits_in_a_burst_leave_the_last_tree_and_nothing_open(story: Story, controller: Controller) -> None:
    story.write("a.yaml", story.file("one", "'0'"))
    controller.start()
    eventually(lambda: all_ready(story, ["one"]), "it was made")
    draft = story.root / "draft"
    for number in range(1, 301):
        draft.write_text(story.file("one", f"'{number}'"))
        draft.replace(story.root / "state" / "a.yaml")
    eventually(lambda: (story.world / "one").read_text() == "300", "the last one was applied")
    eventually(lambda: outcomes(story)[0] == ("edit", "converged"), "it was written down")
    assert all(outcome in ("converged", "superseded") for _, outcome in outcomes(story))
    assert story.p2("diff", "--revision", str(history(story)[0]["revision"])).code == 0
    assert at_rest(controller)


def test_git_is_not_needed_to_know_the_commit(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    git(story.root, "init", "-q", "-b", "main")
    story.write("a.yaml", story.file("one"))
    commit = committed(story)
    git(story.root, "pack-refs", "--all")
    monkeypatch.setenv("PATH", "")
    assert story.p2("apply").code == 0
    assert (history(story)[0]["commit"], history(story)[0]["uncommittedEdits"]) == (commit, None)


def test_head_is_read_in_worktrees_and_when_detached(story: Story) -> None:
    from controller.sources.git import head_commit

    assert head_commit(story.root) == ""
    git(story.root, "init", "-q", "-b", "main")
    assert head_commit(story.root) == ""
    story.write("a.yaml", story.file("one"))
    first = committed(story)
    assert head_commit(story.root / "state") == first
    other = story.root.parent / "other"
    git(story.root, "worktree", "add", "-qb", "side", str(other))
    assert head_commit(other / "state") == first
    subprocess.run(["git", "-C", other, "checkout", "-q", "--detach"], check=True)
    assert head_commit(other) == first
