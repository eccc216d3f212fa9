"""A watched directory, and all that editors, git and accidents do to it; real files, real events, real git."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.engine.revision import Condition, Revision
from controller.sources import files, git, hints, settling
from controller.sources.files import FilesSource
from tests.files.sheets import names, sheet, write

QUIET = 0.6  # in place of two seconds
DEADLINE = 10.0


class Watching:
    """The source, watched in a thread of its own as the controller does."""

    def __init__(self, path: Path, source: FilesSource | None = None) -> None:
        self.stop = threading.Event()
        self._revisions: queue.Queue[Revision] = queue.Queue()
        self._thread = threading.Thread(target=self._watch, args=(source or FilesSource(path),), daemon=True)
        self._thread.start()

    def _watch(self, source: FilesSource) -> None:
        for revision in source.watch(self.stop):
            self._revisions.put(revision)

    def next(self) -> Revision:
        return self._revisions.get(timeout=DEADLINE)

    def nothing(self, seconds: float) -> bool:
        try:
            self._revisions.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def settle(self) -> list[Revision]:
        """All that comes until it has been quiet."""
        came = []
        while True:
            try:
                came.append(self._revisions.get(timeout=2 * QUIET))
            except queue.Empty:
                return came

    def until(self, there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Takes revisions in as the index does, until what is declared is as wanted: names with their files' names."""
        known: dict[str, tuple[str, ...]] = {}
        give_up = time.monotonic() + DEADLINE
        while not there(known):
            revision = self._revisions.get(timeout=max(0.0, give_up - time.monotonic()))
            if revision.condition is not Condition.OK:
                continue
            if revision.whole:
                known.clear()
            for file in revision.gone:
                known.pop(Path(file).name, None)
            for file, documents in revision.documents.items():
                known[Path(file).name] = tuple(declared.key.name for declared in documents)
        return known

    def end(self) -> float:
        """Seconds until the watch has ended."""
        began = time.monotonic()
        self.stop.set()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        return time.monotonic() - began


@pytest.fixture
def state(tmp_path: Path) -> Path:
    write(tmp_path / "state/a.yaml", sheet("a", "b"))
    write(tmp_path / "state/sub/c.yaml", sheet("c"))
    return tmp_path / "state"


