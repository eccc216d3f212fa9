"""A source as it was in a revision of the history: its texts are read from there instead of from the disk.

`wiring/workspace.py` makes one for `p2 diff --revision`. What the history has no text of is taken as it is now: what may hold
secrets or is too long, and of what lies outside of the source's directory all but the bases of an overlay and Compose files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from controller.engine.revision import Condition, Revision
from controller.sources.inputs import Inputs, together
from controller.sources.texts import base_of
from controller.sources.tree import KUSTOMIZATIONS, is_hidden, is_wanted, walk
from resources.load import load_text
from resources.meta import Declared, Problem


def recorded_revision(root: Path, texts: Mapping[str, bytes]) -> Revision:
    """What the source at `root` said when its files were `texts`, by their paths within it."""
    base = base_of(root)
    contents = {os.path.normpath(os.path.join(base, path)): content for path, content in texts.items()}
    inputs = Inputs(contents)
    if not KUSTOMIZATIONS.isdisjoint(texts):
        from controller.sources.overlay import revision_of

        return revision_of(root, contents, inputs)
    documents: dict[str, tuple[Declared, ...]] = {}
    problems: dict[str, tuple[Problem, ...]] = {}
    for file, text in _files(root, base, texts):
        loaded = load_text(text, file, Path(file).parent)
        folded = together(map(inputs.fold, loaded.documents))
        documents[file] = folded.documents
        if found := (*loaded.problems, *folded.problems):
            problems[file] = found
    condition = Condition.OK if documents else Condition.EMPTY
    message = "" if documents else f"cannot find any resource in {root} as it was then"
    return Revision(documents, problems=problems, condition=condition, message=message)


def is_declaring(path: str, root: Path) -> bool:
    """Whether a file at this path within the source is one of those that declare resources."""
    if root.is_file():
        return path == root.name
    return is_wanted(os.path.basename(path)) and not any(map(is_hidden, path.split("/")))


def _files(root: Path, base: Path, texts: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for path, content in sorted(texts.items()):
        if is_declaring(path, root):
            yield os.path.join(base, path), content
    for file in walk(str(root)).files:
        if not Path(file).is_relative_to(base):
            try:
                yield file, Path(file).read_bytes()
            except OSError:
                continue
