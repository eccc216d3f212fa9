"""What may have changed in some directories, by watchfiles. `files.py` looks at what the hints name.

The Rust side is used as its documentation allows (https://watchfiles.helpmanual.io/api/rust_backend/), because each wait
has a time-out of its own. Directories are watched one by one, not as a tree: `.git` and what else lies hidden in them
costs nothing then.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import dataclass
from threading import Event as Flag
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

    from controller.sources.inquiries import Waking


log = logging.getLogger(__name__)

# watchfiles looks for events every STEP and hands them out after a step that brought no more: an edit is noticed after one
# to two steps. Looking costs. Measured, share of a core at rest and edit to revision: 30 ms 0.19 %, 60 ms; 40 ms 0.15 %,
# 70 ms; 50 ms 0.13 %, 80 ms.
STEP = 0.040
BURST = 0.500  # seconds that changes which go on and on are gathered
MANY = 2_000  # paths at once: the kernel's queue (16,384 events) may have overflowed, which watchfiles does not tell
UNWATCHED = 2.0  # seconds between looks where the system does not let us watch

_UNWATCHED = (
    "cannot watch the files, so they are looked at every few seconds: if there are too many watches or instances "
    "of inotify, raise the sysctls fs.inotify.max_user_watches and max_user_instances"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """`lost`: anything may have changed."""

    paths: frozenset[str] = frozenset()
    lost: bool = False


class Hints:
    """Not safe for concurrent use. Hints may be spurious, and some may be missing: survey now and then."""

    def __init__(self) -> None:
        self._notify: RustNotify | None = None
        self._watched: Set[str] = frozenset()
        self._warned = False

    def wait(self, directories: Set[str], seconds: float, stop: Flag | Waking) -> Heard:
        """What is heard of `directories` within `seconds`; nothing if nothing is, or when `stop` is set."""
        if self._notify is None or directories != self._watched:
            if not self._open(directories):
                stop.wait(min(seconds, UNWATCHED))
            return Heard(lost=True)
        assert self._notify is not None
        try:
            found = self._notify.watch(round(BURST * 1000), round(STEP * 1000), max(1, round(seconds * 1000)), stop)
        except RuntimeError as error:  # watchfiles' own, for whatever its thread has met: a name that is no UTF-8
            log.info("watch of files lost", extra={"cause": str(error)})
            self.close()
            stop.wait(UNWATCHED)
            return Heard(lost=True)
        if found == "signal":
            raise KeyboardInterrupt
        paths = frozenset(path for _, path in found) if isinstance(found, set) else frozenset()
        if not paths.isdisjoint(directories):
            self.close()  # one of them was moved or deleted, and its watch with it
        return Heard(paths, lost=len(paths) >= MANY)

    def _open(self, directories: Set[str]) -> bool:
        from watchfiles._rust_notify import RustNotify  # takes a tenth of a second, for one command of all

        self.close()
        try:
            # Not recursive, never by polling, and an error for each directory that can't be watched.
            self._notify = RustNotify(sorted(directories), False, False, 0, False, False)
        except FileNotFoundError:
            return False  # gone since it was listed
        except (OSError, RuntimeError) as error:
            if not self._warned:
                log.warning(_UNWATCHED, extra={"cause": str(error)})
            self._warned = True
            return False
        self._warned = False
        self._watched = frozenset(directories)
        return True

    def close(self) -> None:
        if self._notify is not None:
            self._notify.close()
        self._notify = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