@pytest.fixture
def watching(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    monkeypatch.setattr(settling, "QUIET", QUIET)
    monkeypatch.setattr(files, "QUIET", QUIET)
    watching = Watching(state)
    first = watching.next()
    assert first.whole and names(first) == ["a", "b", "c"]
    assert watching.nothing(0.3)  # the watch is up: what changes from here on is heard
    yield watching
    watching.end()


def edited(revision: Revision) -> list[str]:
    """Names of the files of a revision that brings nothing but edits."""
    assert not revision.whole and not revision.gone and not revision.problems
    assert revision.condition is Condition.OK
    return sorted(Path(file).name for file in revision.documents)


# -- edits ---------------------------------------------------------------------------------------------------------


def test_an_edit_brings_that_file_alone(state: Path, watching: Watching) -> None:
    before = time.monotonic()
    write(state / "a.yaml", sheet("a", "b", content="new"))
    revision = watching.next()
    assert edited(revision) == ["a.yaml"]
    assert before <= revision.at <= time.monotonic()
    assert time.monotonic() - before < DEADLINE / 2  # 0.05 to 0.1 s on a machine with nothing else to do


def test_a_new_file_in_a_new_folder_is_found(state: Path, watching: Watching) -> None:
    write(state / "x/y/z/d.yaml", sheet("d"))
    assert watching.until(lambda known: "d.yaml" in known)["d.yaml"] == ("d",)
    write(state / "x/y/z/d.yaml", sheet("d", "e"))
    assert watching.until(lambda known: known.get("d.yaml") == ("d", "e"))


def vim(path: Path, text: str) -> None:
    """backupcopy=no: the old file becomes the backup, a new one takes its name."""
    (path.parent / "4913").touch()
    (path.parent / "4913").unlink()
    swap = path.with_name(f".{path.name}.swp")
    swap.touch()
    path.rename(f"{path}~")
    path.write_text(text)
    Path(f"{path}~").unlink()
    swap.unlink()


def sed(path: Path, text: str) -> None:
    """And most tools that write atomically."""
    draft = path.parent / "sedXyZ123"
    draft.write_text(text)
    draft.replace(path)


def in_two_writes(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text[:20])
        file.flush()
        file.write(text[20:])


def deleting(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


@pytest.mark.parametrize("save", [vim, sed, in_two_writes, deleting])
def test_however_an_editor_saves_it_is_one_edit_and_no_removal(
    save: Callable[[Path, str], None], state: Path, watching: Watching
) -> None:
    save(state / "a.yaml", sheet("a", "b", content="new"))
    assert edited(watching.next()) == ["a.yaml"]
    assert watching.nothing(2 * QUIET)
    assert sorted(path.name for path in state.iterdir()) == ["a.yaml", "sub"]


def test_a_slow_rename_by_an_editor_is_no_removal(state: Path, watching: Watching) -> None:
    aside = state / "a.yaml.orig"
    (state / "a.yaml").rename(aside)
    assert watching.nothing(QUIET / 2)
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert edited(watching.next()) == ["a.yaml"]
    assert watching.nothing(2 * QUIET)


def test_half_a_file_then_the_whole_is_recovered_from(state: Path, watching: Watching) -> None:
    text = sheet("a", "b", content="new")
    write(state / "a.yaml", text[: text.index("metadata") + 12])
    half = watching.next()
    assert half.problems.keys() == {str(state / "a.yaml")} and not half.gone and not half.documents
    write(state / "a.yaml", text)
    assert edited(watching.next()) == ["a.yaml"]


def test_a_file_read_while_it_is_empty_and_then_with_a_mistake_removes_nothing(state: Path, watching: Watching) -> None:
    write(state / "a.yaml", "")
    assert watching.nothing(QUIET / 2)
    write(state / "a.yaml", "kind: [")
    broken = watching.next()
    assert broken.problems.keys() == {str(state / "a.yaml")} and not broken.gone and not broken.documents
    assert watching.nothing(3 * QUIET)
    text = sheet("a", "b", content="new")
    write(state / "a.yaml", text)
    assert edited(watching.next()) == ["a.yaml"]


def test_half_a_file_that_is_valid_removes_nothing(state: Path, watching: Watching) -> None:
    write(state / "a.yaml", sheet("a"))
    assert watching.nothing(QUIET / 2)
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert edited(watching.next()) == ["a.yaml"]


def test_a_comment_or_an_editors_temporary_is_no_news(state: Path, watching: Watching) -> None:
    write(state / "a.yaml", "# comment\n" + sheet("a", "b"))
    write(state / ".a.yaml.swp", "x")
    write(state / "notes.txt", "x")
    (state / "a.yaml").touch()
    assert watching.nothing(0.5)


# -- removals and moves --------------------------------------------------------------------------------------------


def test_a_deleted_file_is_gone_after_quiet(state: Path, watching: Watching) -> None:
    before = time.monotonic()
    (state / "sub/c.yaml").unlink()
    revision = watching.next()
    assert time.monotonic() - before >= QUIET
    assert (revision.gone, dict(revision.documents)) == ({str(state / "sub/c.yaml")}, {})
    assert revision.at - before < QUIET


def test_a_moved_file_is_a_move_and_nothing_waits(state: Path, watching: Watching) -> None:
    (state / "sub/c.yaml").rename(state / "d.yaml")
    revision = watching.next()
    assert names(revision) == ["c"]
    assert revision.gone == {str(state / "sub/c.yaml")}


def test_a_folder_deleted_and_made_again_changes_nothing_and_stays_watched(state: Path, watching: Watching) -> None:
    shutil.rmtree(state / "sub")
    write(state / "sub/c.yaml", sheet("c"))
    write(state / "sub/d.yaml", sheet("d"))
    assert watching.until(lambda known: "d.yaml" in known).get("c.yaml", ("c",)) == ("c",)
    write(state / "sub/d.yaml", sheet("d", content="new"))
    assert "d.yaml" in edited(watching.next())


def test_a_folder_renamed_is_a_move(state: Path, watching: Watching) -> None:
    (state / "sub").rename(state / "other")
    revision = watching.next()
    assert revision.documents.keys() == {str(state / "other/c.yaml")}
    assert revision.gone == {str(state / "sub/c.yaml")}
    write(state / "other/c.yaml", sheet("c", content="new"))
    assert edited(watching.next()) == ["c.yaml"]


# -- the source as a whole -----------------------------------------------------------------------------------------


def test_a_source_deleted_and_made_again_survives(state: Path, watching: Watching) -> None:
    shutil.rmtree(state)
    missing = watching.next()
    assert missing.condition is Condition.MISSING and not missing.documents and not missing.gone
    write(state / "a.yaml", sheet("a"))
    back = watching.next()
    # Told as a whole again, and what is not back yet still stands.
    assert back.whole and back.condition is Condition.OK and names(back) == ["a", "b", "c"]
    write(state / "a.yaml", sheet("a", "b"))
    write(state / "sub/c.yaml", sheet("c"))
    watching.settle()
    write(state / "sub/c.yaml", sheet("c", content="new"))
    assert watching.until(lambda known: "c.yaml" in known)


def test_a_source_replaced_by_another_is_read_anew(state: Path, watching: Watching) -> None:
    write(state.parent / "next/a.yaml", sheet("a", "b", content="new"))
    write(state.parent / "next/sub/c.yaml", sheet("c"))
    state.rename(state.parent / "previous")
    (state.parent / "next").rename(state)
    assert "a.yaml" in edited(watching.next())
    write(state / "a.yaml", sheet("a", "b", content="newer"))
    assert edited(watching.next()) == ["a.yaml"]


def test_an_emptied_source_says_so_and_removes_nothing(state: Path, watching: Watching) -> None:
    (state / "a.yaml").unlink()
    (state / "sub/c.yaml").unlink()
    emptied = watching.next()
    assert emptied.condition is Condition.EMPTY and not emptied.gone and not emptied.documents
    # Copied back one by one: the first is not taken for all that is wanted.
    write(state / "sub/c.yaml", sheet("c"))
    assert names(watching.next()) == ["a", "b", "c"]
    write(state / "a.yaml", sheet("a", "b"))
    watching.settle()


def test_stopping_takes_no_time(watching: Watching) -> None:
    assert watching.end() < 1.0


# -- git -----------------------------------------------------------------------------------------------------------


def run_git(where: Path, *arguments: str) -> None:
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, env={**os.environ, **who, **alone})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two branches that differ in 400 files: 150 only here, 150 only there, 100 edited."""
    run_git(tmp_path, "init", "-q", "-b", "main")
    for number in range(100):
        write(tmp_path / f"state/both{number}.yaml", sheet(f"both{number}"))
    for number in range(150):
        write(tmp_path / f"state/old/old{number}.yaml", sheet(f"old{number}"))
    run_git(tmp_path, "add", ".")
    run_git(tmp_path, "commit", "-qm", "main")
    run_git(tmp_path, "checkout", "-qb", "other")
    shutil.rmtree(tmp_path / "state/old")
    for number in range(100):
        write(tmp_path / f"state/both{number}.yaml", sheet(f"both{number}", content="other"))
    for number in range(150):
        write(tmp_path / f"state/new/new{number}.yaml", sheet(f"new{number}"))
    run_git(tmp_path, "add", ".")
    run_git(tmp_path, "commit", "-qm", "other")
    run_git(tmp_path, "checkout", "-q", "main")
    return tmp_path


def test_a_branch_switch_of_400_files_is_one_revision(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "QUIET", QUIET)
    watching = Watching(repository / "state")
    assert len(names(watching.next())) == 250
    assert watching.nothing(0.3)
    for branch, arrived in (("other", "new"), ("main", "old")):
        run_git(repository, "checkout", "-q", branch)
        revision = watching.next()
        assert not revision.whole
        assert names(revision) == sorted([f"both{n}" for n in range(100)] + [f"{arrived}{n}" for n in range(150)])
        assert len(revision.gone) == 150
        assert watching.nothing(2 * QUIET)
    watching.end()


def test_there_and_back_again_is_no_change_of_what_is_in_both(repository: Path) -> None:
    watching = Watching(repository / "state")
    first = watching.next()
    assert watching.nothing(0.3)
    run_git(repository, "checkout", "-q", "other")
    run_git(repository, "checkout", "-q", "main")
    known = {d.key: d.digest for documents in first.documents.values() for d in documents}
    for revision in watching.settle():
        assert revision.gone.isdisjoint(first.documents)
        assert all(known[d.key] == d.digest for documents in revision.documents.values() for d in documents)
    watching.end()


def test_nothing_is_read_while_git_holds_its_lock(state: Path, watching: Watching) -> None:
    lock = write(state.parent / ".git/index.lock", "")
    write(state / "a.yaml", sheet("a", "b", content="new"))
    write(state / "sub/c.yaml", sheet("c", content="new"))
    assert watching.nothing(0.5)
    write(state / "d.yaml", sheet("d"))
    assert watching.nothing(0.3)
    lock.unlink()
    assert edited(watching.next()) == ["a.yaml", "c.yaml", "d.yaml"]


def test_the_lock_of_a_worktree_is_found(state: Path, watching: Watching) -> None:
    write(state.parent / ".git", "gitdir: main/.git/worktrees/w\n")
    lock = write(state.parent / "main/.git/worktrees/w/index.lock", "")
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert watching.nothing(0.5)
    lock.unlink()
    assert edited(watching.next()) == ["a.yaml"]


def test_a_lock_left_behind_is_not_believed_for_ever(
    state: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "PATIENCE", 2.0)
    write(state.parent / ".git/index.lock", "")
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert edited(watching.next()) == ["a.yaml"]
    # It is known by now, and holds nothing up any more.
    before = time.monotonic()
    write(state / "a.yaml", sheet("a", "b", content="newer"))
    assert edited(watching.next()) == ["a.yaml"]
    assert time.monotonic() - before < 1.5


# -- links and inputs ----------------------------------------------------------------------------------------------


def test_an_edit_of_a_file_that_a_link_leads_to_is_seen(state: Path, watching: Watching) -> None:
    outside = write(state.parent / "shared/d.yaml", sheet("d"))
    (state / "d.yaml").symlink_to(outside)
    assert names(watching.next()) == ["d"]
    assert watching.nothing(0.3)
    write(outside, sheet("d", content="new"))
    assert edited(watching.next()) == ["d.yaml"]


def test_a_link_that_leads_elsewhere_now_is_followed(state: Path, watching: Watching) -> None:
    for version in ("one", "two"):
        write(state.parent / version / "d.yaml", sheet("d", content=version))
    (state / "current").symlink_to(state.parent / "one")
    assert names(watching.next()) == ["d"]
    (state.parent / "swap").symlink_to(state.parent / "two")
    (state.parent / "swap").replace(state / "current")
    revision = watching.next()
    assert revision.documents.keys() == {str(state.parent / "two/d.yaml")}
    assert revision.gone == {str(state.parent / "one/d.yaml")}


def replaced(path: Path, text: str) -> None:
    draft = path.with_name(".draft")
    draft.write_text(text)
    draft.replace(path)


@pytest.mark.parametrize("change", [write, replaced])
def test_an_edit_of_an_input_is_an_edit_of_what_declares_it(
    change: Callable[[Path, str], Any], state: Path, watching: Watching
) -> None:
    motd = state.parent / "elsewhere/motd"
    motd.parent.mkdir()
    write(state / "m.yaml", sheet("m", "same", source="../elsewhere/motd") + "---\n" + sheet("other"))
    seen = [watching.next()]
    assert watching.nothing(0.3)
    for text in ("hello", "world"):
        change(motd, text)
        seen.append(watching.next())
        assert edited(seen[-1]) == ["m.yaml"]
    digests = [[declared.digest for declared in revision.documents[str(state / "m.yaml")]] for revision in seen]
    assert len({m for m, _, _ in digests}) == 3
    assert len({other for _, _, other in digests}) == 1
    motd.unlink()
    assert edited(watching.next()) == ["m.yaml"]


def test_an_input_behind_a_link_is_followed_where_it_leads(state: Path, watching: Watching) -> None:
    for version in ("one", "two"):
        write(state.parent / version / "motd", version)
    current = state.parent / "current"
    current.symlink_to(state.parent / "one/motd")
    write(state / "m.yaml", sheet("m", source="../current"))
    assert names(watching.next()) == ["m"]
    assert watching.nothing(0.3)
    write(state.parent / "one/motd", "edited")
    assert edited(watching.next()) == ["m.yaml"]
    (state.parent / "swap").symlink_to(state.parent / "two/motd")
    (state.parent / "swap").replace(current)
    assert edited(watching.next()) == ["m.yaml"]
    assert watching.nothing(0.3)
    write(state.parent / "two/motd", "edited, too")
    assert edited(watching.next()) == ["m.yaml"]


# -- when events are lost ------------------------------------------------------------------------------------------


def test_what_no_event_told_is_found_by_the_next_survey(
    state: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(hints.Hints):
        def wait(self, directories: Any, seconds: float, stop: threading.Event) -> hints.Heard:
            stop.wait(seconds)
            return hints.Heard()

    watching.end()
    monkeypatch.setattr(files, "Hints", Deaf)
    monkeypatch.setattr(files, "SURVEY", 0.2)
    deaf = Watching(state)
    deaf.next()
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert edited(deaf.next()) == ["a.yaml"]
    deaf.end()


def test_a_watch_that_breaks_is_begun_anew_and_everything_looked_at(
    state: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "UNWATCHED", 0.1)
    Path(os.fsdecode(os.fsencode(state) + b"/\xff.txt")).touch()  # watchfiles gives up at a name that is no UTF-8
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert watching.until(lambda known: "a.yaml" in known)
    watching.settle()
    write(state / "a.yaml", sheet("a", "b", content="newer"))
    assert watching.until(lambda known: "a.yaml" in known)


class Sleeper:
    """A watch that hears nothing until it is `woken`, so that only who asks can look."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asleep, self.woken = threading.Event(), threading.Event()
        woken = self.woken

        class Asleep(hints.Hints):
            def wait(self, directories: object, seconds: object, stop: object) -> hints.Heard:
                asleep.set()
                woken.wait(DEADLINE)
                return hints.Heard()

        monkeypatch.setattr(files, "Hints", Asleep)
        self.source = FilesSource(state)
        self.watching = Watching(state, self.source)
        self.watching.next()
        assert asleep.wait(DEADLINE)


@pytest.fixture
def sleeper(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sleeper]:
    made = Sleeper(state, monkeypatch)
    yield made
    made.woken.set()
    made.watching.end()


def test_who_asks_is_told_at_once_that_nothing_is_new_and_waits_where_something_is(
    state: Path, sleeper: Sleeper
) -> None:
    assert sleeper.source.current(DEADLINE)
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert not sleeper.source.current(0.2)
    sleeper.woken.set()
    assert edited(sleeper.watching.next()) == ["a.yaml"]
    assert sleeper.source.current(DEADLINE)


def test_of_what_who_asks_has_found_the_last_counts(state: Path, sleeper: Sleeper) -> None:
    write(state / "a.yaml", "kind: [")
    write(state / "sub/c.yaml", "kind: [")
    assert not sleeper.source.current(0.2)
    write(state / "a.yaml", sheet("a", "b", content="mended"))
    (state / "sub/c.yaml").unlink()
    sleeper.woken.set()
    came = [sleeper.watching.next()]
    while not any(revision.gone for revision in came):
        came.append(sleeper.watching.next())
    assert [Path(file).name for revision in came for file in (*revision.documents, *revision.gone)] == [
        "a.yaml",
        "c.yaml",
    ]
    assert not any(revision.problems for revision in came)


def test_where_nothing_can_be_watched_files_are_looked_at(
    state: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    watching.end()
    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", refuse)
    monkeypatch.setattr(hints, "UNWATCHED", 0.1)
    unwatched = Watching(state)
    unwatched.next()
    write(state / "a.yaml", sheet("a", "b", content="new"))
    assert edited(unwatched.next()) == ["a.yaml"]
    unwatched.end()


def test_a_storm_of_changes_loses_none(state: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MANY", 100)
    for number in range(1_000):
        write(state / f"storm{number % 20}/s{number}.yaml", sheet(f"s{number}"))
    write(state / "last.yaml", sheet("last"))
    known = watching.until(lambda known: len([name for name in known if name.startswith("s")]) == 1_000)
    assert all(known[f"s{number}.yaml"] == (f"s{number}",) for number in range(1_000))


def test_what_changes_before_the_watch_is_up_is_seen(state: Path) -> None:
    for number in range(10):
        watching = Watching(state)
        watching.next()
        write(state / "a.yaml", sheet("a", "b", content=f"{number}"))  # between the first reading and the watch
        assert edited(watching.next()) == ["a.yaml"]
        watching.end()


# -- stillness -------------------------------------------------------------------------------------------------------


def test_files_written_in_stillness_come_as_one_revision_right_after(state: Path) -> None:
    source = FilesSource(state)
    watching = Watching(state, source)
    watching.next()
    with source.still():
        for name in ("a", "d", "e"):
            write(state / f"{name}.yaml", sheet("a", "b", "more") if name == "a" else sheet(name))
            assert watching.nothing(5 * hints.STEP)
        began = time.monotonic()
    revision = watching.next()
    assert time.monotonic() - began < 1.0
    assert names(revision) == ["a", "b", "d", "e", "more"]
    watching.end()


def test_stillness_after_nothing_was_written_tells_nothing(state: Path) -> None:
    source = FilesSource(state)
    watching = Watching(state, source)
    watching.next()
    with source.still():
        pass
    assert watching.nothing(QUIET)
    watching.end()


def test_a_body_that_fails_ends_the_stillness(state: Path) -> None:
    source = FilesSource(state)
    watching = Watching(state, source)
    watching.next()
    with pytest.raises(ZeroDivisionError), source.still():
        raise ZeroDivisionError
    write(state / "d.yaml", sheet("d"))
    watching.until(lambda known: known.get("d.yaml") == ("d",))
    watching.end()
