"""When a controller counts as crashing again and again. Pure; `wiring/lifetime.py` asks at each start."""

from __future__ import annotations

from collections.abc import Iterable

from controller.engine.stores import Start

MANY = 3  # crashes
WITHIN = 600.0  # seconds


def recent(unended: Iterable[Start], now: Start) -> list[Start]:
    """The starts that came to no orderly end and were not long ago."""
    return [start for start in unended if _ago(start, now) <= WITHIN]


def _ago(start: Start, now: Start) -> float:
    """Within one boot no clock that was set counts. Across boots there is only the clock, right or wrong: one that stands
    behind what was written down still tells how far apart the two are."""
    if start.boot and start.boot == now.boot:
        return now.uptime - start.uptime
    return abs(now.at - start.at)
