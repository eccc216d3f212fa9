"""Questions to a running watch, from other threads: is all that is in the files handed out? `files.py` answers them.

Whoever asks looks, if the watch waits just now. Where that finds something, the watch is woken, looks at everything, hands out
what has changed, and answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`hurry`: what waits for quiet is to be handed out, too: a person has said that it is meant."""

    hurry: bool
    answered: Flag = field(default_factory=Flag)
    current: Flag = field(default_factory=Flag)  # everything is handed out

    def answer(self, current: bool) -> None:
        if current:
            self.current.set()
        self.answered.set()


class Inquiries:
    """Thread-safe."""

    def __init__(self) -> None:
        self._waiting: deque[Inquiry] = deque()
        self._lock = Lock()
        self._nothing_new: Callable[[], bool] | None = None

    @contextmanager
    def taken_by(self, nothing_new: Callable[[], bool]) -> Iterator[None]:
        """While the body runs there is a watch; `nothing_new` looks in the thread that asks, and waits for nobody."""
        self._nothing_new = nothing_new
        try:
            yield
        finally:
            self._nothing_new = None

    def ask(self, seconds: float, *, hurry: bool) -> bool:
        """Whether everything is handed out; False, too, when nobody has answered within `seconds`."""
        if (nothing_new := self._nothing_new) and nothing_new():
            return True  # without waking the watch, which would take some 20 ms
        inquiry = Inquiry(hurry)
        with self._lock:
            self._waiting.append(inquiry)
        inquiry.answered.wait(seconds)
        return inquiry.current.is_set()

    def take(self) -> list[Inquiry]:
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def waking(self, stop: Flag) -> Waking:
        """What a wait is to be broken off for: an inquiry, or `stop`."""
        return Waking(self._waiting, stop)


@dataclass(frozen=True, slots=True)
class Waking:
    """Looks like a flag to those who wait for one (watchfiles asks `is_set` at each of its steps)."""

    waiting: deque[Inquiry]
    stop: Flag

    def is_set(self) -> bool:
        return bool(self.waiting) or self.stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Only the flag itself wakes this one; an inquiry waits."""
        return self.is_set() or self.stop.wait(seconds)
