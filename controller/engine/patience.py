"""Counters that keep the loop from fighting: applies that do not help, and drift that comes back again and again."""

from __future__ import annotations

import json
from dataclasses import dataclass

from controller.engine.clock import Clock
from controller.engine.diff import plain
from resources.meta import Key
from resources.plan import Disruption, Plan

APPLIES = 3  # whose own second look still differs, before the resource is stalled
HEALS = 5  # of one key, each soon after the other, before it counts as contested
ENDS = 10  # of one key that was started again each time, each soon after the other, before it is left alone
SOON = 120.0  # seconds
LONGEST_PAUSE = 300.0  # seconds between two healings of a contested key
ASK_AGAIN = 300.0  # seconds until what was refused is tried again, if trying disturbs nothing


# What was attempted: the digest of the desired state, and the fields that were to change.
_Attempt = tuple[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an apply was Stalled."""

    reason: str
    message: str


@dataclass(slots=True)
class _Heals:
    count: int = 0
    last: float = 0.0
    fields: str = ""  # that somebody changes, for people
    ended: int = 0  # how often of these it had ended by itself
    left_alone: bool = False
    asked: bool = False  # for the next one, by somebody who does not want to wait

    @property
    def pause(self) -> float:
        return min(2.0 ** (self.count - HEALS), LONGEST_PAUSE) if self.count >= HEALS else 0.0


class Patience:
    """In memory only: a restart of the controller is a fresh chance. Each key is used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._differing: dict[Key, tuple[str, frozenset[str], int]] = {}
        self._heals: dict[Key, _Heals] = {}
        self._refused: dict[Key, tuple[_Attempt, Refusal, float]] = {}

    def refused(self, key: Key, digest: str, plan: Plan, refusal: Refusal) -> None:
        """An apply was Stalled: doing the same again would end the same, and disturb what works meanwhile."""
        self._refused[key] = (_attempt(digest, plan), refusal, self._clock.monotonic())

    def forgive(self, key: Key) -> None:
        """Somebody asks for it by hand: what was in the way may be gone (a login, a port), which no look would tell.

        Who fights with somebody else over it may do so at once.
        """
        self._refused.pop(key, None)
        if heals := self._heals.get(key):
            heals.asked = True

    def refusal(self, key: Key, digest: str, plan: Plan, *, failed: bool = False) -> Refusal | None:
        """Why `plan` is not to be tried (again). Another spec or another difference is; and now and then what is harmless.

        So is whatever disturbs only a thing that has `failed`.
        """
        known = self._refused.get(key)
        if known is None:
            return None
        attempt, refusal, at = known
        harmless = failed or plan.disruption is Disruption.NOTHING
        rested = harmless and self._clock.monotonic() - at >= ASK_AGAIN
        return None if rested or attempt != _attempt(digest, plan) else refusal

    def differs(self, key: Key, digest: str, plan: Plan) -> None:
        """An apply of this desired state left a difference."""
        attempt = _attempt(digest, plan)
        known = self._differing.get(key)
        self._differing[key] = (*attempt, known[2] + 1 if known and known[:2] == attempt else 1)

    def differed(self, key: Key, digest: str) -> bool:
        """Whether the last apply of this desired state left a difference, and nobody has found it settled since."""
        known = self._differing.get(key)
        return known is not None and known[0] == digest

    def settled(self, key: Key) -> None:
        """It is as declared."""
        self._differing.pop(key, None)
        self._refused.pop(key, None)
        if heals := self._heals.get(key):
            heals.asked = False
            if heals.left_alone:
                del self._heals[key]  # somebody has started it once more, and all begins anew

    def begun_anew(self, key: Key) -> None:
        """It was edited: what it did before says nothing of it now."""
        self._heals.pop(key, None)

    def ends_again(self, key: Key) -> bool:
        """Whether a thing that has ended by itself, once more, is not to be started again until somebody does something."""
        heals = self._recent(key)
        if heals is None or heals.ended < ENDS:
            return False
        heals.left_alone = True
        return True

    def keeps_ending(self, key: Key) -> float:
        """Seconds until a thing that has been started again and again is believed to run; 0 for any other."""
        heals = self._recent(key)
        if heals is None or heals.ended < HEALS:
            return 0.0
        return max(0.0, heals.last + SOON + heals.pause - self._clock.monotonic())

    def persists(self, key: Key, digest: str, plan: Plan) -> str:
        """Why applying `plan` once more is useless, or "". Another difference, or another spec, is worth a try."""
        known = self._differing.get(key)
        if not known or known[:2] != _attempt(digest, plan) or known[2] < APPLIES:
            return ""
        fields = "; ".join(f"{c.path} is {_shown(c.observed)}, not {_shown(c.desired)}" for c in plan.changes)
        return (
            f"cannot make it as declared: after {APPLIES} applies {fields}; change the field, or list it under ignore"
        )

    def healed(self, key: Key, plan: Plan, *, ended: bool = False) -> None:
        """Drift of `key` was corrected, by `plan`. `ended`: that it had ended by itself."""
        heals = self._recent(key) or self._heals.setdefault(key, _Heals())
        heals.fields = ", ".join(change.path for change in plan.changes)
        heals.count += 1
        heals.asked = False
        heals.ended += ended
        heals.last = self._clock.monotonic()

    def contested(self, key: Key) -> bool:
        """Whether `key` was healed so often of late that somebody must be changing it back."""
        heals = self._recent(key)
        return heals is not None and heals.count >= HEALS

    def fought_over(self, key: Key) -> str:
        """The fields that were healed last, or "it" where the thing as a whole was."""
        heals = self._heals.get(key)
        return (heals.fields if heals else "") or "it"

    def pause(self, key: Key) -> float:
        """Seconds to wait before the next healing: none at first, then doubling from one second."""
        heals = self._recent(key)
        if heals is None or heals.asked:
            return 0.0
        return max(0.0, heals.last + heals.pause - self._clock.monotonic())

    def _recent(self, key: Key) -> _Heals | None:
        """The count of `key`, forgotten when its last healing (and the pause after it) was long ago."""
        heals = self._heals.get(key)
        if heals and not heals.left_alone and self._clock.monotonic() - heals.last > SOON + heals.pause:
            del self._heals[key]
            return None
        return heals


def _attempt(digest: str, plan: Plan) -> _Attempt:
    return digest, frozenset(change.path for change in plan.changes)


def _shown(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False)
