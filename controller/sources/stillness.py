"""Keeps a watch from reading while several files are written that belong together. `files.py` has one for each source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class Stillness:
    """A watch reads, and who asks it something; any thread writes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ended = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Waits until a look that is under way has ended, and lets none begin while the body runs."""
        with self._lock:
            try:
                yield
            finally:
                self._ended = True

    @contextmanager
    def reading(self) -> Iterator[bool]:
        """Whether files may be read while the body runs. Does not wait."""
        undisturbed = self._lock.acquire(blocking=False)
        try:
            yield undisturbed
        finally:
            if undisturbed:
                self._lock.release()

    def ended(self) -> bool:
        """Whether there was a stillness since this was asked last."""
        if self._ended and not self._lock.locked():
            self._ended = False
            return True
        return False
