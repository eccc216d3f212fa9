"""Waiting for a poke: how `p2 run` notices that `p2 suspend` or `p2 confirm` wrote to its database. `Home.pokes` makes it.

Waits on inotify and wakes for nothing else, so a controller at rest stays at rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from inotify_simple import INotify, flags

from controller.store.errors import told


class Pokes:
    """Several pokes in a burst are one. `close`, from any thread, ends the wait."""

    def __init__(self, path: Path) -> None:
        self._inotify = INotify()
        with told(path, "watch"):
            path.touch(mode=0o600)
            self._watch = self._inotify.add_watch(path, flags.ATTRIB | flags.CLOSE_WRITE)

        self._closed = False

    def wait(self) -> bool:
        """Blocks until somebody pokes (True) or the wait is over (False)."""
        if not self._closed:
            self._closed = any(event.mask & flags.IGNORED for event in self._inotify.read())
        return not self._closed

    def __iter__(self) -> Iterator[None]:
        while self.wait():
            yield

    def close(self) -> None:
        # The kernel answers the removal of a watch with an IGNORED event, which ends the wait.
        with suppress(OSError):
            self._inotify.rm_watch(self._watch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
