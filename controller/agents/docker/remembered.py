"""What was made of things last, given again while they are the very same. The agent of containers has two of these.

A running controller looks at the same containers again and again, and nearly always hears what it heard before. Only what
follows from what is compared may be remembered so: what time, secrets or files have a say in is made anew each time.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Generic, TypeVar

from resources.meta import Key

T = TypeVar("T")

WAYS = 4  # in which one thing is told while nothing happens: an engine tells mounts in any order
MOST = 1000  # keys


class Remembered(Generic[T]):
    """By key. Thread-safe; what it is given, and gives, must never be changed."""

    def __init__(self) -> None:
        self._by_key: dict[Key, tuple[tuple[tuple[Any, ...], T], ...]] = {}
        self._lock = Lock()

    def find(self, key: Key, made_of: tuple[Any, ...]) -> T | None:
        """What was made of these. They are compared by value, which takes no time for what is the same object."""
        return next((made for before, made in self._by_key.get(key, ()) if before == made_of), None)

    def keep(self, key: Key, made_of: tuple[Any, ...], made: T) -> None:
        with self._lock:
            former = self._by_key.pop(key, ())
            self._by_key[key] = ((made_of, made), *former[: WAYS - 1])
            if len(self._by_key) > MOST:
                del self._by_key[next(iter(self._by_key))]
