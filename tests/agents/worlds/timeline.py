"""Time in a simulated world: it passes when a test says so, or when somebody in it sleeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Timeline:
    """`now` is in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
