"""The source that is a directory of YAML files (or one file): reads it, and watches it. Wiring makes it.

`watch` is the beginning of every edit: hints.py names what may have changed, contents.py reads what did, settling.py says
when it may be acted on. While git holds its lock nothing is read at all.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Lock

from controller.engine.revision import QUIET, Condition, Revision
from controller.sources.cache import ParseCache
from controller.sources.contents import Look
from controller.sources.git import GitLock
from controller.sources.hints import Heard, Hints
from controller.sources.inquiries import Inquiries
from controller.sources.said import Said
from controller.sources.settling import Release, Settling
from controller.sources.stillness import Stillness

SURVEY = 30.0  # seconds between looks at everything: finds what no hint told
AGAIN = 0.25  # seconds until the next look at a source that is missing, or that git is changing


class FilesSource:
    """`path` is the directory or file, `cache` the directory for parsed documents (None: keep none).

    `lasts`: whether what is read is of use as long as the process lives, as it is not for a command within a controller.
    """

    def __init__(
        self,
        path: Path,
        cache: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        lasts: bool = True,
    ) -> None:
        self._path = path.resolve()
        self._cache = cache
        self._clock = clock
        self._lasts = lasts
        self._inquiries = Inquiries()
        self._stillness = Stillness()
        self._read_last: Said | None = None

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def is_directory(self) -> bool:
        return not self._path.is_file()

    def still(self) -> AbstractContextManager[None]:
        """While the body writes several files, a watch takes none of them in; right after, it looks at everything."""
        return self._stillness.kept()

    def read(self) -> Revision:
        self._read_last = Said(self.name, self._clock)
        return self._read(self._read_last, self._clock())

    def watch(self, stop: Flag) -> Iterator[Revision]:
        git = GitLock(self._path)
        since = self._clock()
        while git.held(self._clock()) and not stop.wait(AGAIN):
            pass
        contents = Said(self.name, self._clock)
        first = self._read(contents, since)
        yield first
        yield from _Watch(contents, first, git, self._stillness, self._clock).revisions(stop, self._inquiries)

    def current(self, seconds: float) -> bool:
        """Whether a running watch has handed out all that is in the files; it looks first. False if it says nothing."""
        return self._inquiries.ask(seconds, hurry=False)

    def hurry(self, seconds: float) -> bool:
        """As `current`; and what leaves the source is handed out without waiting for quiet, for somebody means it."""
        return self._inquiries.ask(seconds, hurry=True)

    def looked_at(self) -> set[str]:
        """All paths that had a say in what `read` has returned last."""
        return self._read_last.looked_at() if self._read_last else set()

    def _read(self, contents: Said, since: float) -> Revision:
        cache = ParseCache(self._cache, self.name) if self._cache else None
        with _collecting_no_garbage(lasts=self._lasts):
            contents.survey(cache)
            everything = contents.all()
        if cache and contents.condition is Condition.OK:
            cache.save()
        return Revision(
            documents={file: documents or () for file, documents in everything.documents.items()},
            problems=everything.problems,
            partial=everything.partial,
            condition=contents.condition,
            message=contents.message,
            at=since,
            digests=contents.digests(everything.documents),
        )


@contextmanager
def _collecting_no_garbage(*, lasts: bool) -> Iterator[None]:
    """Thousands of new objects: looking for garbage among them takes three times as long as making them.

    Where they last, nobody need look among them ever again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if lasts:
            gc.freeze()
        if was_enabled:
            gc.enable()


