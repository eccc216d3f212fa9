"""Counters that keep the loop from fighting: applies that do not help, and drift that comes back again and again."""

from __future__ import annotations

from dataclasses import dataclass

from controller.engine.clock import Clock
from resources.meta import Key
from resources.plan import Plan

APPLIES = 3  # whose own second look still differs, before the resource is stalled
HEALS = 5  # of one key, each soon after the other, before it counts as contested
SOON = 120.0  # seconds
LONGEST_PAUSE = 300.0  # seconds between two healings of a contested key


@dataclass(slots=True)
class _Heals:
    count: int = 0
    last: float = 0.0

    @property
    def pause(self) -> float:
        return min(2.0 ** (self.count - HEALS), LONGEST_PAUSE) if self.count >= HEALS else 0.0


class Patience:
    """In memory only: a restart of the controller is a fresh chance. Each key is used by one thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._differing: dict[Key, tuple[str, frozenset[str], int]] = {}
        self._heals: dict[Key, _Heals] = {}

    def differs(self, key: Key, digest: str, plan: Plan) -> None:
        """An apply of this desired state left a difference."""
        paths = frozenset(change.path for change in plan.changes)
        known = self._differing.get(key)
        count = known[2] + 1 if known and known[:2] == (digest, paths) else 1
        self._differing[key] = (digest, paths, count)

    def settled(self, key: Key) -> None:
        """An apply made it equal."""
        self._differing.pop(key, None)

    def persists(self, key: Key, digest: str, plan: Plan) -> str:
        """Why applying `plan` once more is useless, or "". Another difference, or another spec, is worth a try."""
        known = self._differing.get(key)
        paths = frozenset(change.path for change in plan.changes)
        if not known or known[:2] != (digest, paths) or known[2] < APPLIES:
            return ""
        fields = "; ".join(f"{change.path} is {change.observed!r}, not {change.desired!r}" for change in plan.changes)
        return (
            f"cannot make it as declared: after {APPLIES} applies {fields}; change the field, or list it under ignore"
        )

    def healed(self, key: Key) -> None:
        """Drift of `key` was corrected."""
        heals = self._recent(key) or self._heals.setdefault(key, _Heals())
        heals.count += 1
        heals.last = self._clock.monotonic()

    def contested(self, key: Key) -> bool:
        """Whether `key` was healed so often of late that somebody must be changing it back."""
        heals = self._recent(key)
        return heals is not None and heals.count >= HEALS

    def pause(self, key: Key) -> float:
        """Seconds to wait before the next healing: none at first, then doubling from one second."""
        heals = self._recent(key)
        return max(0.0, heals.last + heals.pause - self._clock.monotonic()) if heals else 0.0

    def _recent(self, key: Key) -> _Heals | None:
        """The count of `key`, forgotten when its last healing (and the pause after it) was long ago."""
        heals = self._heals.get(key)
        if heals and self._clock.monotonic() - heals.last > SOON + heals.pause:
            del self._heals[key]
            return None
        return heals
