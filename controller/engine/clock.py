"""Time, injected: the loop never asks the machine for it by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` for durations and due times, `wall` (seconds since the epoch) for what people read."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
