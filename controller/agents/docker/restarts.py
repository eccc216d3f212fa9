"""The engine's own restarts of containers, as this process has seen them: a program that keeps exiting is not Ready in between.

The engine counts restarts since it was last told to start a container, be that a year ago; when they were is noted here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.agents.docker.client import Json
from resources.meta import Key

WINDOW = 600.0  # seconds after which a restart is forgotten
SETTLED = 10.0  # seconds without a restart after which it is believed to run, after one
LONGEST = 300.0  # and after many, for each doubles it
MANY = 16  # restarts that are remembered


@dataclass(slots=True)
class _Seen:
    container: str
    count: int
    times: deque[float] = field(default_factory=lambda: deque(maxlen=MANY))


class Restarts:
    """Each key is used by one thread at a time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[Key, _Seen] = {}

    def settling(self, key: Key, live: Json) -> float:
        """Seconds that this container must have been running after a restart before it is believed to run."""
        now, count = self._monotonic(), int(live.get("RestartCount") or 0)
        seen = self._seen.get(key)
        if seen is None or seen.container != live["Id"] or count < seen.count:
            seen = self._seen[key] = _Seen(live["Id"], count)
        seen.times.extend([now] * min(count - seen.count, MANY))
        seen.count = count
        while seen.times and now - seen.times[0] > WINDOW:
            seen.times.popleft()
        return float(min(SETTLED * 2 ** max(len(seen.times) - 1, 0), LONGEST))
