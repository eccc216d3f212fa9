"""Writes the history while the loop works. The manager tells it what was taken in, what begins, and what has settled.

Every key that is worked on belongs to one entry: the revision that edited it, or the drift that was found. An entry is in
the database before the first change that belongs to it, and has its ending when its last key is settled. What changes
nothing and was not edited leaves no entry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import RLock, Thread

from controller.engine.history import Deed, Ending, Entry, Kept, Result, Text
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Verdict
from controller.engine.requests import Cause, Request
from controller.engine.revision import Condition, Revision
from controller.engine.stores import NotKept
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Action

log = logging.getLogger(__name__)

TOGETHER = 2.0  # seconds within which what begins by itself is one entry
GIT_AT_END = 10.0  # seconds to wait for git when the process ends

_AS_WISHED = {Reason.RETAINED, Reason.SUSPENDED}
_DONE = {Verdict.READY, Verdict.REPORTED, Verdict.SUSPENDED, Verdict.GONE}
_OVER = {Ending.CONVERGED, Ending.SUPERSEDED}
Signature = tuple[str, str, tuple[tuple[Key, Action, tuple[str, ...]], ...]]


@dataclass(eq=False)
class _Open:
    """An entry in the making."""

    entry: Entry
    began: float  # monotonic seconds
    texts: list[Text] = field(default_factory=list)
    pending: set[Key] = field(default_factory=set)
    blocked: set[Key] = field(default_factory=set)  # of those, which wait for others
    deeds: dict[Key, Deed] = field(default_factory=dict)
    fresh: set[Key] = field(default_factory=set)  # deeds not written down yet
    unkept: bool = False  # its ending could not be written down
    overtaken: bool = False  # a newer revision took keys from it

    @property
    def written(self) -> bool:
        return self.entry.number > 0

    @property
    def signature(self) -> Signature:
        return _signature(replace(self.entry, deeds=tuple(self.deeds.values())))


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
        self._of: dict[Key, _Open] = {}  # whom a key's work belongs to
        self._known: dict[str, Kept] | None = None  # the tree as recorded last, or about to be
        self._unwritten: dict[str, Text] = {}  # read, and not written down yet
        self._recent: dict[Cause, _Open] = {}  # what began by itself last
        self._drifts: dict[Signature, int] | None = None  # since the last edit
        self._only: _Open | None = None  # of a one-off run
        self._asking: Thread | None = None
        self._to_ask: _Open | None = None

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
            self._enter(self._draft(Cause.EDIT, keys), keys)

    def begin(self, keys: Collection[Key]) -> None:
        """A one-off run works on `keys`; whatever it does is one entry. Raises NotKept."""
        with self._lock:
            self._only = self._draft(Cause.EDIT if self._unwritten else Cause.DRIFT, keys)
            self._enter(self._only, keys)

    def _enter(self, draft: _Open, keys: Collection[Key]) -> None:
        if not keys and not self._unwritten:
            return
        for key in keys:
            self._leave(key)
            self._of[key] = draft
        draft.pending.update(keys)
        if self._unwritten:
            draft.texts = list(self._unwritten.values())
            self._write(draft)
            self._conclude(draft)

    def _leave(self, key: Key) -> None:
        """What an older entry wanted of `key` is overtaken."""
        older = self._of.pop(key, None)
        if older is None or key not in older.pending:
            return
        older.pending.discard(key)
        older.blocked.discard(key)
        older.overtaken = True
        if deed := older.deeds.get(key):
            self._deed(older, replace(deed, result=Result.SUPERSEDED, message=""))
        self._conclude(older)

    def _draft(self, cause: Cause, keys: Collection[Key]) -> _Open:
        own = self._requests.own
        request = next((found for key in keys if (found := self._requests.of(key)) is not own), own)
        return _Open(self._entry(cause, request), self._clock.monotonic())

    def _entry(self, cause: Cause, request: Request) -> Entry:
        cause, restored = request.cause or cause, request.revision
        return Entry(self._source, self._clock.wall(), cause, request.user, request.command, restored)

    # -- what is done ------------------------------------------------------------------------------------------

    def starting(self, passes: Sequence[Pass]) -> None:
        """The steps of these passes are about to be carried out. Raises NotKept."""
        with self._lock:
            touched = []
            for each in passes:
                opened = self._belonging(each)
                self._move(each.key, opened)
                fields = tuple(change.path for change in each.plan.changes)
                self._deed(opened, Deed(each.key, each.plan.action, fields))
                if opened not in touched:
                    touched.append(opened)
            for opened in touched:
                if not opened.written:
                    self._write(opened)
                    self._note(opened)

    def _move(self, key: Key, opened: _Open) -> None:
        before = self._of.get(key)
        if before and before is not opened:
            before.pending.discard(key)
            self._conclude(before)
        self._of[key] = opened
        opened.pending.add(key)

    def _belonging(self, each: Pass) -> _Open:
        """The entry that this step belongs to: that of its edit; else of what else began by itself just now."""
        drift = is_drift(each)
        if self._only:
            if not drift and self._only.entry.cause is Cause.DRIFT:
                self._only.entry = replace(self._only.entry, cause=Cause.EDIT)
            return self._only
        opened = self._of.get(each.key)
        if opened and (opened.entry.cause is Cause.DRIFT) is drift and (not drift or each.key in opened.pending):
            return opened
        cause = Cause.DRIFT if drift else Cause.EDIT
        request = self._requests.of(each.key)
        recent = self._recent.get(cause)
        if recent and self._joins(recent, each.key, request):
            return recent
        self._retire(cause)
        self._recent[cause] = _Open(self._entry(cause, request), self._clock.monotonic())
        return self._recent[cause]

    def _joins(self, recent: _Open, key: Key, request: Request) -> bool:
        """Whether a step belongs to what began just now: a thing that moves twice is two things."""
        same = (recent.entry.user, recent.entry.command) == (request.user, request.command)
        young = self._clock.monotonic() - recent.began < TOGETHER
        return same and young and key not in recent.deeds

    def _retire(self, cause: Cause) -> None:
        """Nothing more joins what began last."""
        recent = self._recent.pop(cause, None)
        if recent and recent.entry.ending in _OVER and cause is Cause.DRIFT:
            self._merge(recent)

    def settled(self, passes: Sequence[Pass]) -> None:
        """These passes have ended."""
        with self._lock:
            touched = []
            for each in passes:
                opened = self._of.get(each.key)
                if opened and not self._stale(each):
                    self._settle(opened, each)
                    if opened not in touched:
                        touched.append(opened)
            for opened in touched:
                self._conclude(opened)

    def _stale(self, each: Pass) -> bool:
        """Whether this pass was over what was desired before the newest edit."""
        entry = self._index.find(each.key)
        return each.subject is not None and each.digest != (entry.digest if entry else "")

    def _settle(self, opened: _Open, each: Pass) -> None:
        """Takes in how a pass ended."""
        key, deed = each.key, opened.deeds.get(each.key)
        said = f"{each.reason}: {each.message}" if each.message else str(each.reason)
        opened.blocked.discard(key)
        if each.verdict in _DONE:
            opened.pending.discard(key)
            if deed:
                self._deed(opened, replace(deed, result=Result.DONE, message=""))
            else:
                self._of.pop(key, None)
        elif each.verdict is Verdict.HELD:
            opened.pending.discard(key)
            if each.reason not in _AS_WISHED and each.reason != Reason.PENDING:
                self._deed(opened, Deed(key, Action.DELETE, (), Result.HELD, said))
        elif each.verdict is Verdict.STALLED or (each.verdict is Verdict.RETRY and self._tired(key)):
            opened.pending.discard(key)
            self._fail(opened, each, said)
        elif each.verdict is Verdict.RETRY:
            self._fail(opened, each, said)
        elif each.verdict is Verdict.BLOCKED:
            opened.blocked.add(key)

    def _fail(self, opened: _Open, each: Pass, said: str) -> None:
        deed = opened.deeds.get(each.key)
        fields = tuple(change.path for change in each.plan.changes)
        deed = deed or Deed(each.key, each.plan.action, fields)
        self._deed(opened, replace(deed, result=Result.FAILED, message=said))

    def end(self, ending: Ending, why: str) -> None:
        """Nothing more will be done by this process: what is open ends so, and for that reason."""
        with self._lock:
            left = {id(opened): opened for opened in self._of.values() if opened.entry.ending is Ending.OPEN}
            for opened in left.values():
                message = self._reasons(opened) or why
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

    def _deed(self, opened: _Open, deed: Deed) -> None:
        if opened.deeds.get(deed.key) != deed:
            opened.deeds[deed.key] = deed
            opened.fresh.add(deed.key)

    def _write(self, opened: _Open) -> None:
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

    def _conclude(self, opened: _Open) -> None:
        """Works out how the entry stands, and writes it down where that is new."""
        if not opened.written:
            return
        failed = any(deed.result in (Result.FAILED, Result.HELD) for deed in opened.deeds.values())
        active = opened.pending - opened.blocked if failed else opened.pending
        ending = Ending.OPEN
        if not active:
            ending = Ending.FAILED if failed else Ending.SUPERSEDED if opened.overtaken else Ending.CONVERGED
        before, message = opened.entry, self._reasons(opened)
        if opened.fresh or opened.unkept or (before.ending, before.message) != (ending, message):
            opened.entry = replace(before, ending=ending, message=message, seconds=self._since(opened))
            self._note(opened)
        if ending in _OVER and not self._only:
            for key in opened.deeds:
                if self._of.get(key) is opened:
                    del self._of[key]
            if opened.entry.cause is Cause.DRIFT and opened is not self._recent.get(Cause.DRIFT):
                self._merge(opened)

    def _since(self, opened: _Open) -> float:
        return self._clock.monotonic() - opened.began

    def _reasons(self, opened: _Open) -> str:
        """Why not all is as declared: the first of the reasons, and how many more there are."""
        wrong = [deed for deed in opened.deeds.values() if deed.result in (Result.FAILED, Result.HELD)]
        if not wrong:
            return ""
        first = min(wrong, key=lambda deed: deed.key)
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return f"{first.key.short}: {first.message}{more}"

    def _note(self, opened: _Open) -> None:
        """What can't be written down now is written with the next change: the work itself must not be lost for it."""
        if opened.written:
            fresh = [opened.deeds[key] for key in opened.fresh]
            opened.unkept = not self._kept(lambda: self._history.note(opened.entry.number, opened.entry, fresh))
            if not opened.unkept:
                opened.fresh.clear()

    def _merge(self, opened: _Open) -> None:
        """A thing that is put back again and again is one entry with a count."""
        if self._drifts is None and not self._kept(self._recall_drifts):
            return
        assert self._drifts is not None
        number = opened.entry.number
        earlier = self._drifts.get(opened.signature, number)
        if earlier == number or self._kept(lambda: self._history.merge(number, earlier)):
            self._drifts[opened.signature] = earlier
            opened.entry = replace(opened.entry, number=earlier)

    def _recall_drifts(self) -> None:
        drifts = [entry for entry in self._history.drifts(self._source) if entry.ending is not Ending.OPEN]
        self._drifts = {_signature(entry): entry.number for entry in sorted(drifts, key=lambda e: -e.number)}

    def _kept(self, keep: Callable[[], None]) -> bool:
        try:
            keep()
        except NotKept as error:
            log.warning("a part of the history could not be kept", extra={"cause": str(error)})
            return False
        return True

    # -- git ---------------------------------------------------------------------------------------------------

    def _ask_git(self, opened: _Open) -> None:
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


def is_drift(each: Pass) -> bool:
    """Whether a step puts back what somebody else has changed: nothing was edited, and it is still declared."""
    subject = each.subject
    return subject is not None and subject.entry is not None and not subject.edited


def _signature(entry: Entry) -> Signature:
    """Equal for entries that did the same for the same person."""
    deeds = sorted((deed.key, deed.action, deed.fields) for deed in entry.deeds)
    return entry.user, entry.command, tuple(deeds)
