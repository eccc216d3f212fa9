"""What a source says, whichever sort it is: plain files, or a kustomization. `files.py` asks, contents.py and overlay.py answer.

It may become the other while it is watched, by a kustomization that is written into its directory, or taken away.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from controller.engine.revision import Condition
from controller.sources.cache import ParseCache
from controller.sources.contents import Contents, Look
from controller.sources.tree import is_overlay

REPLACED_IN = 1.5  # seconds; less than those after which a source is told to be gone


class Answers(Protocol):
    """What both sorts can be asked."""

    condition: Condition
    message: str

    def survey(self, cache: ParseCache | None = None) -> Look: ...
    def look(self, hints: Collection[str]) -> Look: ...
    def all(self) -> Look: ...
    def digests(self, files: Iterable[str]) -> dict[str, bytes]: ...
    def directories(self) -> set[str]: ...
    def looked_at(self) -> set[str]: ...


class Said:
    """Not safe for concurrent use."""

    def __init__(self, root: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._overlay = is_overlay(root)
        self._gone: float | None = None  # since when an overlay has no kustomization
        self._answers = self._made()

    @property
    def condition(self) -> Condition:
        return self._answers.condition if self._gone is None else Condition.UNREADABLE

    @property
    def message(self) -> str:
        return self._answers.message if self._gone is None else f"cannot find the kustomization in {self._root}"

    def survey(self, cache: ParseCache | None = None) -> Look:
        return self._otherwise(cache) if self._is_other() else self._looked(lambda: self._answers.survey(cache))

    def look(self, hints: Collection[str]) -> Look:
        return self._otherwise() if self._is_other() else self._looked(lambda: self._answers.look(hints))

    def _looked(self, look: Callable[[], Look]) -> Look:
        return look() if self._gone is None else Look()

    def _is_other(self) -> bool:
        """Whether it is of the other sort now. Editors take a file away before they put the new one there."""
        before, self._gone = self._gone, None
        if self._overlay == is_overlay(self._root) or not os.path.isdir(self._root):
            return False
        now = self._clock()
        if self._overlay and (before is None or now - before < REPLACED_IN):
            self._gone = now if before is None else before
            return False
        return True

    def _otherwise(self, cache: ParseCache | None = None) -> Look:
        before = self._answers.all()
        self._overlay = not self._overlay
        self._answers = self._made()
        look = self._answers.survey(cache)
        gone = (before.documents.keys() | before.problems.keys()) - look.documents.keys() - look.problems.keys()
        look.documents |= dict.fromkeys(gone)
        return look

    def _made(self) -> Answers:
        if not self._overlay:
            return Contents(self._root)
        from controller.sources.overlay import Overlay  # reads YAML, which plain files that are cached do without

        return Overlay(self._root, self._clock)

    def all(self) -> Look:
        return self._answers.all()

    def digests(self, files: Iterable[str]) -> dict[str, bytes]:
        return self._answers.digests(files)

    def directories(self) -> set[str]:
        return self._answers.directories()

    def looked_at(self) -> set[str]:
        return self._answers.looked_at()