class _Watch:
    """One watch, from its first revision on."""

    def __init__(
        self, contents: Said, first: Revision, git: GitLock, stillness: Stillness, clock: Callable[[], float]
    ) -> None:
        self._contents = contents
        self._git = git
        self._stillness = stillness
        self._clock = clock
        self._settling = Settling(first.documents)
        self._told = first.condition
        self._noticed: frozenset[str] = frozenset()  # not looked at yet
        self._everywhere = False  # everything is to be looked at
        self._found = Look()  # by who asked, and not acted upon yet
        self._at_work = Lock()  # held by who looks, and while a revision is taken in
        self._hurried = False  # nothing is to wait for quiet
        self._since: float | None = None  # when the first of that was noticed
        self._surveyed = clock()
        self._absent: float | None = None if first.condition is Condition.OK else first.at  # since when

    def revisions(self, stop: Flag, inquiries: Inquiries) -> Iterator[Revision]:
        waking = inquiries.waking(stop)
        with Hints() as hints, inquiries.taken_by(self._nothing_new):
            while not stop.is_set():
                with self._at_work:
                    directories, patience = self._contents.directories(), self._patience()
                heard = hints.wait(directories, patience, waking)
                with self._at_work:
                    asked = inquiries.take()
                    self._everywhere |= bool(asked)
                    self._hurried = any(each.hurry for each in asked)
                    if not stop.is_set() and (revision := self._hear(heard)):
                        yield revision
                    for each in asked:  # what was handed out has been taken in by now
                        each.answer(self._current)

    def _nothing_new(self) -> bool:
        """Whether all is handed out, by a look in the thread of who asks. What it finds is left to the watch."""
        if not self._at_work.acquire(blocking=False):
            return False  # the watch is at it, or another who asks
        try:
            now = self._clock()
            if not self._current or self._git.held(now):
                return False
            with self._stillness.reading() as undisturbed:
                if undisturbed:
                    self._found, self._surveyed = self._found.then(self._contents.survey()), now
                return undisturbed and self._current
        finally:
            self._at_work.release()

    @property
    def _current(self) -> bool:
        """Whether all that is in the files is handed out, as far as is known."""
        looked = not (self._noticed or self._everywhere or self._found) and self._contents.condition is Condition.OK
        return looked and self._settling.told_all

    def _patience(self) -> float:
        """Seconds until something is to be done although nothing is heard."""
        if self._everywhere or self._absent is not None:
            return AGAIN
        due = self._surveyed + SURVEY
        if self._settling.due is not None:
            due = min(due, self._settling.due)
        return max(0.0, due - self._clock())

    def _hear(self, heard: Heard) -> Revision | None:
        now = self._clock()
        self._noticed |= heard.paths
        self._everywhere |= (
            self._stillness.ended() or heard.lost or self._absent is not None or now - self._surveyed >= SURVEY
        )
        if heard.paths and self._since is None:
            self._since = now
        if (self._noticed or self._everywhere) and self._git.held(now):
            self._everywhere = True  # when the lock goes, not all may have been heard that git did under it
            return None
        with self._stillness.reading() as undisturbed:
            if not undisturbed:  # files are being put back: none of them before all are
                self._everywhere = True
                return None
            since, self._since = self._since or now, None
            return self._act(self._look(now), now, since)

    def _look(self, now: float) -> Look:
        noticed, self._noticed = self._noticed, frozenset()
        found, self._found = self._found, Look()
        if not self._everywhere:
            return found.then(self._contents.look(noticed))
        self._everywhere, self._surveyed = False, now
        return found.then(self._contents.survey())

    def _act(self, look: Look, now: float, since: float) -> Revision | None:
        contents, release = self._contents, None
        self._settling.spoil(look.problems, now)
        if contents.condition in (Condition.OK, Condition.EMPTY):
            release = self._settling.settle(look.documents, now, since, hurry=self._hurried)
        if contents.condition is not Condition.OK:
            return self._absence(now)
        self._absent = None
        if self._told is not Condition.OK:
            self._told = Condition.OK
            everything, settling = contents.all(), self._settling
            return Revision(
                settling.told, frozenset(), everything.problems, everything.partial, at=since, leaving=settling.leaving
            )  # without digests: what was told may not be what is there
        if release or look.problems:
            release = release or Release({}, frozenset(), since)
            return Revision(
                release.documents,
                release.gone,
                look.problems,
                look.partial,
                whole=False,
                at=release.at,
                digests=contents.digests(release.documents),
            )
        return None

    def _absence(self, now: float) -> Revision | None:
        """Told once it lasts: what is deleted may be on its way to be made anew."""
        contents = self._contents
        self._absent = self._absent or now
        if now - self._absent < QUIET or self._told is contents.condition:
            return None
        self._told = contents.condition
        return Revision({}, whole=False, condition=contents.condition, message=contents.message, at=self._absent)
