"""What a revision of the history does not have of what is desired: files it never recorded, and contexts of builds.

`wiring/revisions.py` asks, for `p2 rollback` to say what it leaves as it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from controller.sources.worktree import CannotRestore, work_tree_of
from resources.meta import Declared


def unrecorded(base: Path, recorded: Collection[str], declared: Iterable[Declared]) -> list[str]:
    """Files that resources refer to, that are there, and that are not among those `recorded`, as seen from `base`."""
    inputs = {path for each in declared for path in each.inputs() if os.path.isfile(path)}
    places = {os.path.relpath(os.path.realpath(path), os.path.realpath(base)) for path in inputs}
    return sorted(places - set(recorded))


def contexts_since(commit: str, declared: Iterable[Declared]) -> Iterator[tuple[str, bool]]:
    """Directories that images are built from and that are not as in `commit`: True; or of which git can't say: False."""
    for root in sorted({tree.root for each in declared for tree in each.resource.trees()}):
        differs = _differs(root, commit)
        if differs is not False:
            yield root, bool(differs)


def _differs(directory: str, commit: str) -> bool | None:
    if not commit or not os.path.isdir(directory):
        return None
    try:
        tree = work_tree_of(Path(directory))
        return tree.differs(commit, Path(directory)) if tree else None
    except CannotRestore:  # git does not look here, or took too long
        return None
