"""How long things take: from an edit, and from the first hint of drift, to Ready. The manager tells it; listeners are told."""

from __future__ import annotations

from controller.engine.passes import Pass, Verdict
from controller.engine.stores import Listener
from resources.meta import Key
from resources.plan import Action

# Verdicts after which the next change is another story.
_ENDS = {Verdict.READY, Verdict.GONE, Verdict.STALLED, Verdict.SUSPENDED, Verdict.REPORTED, Verdict.HELD}


class Latencies:
    """Times are monotonic seconds. Each key is told of by one thread at a time."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._edited: dict[Key, float] = {}
        self._hinted: dict[Key, float] = {}
        self._healed: set[Key] = set()  # corrected, not Ready yet

    def edited(self, key: Key, at: float) -> None:
        """A new edit; what became of an older one no longer matters."""
        self._edited[key] = at

    def hinted(self, key: Key, at: float) -> None:
        """Something may have moved; the first hint counts."""
        self._hinted.setdefault(key, at)

    def settled(self, each: Pass, now: float) -> None:
        """A pass has ended."""
        key = each.key
        if each.carried_out is not Action.NONE and each.subject and not each.subject.edited:
            self._healed.add(key)
        if each.verdict not in _ENDS:
            return
        edited, hinted = self._edited.pop(key, None), self._hinted.pop(key, None)
        healed = key in self._healed
        self._healed.discard(key)
        if each.verdict not in (Verdict.READY, Verdict.GONE):
            return
        if edited is not None:
            self._listener.converged(key, now - edited)
        if hinted is not None and healed:
            self._listener.corrected(key, now - hinted)
