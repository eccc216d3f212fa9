"""What a source says, whichever sort it is: plain files, or a kustomization. `files.py` asks, contents.py and overlay.py answer.

It may become the other while it is watched, by a kustomization that is written into its directory, or taken away.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Protocol

from controller.engine.revision import Condition
from controller.sources.cache import ParseCache
from controller.sources.contents import Contents, Look
from controller.sources.tree import KUSTOMIZATIONS, is_overlay


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

    def __init__(self, root: str) -> None:
        self._root = root
        self._overlay = is_overlay(root)
        self._answers = _answers(root, overlay=self._overlay)

    @property
    def condition(self) -> Condition:
        return self._answers.condition

    @property
    def message(self) -> str:
        return self._answers.message

    def survey(self, cache: ParseCache | None = None) -> Look:
        if self._overlay == is_overlay(self._root) or not os.path.isdir(self._root):
            return self._answers.survey(cache)
        before = self._answers.all()
        self._overlay = not self._overlay
        self._answers = _answers(self._root, overlay=self._overlay)
        look = self._answers.survey(cache)
        gone = (before.documents.keys() | before.problems.keys()) - look.documents.keys() - look.problems.keys()
        look.documents |= dict.fromkeys(gone)
        return look

    def look(self, hints: Collection[str]) -> Look:
        about = (os.path.split(path) for path in hints)
        hinted = any(place == self._root and name in KUSTOMIZATIONS for place, name in about)
        if hinted and self._overlay != is_overlay(self._root):
            return self.survey()
        return self._answers.look(hints)

    def all(self) -> Look:
        return self._answers.all()

    def digests(self, files: Iterable[str]) -> dict[str, bytes]:
        return self._answers.digests(files)

    def directories(self) -> set[str]:
        return self._answers.directories()

    def looked_at(self) -> set[str]:
        return self._answers.looked_at()


def _answers(root: str, *, overlay: bool) -> Answers:
    if not overlay:
        return Contents(root)
    from controller.sources.overlay import Overlay  # reads YAML, which plain files that are cached do without

    return Overlay(root)
