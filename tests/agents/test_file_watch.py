"""The watch of the kind `File`, by inotify: every change of a declared file is hinted at, whatever becomes of directories."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Event as Flag
from threading import Thread

import pytest
from inotify_simple import Event, INotify, flags

from controller.engine.agent import Relist
from resources.kinds.file import File
from resources.meta import Claim, Key, Resource
from tests.agents.file_driver import Driver, declare, empty_directory, file_agent

SOON = 5.0  # seconds that a hint may take at the very most


class LiveSet:
    """The resources that are watched, and whoever wants to know of changes."""

    def __init__(self, *resources: File) -> None:
        self._resources = {resource.key: resource for resource in resources}
        self._changed: list[Callable[[Sequence[Resource], Sequence[Resource]], None]] = []

    def resources(self) -> Sequence[Resource]:
        return list(self._resources.values())

    def find(self, claim: Claim) -> Key | None:
        return None

    def subscribe(self, changed: Callable[[Sequence[Resource], Sequence[Resource]], None]) -> None:
        self._changed.append(changed)

    def add(self, resource: File) -> None:
        self._resources[resource.key] = resource
        for changed in self._changed:
            changed([resource], [])

    def remove(self, resource: File) -> None:
        del self._resources[resource.key]
        for changed in self._changed:
            changed([], [resource])


class Watching:
    """A watch in a thread, as the manager runs it."""

    def __init__(self, home: Path) -> None:
        self._agent = file_agent(home)
        self._hints: Queue[Key | Relist | BaseException] = Queue()
        self._stop = Flag()
        self._thread: Thread | None = None

    def start(self, scope: LiveSet) -> None:
        self._thread = Thread(target=self._run, args=(scope,), daemon=True)
        self._thread.start()
        assert isinstance(self._next(), Relist)

    def _run(self, scope: LiveSet) -> None:
        try:
            for hint in self._agent.watch(scope, self._stop):
                self._hints.put(hint)
        except BaseException as error:
            self._hints.put(error)

    def _next(self) -> Key | Relist | BaseException:
        return self._hints.get(timeout=SOON)

    def hinted(self, *resources: File) -> None:
        """Waits until each of `resources` was hinted at."""
        waiting = {resource.key for resource in resources}
        while waiting:
            hint = self._next()
            assert not isinstance(hint, BaseException), hint
            waiting.discard(hint)

    def relisted(self) -> None:
        while not isinstance(self._next(), Relist):
            pass

    def quiet(self, scope: LiveSet, marker: Path) -> None:
        """Nothing but what is about `marker` is hinted at; that it is shows that all before it has been read."""
        settled = declare(marker, name="marker", content="")
        scope.add(settled)
        self.hinted_only(settled)

    def hinted_only(self, resource: File) -> None:
        while True:
            hint = self._next()
            assert hint == resource.key, hint
            if self._hints.empty():
                return

    def drain(self) -> None:
        """Forgets the hints that have come."""
        try:
            while True:
                self._hints.get_nowait()
        except Empty:
            return

    def end(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(SOON)
            assert not self._thread.is_alive()


@pytest.fixture
def watching(home: Path) -> Iterator[Watching]:
    found = Watching(home)
    yield found
    found.end()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return empty_directory(tmp_path)


def write(path: Path) -> None:
    path.write_text("theirs")


def save_like_an_editor(path: Path) -> None:
    path.with_name(".tmp").write_text("theirs")
    path.with_name(".tmp").replace(path)


def truncate(path: Path) -> None:
    with path.open("r+") as file:
        file.truncate(1)


def replace_by_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def replace_by_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change",
    [
        write,
        save_like_an_editor,
        Path.unlink,
        lambda path: path.rename(path.with_name("elsewhere")),
        lambda path: path.chmod(0o600),
        truncate,
        replace_by_a_link,
        replace_by_a_directory,
    ],
    ids=["write", "editor", "unlink", "rename", "chmod", "truncate", "link", "directory"],
)
def test_change_of_a_file_is_hinted_at(watching: Watching, place: Path, change: Callable[[Path], None]) -> None:
    motd = declare(place / "motd", content="ours")
    (place / "motd").write_text("ours")
    watching.start(LiveSet(motd))
    change(place / "motd")
    watching.hinted(motd)


def test_mode_of_a_declared_directory_is_hinted_at(watching: Watching, place: Path) -> None:
    (place / "dir").mkdir()
    directory, inside = declare(place / "dir", type="directory"), declare(place / "dir" / "x", name="x", content="")
    watching.start(LiveSet(directory, inside))
    (place / "dir").chmod(0o700)
    watching.hinted(directory)


def test_file_is_hinted_at_when_its_missing_directories_appear(watching: Watching, place: Path) -> None:
    motd = declare(place / "a" / "b" / "c" / "motd", content="ours")
    watching.start(LiveSet(motd))
    (place / "a").mkdir()
    watching.hinted(motd)
    (place / "a" / "b" / "c").mkdir(parents=True)
    watching.hinted(motd)
    (place / "a" / "b" / "c" / "motd").write_text("theirs")
    watching.hinted(motd)


@pytest.mark.parametrize("held_open", [False, True], ids=["free", "in-use"])
def test_directory_that_is_removed_and_made_again_is_watched_again(
    watching: Watching, place: Path, held_open: bool
) -> None:
    motd = declare(place / "dir" / "motd", content="ours")
    (place / "dir").mkdir()
    (place / "dir" / "motd").write_text("ours")
    watching.start(LiveSet(motd))
    # An open directory outlives its removal: inotify says nothing of its end until it is closed.
    held = os.open(place / "dir", os.O_RDONLY) if held_open else None
    shutil.rmtree(place / "dir")
    watching.hinted(motd)
    (place / "dir").mkdir()
    watching.hinted(motd)
    (place / "dir" / "motd").write_text("theirs")
    watching.hinted(motd)
    if held is not None:
        os.close(held)


def test_directory_that_is_moved_away_is_watched_where_it_was(watching: Watching, place: Path) -> None:
    motd = declare(place / "a" / "b" / "motd", content="ours")
    (place / "a" / "b").mkdir(parents=True)
    (place / "a" / "b" / "motd").write_text("ours")
    scope = LiveSet(motd)
    watching.start(scope)
    (place / "a").rename(place / "moved")
    watching.hinted(motd)
    watching.drain()
    (place / "moved" / "b" / "motd").write_text("elsewhere")
    watching.quiet(scope, place / "marker")
    (place / "a" / "b").mkdir(parents=True)
    (place / "a" / "b" / "motd").write_text("theirs")
    watching.hinted(motd)


def test_link_on_the_way_that_is_pointed_elsewhere_is_followed(watching: Watching, place: Path) -> None:
    for version in ("v1", "v2"):
        (place / version).mkdir()
    (place / "current").symlink_to("v1")
    motd = declare(place / "current" / "motd", content="ours")
    watching.start(LiveSet(motd))
    (place / "next").symlink_to("v2")
    (place / "next").replace(place / "current")
    watching.hinted(motd)
    watching.drain()
    (place / "v2" / "motd").write_text("theirs")
    watching.hinted(motd)


def test_two_ways_to_one_directory_are_both_watched(watching: Watching, place: Path) -> None:
    (place / "real").mkdir()
    (place / "link").symlink_to("real")
    first, second = (
        declare(place / "real" / "a", name="a", content=""),
        declare(place / "link" / "b", name="b", content=""),
    )
    scope = LiveSet(first, second)
    watching.start(scope)
    (place / "real" / "b").write_text("")
    watching.hinted(second)
    scope.remove(second)
    (place / "real" / "a").write_text("")
    watching.hinted(first)


def test_what_is_declared_later_is_watched_and_what_is_dropped_no_more(watching: Watching, place: Path) -> None:
    first, second = (
        declare(place / "1" / "x", name="first", content=""),
        declare(place / "2" / "x", name="second", content=""),
    )
    scope = LiveSet()
    watching.start(scope)
    scope.add(first)
    watching.hinted(first)
    (place / "1").mkdir()
    watching.hinted(first)
    scope.remove(first)
    scope.add(second)
    watching.hinted(second)
    watching.drain()
    (place / "1" / "x").write_text("")
    watching.quiet(scope, place / "marker")


def test_edited_path_is_watched_in_place_of_the_old_one(watching: Watching, place: Path) -> None:
    scope = LiveSet(declare(place / "old", content=""))
    watching.start(scope)
    moved = declare(place / "new", content="")
    scope.add(moved)
    watching.hinted(moved)
    watching.drain()
    (place / "old").write_text("")
    watching.quiet(scope, place / "marker")
    (place / "new").write_text("")
    watching.hinted(moved)


def test_names_that_nobody_declared_give_no_hints(watching: Watching, place: Path) -> None:
    scope = LiveSet(declare(place / "motd", content=""))
    watching.start(scope)
    for name in ("other", ".p2-0123456789abcdef"):
        (place / name).write_text("")
        (place / name).chmod(0o600)
        (place / name).unlink()
    watching.quiet(scope, place / "marker")


def test_lost_events_make_a_relist_and_the_watch_goes_on(
    watching: Watching, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    motd = declare(place / "motd", content="")
    lost = Event(-1, flags.Q_OVERFLOW, 0, "")
    really, calls = INotify.read, iter([[lost]])
    monkeypatch.setattr(INotify, "read", lambda *given, **named: next(calls, None) or really(*given, **named))
    watching.start(LiveSet(motd))
    (place / "motd").write_text("")
    watching.relisted()
    (place / "motd").chmod(0o600)
    watching.hinted(motd)


def test_watch_ends_at_once_when_told_to(watching: Watching, place: Path) -> None:
    watching.start(LiveSet(declare(place / "motd", content="")))
    begun = time.monotonic()
    watching.end()
    assert time.monotonic() - begun < 1.0


def test_every_hint_of_a_thousand_changes_arrives(watching: Watching, home: Path, place: Path) -> None:
    resources = [declare(place / f"d{n % 10}" / f"f{n}", name=f"f{n}", content="x") for n in range(1000)]
    watching.start(LiveSet(*resources))
    driver = Driver(home)
    for resource in resources:
        driver.attempt(resource)
    watching.hinted(*resources)
