"""When a change in the files is acted on: at once, unless something would leave the desired state. Pure; no clock, no I/O.

A file is gone for a moment whenever an editor replaces it, and half of one is there while it is written; git takes a
branch away before it lays down the next. So what leaves waits until it has been quiet, and what changed together with
it waits too: a resource renamed, or moved to a file not written yet, is never two things at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.engine.revision import QUIET
from resources.meta import Declared, Key

AT_MOST = 30.0  # seconds after which it leaves although it never was quiet

Documents = tuple[Declared, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Files that may be acted on now. `at`: when the first of their changes was noticed."""

    documents: Mapping[str, Documents]
    gone: frozenset[str]
    at: float


class Settling:
    """`told` is what the loop knows, `seen` what is in the files; where they differ, the file is held."""

    def __init__(self, told: Mapping[str, Documents]) -> None:
        self._told = dict(told)
        self._seen = dict(told)
        self._keys = Counter(declared.key for documents in told.values() for declared in documents)
        self._held: dict[str, float] = {}  # since when
        self._last = 0.0

    @property
    def told(self) -> Mapping[str, Documents]:
        """All that was given out so far."""
        return dict(self._told)

    @property
    def told_all(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    @property
    def leaving(self) -> frozenset[Key]:
        """What was given out and no file declares now; it still stands, until it may leave."""
        return frozenset(d.key for documents in self._told.values() for d in documents if not self._keys[d.key])

    @property
    def due(self) -> float | None:
        """When what is held may go, if nothing happens until then. None: nothing is held, or it is all there is.

        Nobody means to delete everything, so that waits for what comes next.
        """
        if not self._held or not self._keys:
            return None
        return min(self._last + QUIET, min(self._held.values()) + AT_MOST)

    def settle(
        self, changed: Mapping[str, Documents | None], now: float, since: float, *, hurry: bool = False
    ) -> Release | None:
        """Takes in files as they are now (None: gone). Returns what may be acted on, of these and of what was held.

        `since`: when the first of these changes was noticed. With `hurry` nothing is held, unless it is all there is.
        """
        self._see_all(changed, now)
        ready = {*changed, *self._related(changed)}
        if self._leaving(ready):
            self._held = {**dict.fromkeys(ready, since), **self._held}
            self._last = now
            ready = set()
        if self.due is not None and (hurry or now >= self.due):
            ready |= self._held.keys()
        return self._release(ready, since) if ready else None

    def spoil(self, files: Iterable[str], now: float) -> None:
        """Files that can't be used now. What was told of them stays: that they were empty for a moment before does not count."""
        spoilt = [file for file in files if self._held.pop(file, None) is not None]
        self._see_all({file: self._told.get(file) for file in spoilt}, now)

    def _see_all(self, changed: Mapping[str, Documents | None], now: float) -> None:
        was_empty = not self._keys
        for file, documents in changed.items():
            self._see(file, documents)
        if was_empty and self._keys:
            self._last, self._held = now, dict.fromkeys(self._held, now)

    def _see(self, file: str, documents: Documents | None) -> None:
        for declared in self._seen.pop(file, ()):
            self._keys[declared.key] -= 1
            if not self._keys[declared.key]:
                del self._keys[declared.key]
        if documents is not None:
            self._seen[file] = documents
            self._keys.update(declared.key for declared in documents)

    def _related(self, changed: Iterable[str]) -> set[str]:
        """All that is held, if a held file is among `changed` or shares a resource with them: it may be a move."""
        touched = self._keys_of(changed)
        return set(self._held) if touched and not touched.isdisjoint(self._keys_of(self._held)) else set()

    def _keys_of(self, files: Iterable[str]) -> set[Key]:
        return {
            declared.key
            for file in files
            for documents in (self._told.get(file, ()), self._seen.get(file, ()))
            for declared in documents
        }

    def _leaving(self, files: Iterable[str]) -> bool:
        return any(not self._keys[declared.key] for file in files for declared in self._told.get(file, ()))

    def _release(self, files: Iterable[str], since: float) -> Release:
        documents: dict[str, Documents] = {}
        gone = set()
        for file in files:
            since = min(since, self._held.pop(file, since))
            if file in self._seen:
                documents[file] = self._told[file] = self._seen[file]
            else:
                self._told.pop(file, None)
                gone.add(file)
        return Release(documents, frozenset(gone), since)
