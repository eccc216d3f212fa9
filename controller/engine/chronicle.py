"""Writes the history while the loop works. The manager tells it what was taken in, what begins, and what has settled.

Every key that is worked on belongs to one entry: the revision that edited it, or the drift that was found. An entry is in
the database before the first change that belongs to it, and has its ending when its last key is settled. What changes
nothing and was not edited leaves no entry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from threading import RLock, Thread

from controller.engine.history import Ending, Entry, Kept, Text
from controller.engine.opened import OVER, Opened, Signature, is_drift, signature
from controller.engine.parts import Parts
from controller.engine.passes import Pass
from controller.engine.requests import Cause, Request
from controller.engine.revision import Condition, Revision
from controller.engine.stores import NotKept
from resources.meta import Key

log = logging.getLogger(__name__)

TOGETHER = 2.0  # seconds within which what begins by itself is one entry
GIT_AT_END = 10.0  # seconds to wait for git when the process ends


class Chronicle:
    """Thread-safe. `tired` says whether a key has failed so often that it counts as failed."""

    def __init__(self, parts: Parts, tired: Callable[[Key], bool]) -> None:
        self._history = parts.stores.history
        self._index = parts.index
        self._texts = parts.texts
        self._requests = parts.requests
        self._clock = parts.clock
        self._source = parts.identity.source
        self._tired = tired
        self._lock = RLock()
        self._of: dict[Key, Opened] = {}  # whom a key's work belongs to
        self._known: dict[str, Kept] | None = None  # the tree as recorded last, or about to be
        self._unwritten: dict[str, Text] = {}  # read, and not written down yet
        self._recent: dict[Cause, Opened] = {}  # what began by itself last
        self._drifts: dict[Signature, int] | None = None  # since the last edit
        self._only: Opened | None = None  # of a one-off run
        self._asking: Thread | None = None
        self._to_ask: Opened | None = None

    # -- what is desired ---------------------------------------------------------------------------------------

    def read(self, revision: Revision) -> None:
        """The source was read: notes which of its files differ from those recorded last. Writes nothing."""
        if self._texts is None or revision.condition is not Condition.OK:
            return
        with self._lock:
            if self._known is None:
                self._known = dict(self._history.tree(self._source))
            for text in self._texts.changed(revision, self._known):
                self._unwritten[text.path] = text
                if text.digest:
                    self._known[text.path] = Kept(text.digest, text.content is not None)
                else:
                    self._known.pop(text.path, None)

    def take(self, keys: Collection[Key]) -> None:
        """A running controller works on `keys` because of what it has read. Raises NotKept."""
        with self._lock:
            own = self._requests.own
            request = next((found for key in keys if (found := self._requests.of(key)) is not own), own)
            self._enter(self._draft(request.cause or Cause.EDIT, request), keys)

    def begin(self, keys: Collection[Key]) -> None:
        """A one-off run works on `keys`; whatever it does is one entry. Raises NotKept."""
        with self._lock:
            request = self._requests.own
            cause = request.cause or (Cause.EDIT if self._unwritten else Cause.DRIFT)
            self._only = self._draft(cause, request)
            self._enter(self._only, keys)

    def _draft(self, cause: Cause, request: Request) -> Opened:
        user, command, restored = request.user, request.command, request.revision
        entry = Entry(self._source, self._clock.wall(), cause, user, command, restored)
        return Opened(entry, self._clock.monotonic())

    def _enter(self, draft: Opened, keys: Collection[Key]) -> None:
        """Gives `keys` to a new entry, which is written down at once where files have changed."""
        if not keys and not self._unwritten:
            return
        for key in keys:
            older = self._of.get(key)
            self._of[key] = draft
            if older and key in older.pending:
                older.lose(key)
                self._conclude(older)
        draft.pending.update(keys)
        if self._unwritten:
            draft.texts = list(self._unwritten.values())
            self._write(draft)
            self._conclude(draft)

    # -- what is done ------------------------------------------------------------------------------------------

    def starting(self, passes: Sequence[Pass]) -> None:
        """The steps of these passes are about to be carried out. Raises NotKept."""
        with self._lock:
            touched = {}
            for each in passes:
                opened = self._belonging(each)
                self._move(each.key, opened)
                opened.start(each)
                touched[id(opened)] = opened
            for opened in touched.values():
                if not opened.written:
                    self._write(opened)
                if opened.fresh:
                    self._note(opened)

    def _move(self, key: Key, opened: Opened) -> None:
        before, self._of[key] = self._of.get(key), opened
        if before and before is not opened:
            before.pending.discard(key)
            self._conclude(before)

    def _belonging(self, each: Pass) -> Opened:
        """The entry that this step belongs to: that of its edit; else of what else began by itself just now."""
        drift = is_drift(each)
        if self._only:
            if not drift and self._only.entry.cause is Cause.DRIFT:
                self._only.entry = replace(self._only.entry, cause=Cause.EDIT)
            return self._only
        opened = self._of.get(each.key)
        # What an edit has yet to come to is its own matter: that it does not last is no drift.
        if opened and (each.key in opened.pending if drift else opened.entry.cause is not Cause.DRIFT):
            return opened
        back = each.subject is not None and each.subject.going_back  # from an edit that an earlier process has made
        cause = Cause.DRIFT if drift else Cause.ROLLBACK if back else Cause.EDIT
        request = self._requests.of(each.key)
        recent = self._recent.get(cause)
        if recent and self._joins(recent, each.key, request):
            return recent
        self._retire(cause)
        self._recent[cause] = self._draft(request.cause or cause if cause is Cause.EDIT else cause, request)
        return self._recent[cause]

    def _joins(self, recent: Opened, key: Key, request: Request) -> bool:
        """Whether a step belongs to what began just now: a thing that moves twice is two things."""
        same = (recent.entry.user, recent.entry.command) == (request.user, request.command)
        young = self._clock.monotonic() - recent.began < TOGETHER
        return same and young and key not in recent.deeds

    def _retire(self, cause: Cause) -> None:
        """Nothing more joins what began last."""
        recent = self._recent.pop(cause, None)
        if recent and recent.entry.ending in OVER and cause is Cause.DRIFT:
            self._merge(recent)

    def settled(self, passes: Sequence[Pass]) -> None:
        """These passes have ended."""
        with self._lock:
            touched = {}
            for each in passes:
                opened = self._of.get(each.key)
                if opened and not self._stale(each):
                    opened.settle(each, self._tired)
                    touched[id(opened)] = opened
                    if each.key not in opened.deeds and each.key not in opened.pending:
                        del self._of[each.key]
            for opened in touched.values():
                self._conclude(opened)

    def _stale(self, each: Pass) -> bool:
        """Whether this pass was over what was desired before the newest edit."""
        entry = self._index.find(each.key)
        return each.subject is not None and each.digest != (entry.digest if entry else "")

    def end(self, ending: Ending, why: str) -> None:
        """Nothing more will be done by this process: what is open ends so, and for that reason."""
        with self._lock:
            left = {id(opened): opened for opened in self._of.values() if opened.entry.ending is Ending.OPEN}
            for opened in left.values():
                message = opened.reasons() or why
                opened.entry = replace(opened.entry, ending=ending, message=message, seconds=self._since(opened))
                self._note(opened)
            self._of.clear()
            self._retire(Cause.DRIFT)
            if (only := self._only) and only.written and only.entry.cause is Cause.DRIFT:
                self._merge(only)
            self._only = None
            asking = self._asking
        if asking:
            asking.join(GIT_AT_END)

    # -- writing -----------------------------------------------------------------------------------------------

    def _write(self, opened: Opened) -> None:
        """The entry, before the first change that belongs to it."""
        if self._texts:
            opened.entry = replace(opened.entry, commit=self._texts.commit())
        if opened.entry.cause is not Cause.DRIFT:
            self._retire(Cause.DRIFT)
            self._drifts = {}
        # What was written down with another entry meanwhile must not come back.
        texts = [text for text in opened.texts if self._unwritten.get(text.path) is text]
        number = self._history.open(opened.entry, texts)
        opened.entry, opened.texts = replace(opened.entry, number=number), []
        for text in texts:
            del self._unwritten[text.path]
        if opened.entry.commit and texts:
            self._ask_git(opened)

    def _conclude(self, opened: Opened) -> None:
        """Works out how the entry stands, and writes it down where that is new."""
        if not opened.written:
            return
        before, ending, message = opened.entry, opened.ending(), opened.reasons()
        if opened.fresh or opened.unkept or (before.ending, before.message) != (ending, message):
            opened.entry = replace(before, ending=ending, message=message, seconds=self._since(opened))
            self._note(opened)
        if ending in OVER and not self._only:
            for key in opened.deeds:
                if self._of.get(key) is opened:
                    del self._of[key]
            if opened.entry.cause is Cause.DRIFT and opened is not self._recent.get(Cause.DRIFT):
                self._merge(opened)

    def _since(self, opened: Opened) -> float:
        return self._clock.monotonic() - opened.began

    def _note(self, opened: Opened) -> None:
        """What can't be written down now is written with the next change: the work itself must not be lost for it."""
        if opened.written:
            fresh = [opened.deeds[key] for key in opened.fresh]
            opened.unkept = not self._kept(lambda: self._history.note(opened.entry.number, opened.entry, fresh))
            if not opened.unkept:
                opened.fresh.clear()

    def _merge(self, opened: Opened) -> None:
        """A thing that is put back again and again is one entry with a count."""
        self._kept(partial(self._merge_equal, opened))

    def _merge_equal(self, opened: Opened) -> None:
        if self._drifts is None:
            drifts = sorted(self._history.drifts(self._source), key=lambda entry: entry.number, reverse=True)
            self._drifts = {signature(entry): entry.number for entry in drifts if entry.ending is not Ending.OPEN}
        number = opened.entry.number
        earlier = self._drifts.get(opened.signature, number)
        if earlier != number and self._history.merge(number, earlier):
            opened.entry = replace(opened.entry, number=earlier)
        self._drifts[opened.signature] = opened.entry.number

    def _kept(self, keep: Callable[[], None]) -> bool:
        try:
            keep()
        except NotKept as error:
            level = logging.INFO if self._only else logging.WARNING  # who waits for one run is told of the disk by it
            log.log(level, "a part of the history could not be kept", extra={"cause": str(error)})
            return False
        return True

    # -- git ---------------------------------------------------------------------------------------------------

    def _ask_git(self, opened: Opened) -> None:
        """Has git say, in a thread, whether the files are as committed. Of edits in a burst only the last is asked for."""
        self._to_ask = opened
        if self._asking is None or not self._asking.is_alive():
            self._asking = Thread(target=self._ask, name="history-git", daemon=True)
            self._asking.start()

    def _ask(self) -> None:
        assert self._texts is not None
        while True:
            with self._lock:
                opened, self._to_ask = self._to_ask, None
                if opened is None:
                    self._asking = None
                    return
            dirty, entry = self._texts.dirty(), opened.entry
            self._kept(partial(self._history.place, entry.number, entry.commit, dirty))
