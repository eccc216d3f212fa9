"""One entry of the history in the making: whose keys it has, what was done about each, and so how it stands.

`chronicle.py` makes them, decides which key belongs to which, and writes them down. Nothing here keeps anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from controller.engine.brakes import BRAKED
from controller.engine.history import Deed, Ending, Entry, Result, Text
from controller.engine.passes import Pass, Verdict
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Action

OVER = frozenset({Ending.CONVERGED, Ending.SUPERSEDED})  # nothing more will come of it

_AS_WISHED = {Reason.RETAINED, Reason.SUSPENDED, Reason.PENDING}  # not deleted, and not wrong for that
_DONE = {Verdict.READY, Verdict.REPORTED, Verdict.SUSPENDED, Verdict.GONE}
_WRONG = {Result.FAILED, Result.HELD}

Signature = tuple[str, str, tuple[tuple[Key, Action, tuple[str, ...]], ...]]


@dataclass(eq=False)
class Opened:
    """Not thread-safe: the chronicle has the lock."""

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
        return signature(replace(self.entry, deeds=tuple(self.deeds.values())))

    def start(self, each: Pass) -> None:
        """The step of this pass is about to be carried out."""
        self.pending.add(each.key)
        deed, earlier = Deed(each.key, each.plan.action, _fields(each)), self.deeds.get(each.key)
        self._do(_together(earlier, deed) if earlier else deed)

    def lose(self, key: Key) -> None:
        """A newer revision wants something else of `key`."""
        self.pending.discard(key)
        self.blocked.discard(key)
        self.overtaken = True
        if deed := self.deeds.get(key):
            self._do(replace(deed, result=Result.SUPERSEDED, message=""))

    def settle(self, each: Pass, tired: Callable[[Key], bool]) -> None:
        """Takes in how a pass ended. `tired`: whether a key has failed so often that it counts as failed."""
        key, deed = each.key, self.deeds.get(each.key)
        self.blocked.discard(key)
        braked = each.verdict is Verdict.SUSPENDED and each.reason in BRAKED
        if braked and key not in self.pending:
            return  # what somebody has changed since is no matter of this entry
        if each.verdict in _DONE and not braked:
            self.pending.discard(key)
            if deed:
                self._do(replace(deed, result=Result.DONE, message=""))
        elif each.verdict is Verdict.HELD:
            self.pending.discard(key)
            if each.reason not in _AS_WISHED:
                self._do(Deed(key, Action.DELETE, (), Result.HELD, _said(each)))
        elif braked or each.verdict in (Verdict.STALLED, Verdict.RETRY):
            if each.verdict is not Verdict.RETRY or tired(key):
                self.pending.discard(key)
            deed = deed or Deed(key, each.plan.action, _fields(each))
            self._do(replace(deed, result=Result.FAILED, message=_said(each)))
        elif each.verdict in (Verdict.BLOCKED, Verdict.AWAITING):
            self.blocked.add(key)

    def _do(self, deed: Deed) -> None:
        if self.deeds.get(deed.key) != deed:
            self.deeds[deed.key] = deed
            self.fresh.add(deed.key)

    def ending(self) -> Ending:
        """How it stands. What waits for something that failed keeps nothing open."""
        failed = any(deed.result in _WRONG for deed in self.deeds.values())
        if self.pending - self.blocked if failed else self.pending:
            return Ending.OPEN
        if failed:
            return Ending.FAILED
        return Ending.SUPERSEDED if self.overtaken else Ending.CONVERGED

    def reasons(self) -> str:
        """Why not all is as declared: the first of the reasons, and how many more there are."""
        wrong = [deed for deed in self.deeds.values() if deed.result in _WRONG]
        if not wrong:
            return ""
        first = min(wrong, key=lambda deed: deed.key)
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return f"{first.key.short}: {first.message}{more}"


def signature(entry: Entry) -> Signature:
    """Equal for entries that did the same for the same person."""
    deeds = sorted((deed.key, deed.action, deed.fields) for deed in entry.deeds)
    return entry.user, entry.command, tuple(deeds)


def _together(first: Deed, then: Deed) -> Deed:
    """What two steps of one entry amount to: a thing that was made anew, and started once more, was made anew."""
    if Action.DELETE in (first.action, then.action):
        return then
    made = first.action in (Action.CREATE, Action.ADOPT, Action.REPLACE)
    fields = first.fields if first.action is Action.CREATE else tuple(dict.fromkeys((*first.fields, *then.fields)))
    return replace(then, action=first.action if made else then.action, fields=fields)


def is_drift(each: Pass) -> bool:
    """Whether a step puts back what somebody else has changed: nothing was edited, and it is still declared."""
    subject = each.subject
    return subject is not None and subject.entry is not None and not subject.edited


def _fields(each: Pass) -> tuple[str, ...]:
    return tuple(change.path for change in each.plan.changes)


def _said(each: Pass) -> str:
    return f"{each.reason}: {each.message}" if each.message else str(each.reason)
