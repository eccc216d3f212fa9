"""Circuit breaker, one for each system: after five failures in a row to reach it, one probe every fifteen seconds.

The lane of a system asks it before each look, so that a dead engine costs one attempt now and then instead of one for
each of its resources.
"""

from __future__ import annotations

from collections.abc import Callable

FAILURES_TO_OPEN = 5
PROBE_INTERVAL = 15.0  # seconds


class Breaker:
    """`clock` gives monotonic seconds. Asked by one thread; `probe_now` may come from any."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._probe_at = 0.0
        self.answered = False  # the system was reached at least once

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES_TO_OPEN

    @property
    def reached(self) -> bool:
        """Whether the system answered when it was last asked."""
        return self._failures == 0

    def wait(self) -> float:
        """Seconds until the system may be asked again: 0 while the breaker is closed."""
        return max(0.0, self._probe_at - self._clock()) if self.open else 0.0

    def probe_now(self) -> None:
        """Something hints that the system is back: allow the next probe at once."""
        self._probe_at = self._clock()

    def succeeded(self) -> bool:
        """The system answered. Returns whether the breaker was open until now."""
        was_open, self._failures, self.answered = self.open, 0, True
        return was_open

    def failed(self) -> bool:
        """The system could not be reached. Returns whether this opened the breaker."""
        was_open = self.open
        self._failures += 1
        self._probe_at = self._clock() + PROBE_INTERVAL
        return self.open and not was_open
