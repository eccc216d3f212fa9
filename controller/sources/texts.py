"""The texts of a source, read for the history: its YAML files, and the files within it that its resources refer to.

Implements `engine.history.Texts`. Paths of what lies outside of the source's directory begin with `..`. It is not the source's
own, and only what resources are made from there is kept: the bases of an overlay, and Compose files. Of all else (links lead
there, or a spec does), of what may hold secrets, and of what is too long, a digest is kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from controller.engine.history import Kept, Text
from controller.engine.revision import Revision
from controller.sources.contents import MAX_SIZE
from controller.sources.git import head_commit
from controller.sources.tree import KUSTOMIZATIONS, SUFFIXES, is_overlay
from resources.meta import Declared


def digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def base_of(root: Path) -> Path:
    """The directory that paths in a source are relative to."""
    return root.parent if root.is_file() else root


class FilesTexts:
    """`root` is the source, `keyed` makes a digest that says nothing without the home's key."""

    def __init__(self, root: Path, keyed: Callable[[bytes], bytes]) -> None:
        self._root = root
        self._base = str(base_of(root)).rstrip("/") + "/"
        self._bases: set[str] = set()  # directories of kustomizations elsewhere that an overlay refers to
        self._keyed = keyed
        self._inputs: dict[str, dict[str, bool]] = {}  # file -> its inputs, and whether only their digest is kept
        self._users: dict[str, set[str]] = {}  # input -> files whose resources refer to it
        self._places: dict[str, str] = {}  # input -> its path, as seen from the source

    def changed(self, revision: Revision, known: Mapping[str, Kept]) -> list[Text]:
        sound = [file for file in revision.documents if file not in revision.problems]
        self._note_bases(revision)
        unused = self._note_inputs(revision)
        wanted = {self._place(file): (file, not self._is_own(file)) for file in sound}
        wanted |= {self._places[file]: (file, no_text) for file, no_text in self._inputs_of(sound).items()}
        found = []
        for path, (file, no_text) in wanted.items():
            text = self._text(path, file, no_text, revision.digests.get(file), known.get(path))
            if text and Kept(text.digest, text.content is not None) != known.get(path):
                found.append(text)
        return [*found, *(Text(path) for path in self._gone(revision, known, unused) if path not in wanted)]

    def _text(self, path: str, file: str, no_text: bool, digest: bytes | None, known: Kept | None) -> Text | None:
        """The text at a path; None if it can't be read, or was recorded with this digest of the source's before."""
        if digest and known and known.digest == (self._keyed(digest) if no_text else digest):
            return None
        text = _read(file, path)
        return Text(path, self._keyed(text.digest)) if text and no_text else text

    def commit(self) -> str:
        return head_commit(Path(self._base))

    def dirty(self) -> bool | None:
        from controller.sources.worktree import is_dirty  # a command that records nothing need not load it

        found = [is_dirty(place) for place in (self._root, *map(Path, sorted(self._bases)))]
        return None if None in found else any(found)

    def _note_bases(self, revision: Revision) -> None:
        if not is_overlay(str(self._root)):
            self._bases.clear()
            return
        places = [os.path.split(file) for file in revision.documents]
        found = {place for place, name in places if name in KUSTOMIZATIONS and not f"{place}/".startswith(self._base)}
        self._bases = found if revision.whole else self._bases | found

    def _note_inputs(self, revision: Revision) -> set[str]:
        """Takes in what the files of a revision refer to. Returns the inputs that are so no longer."""
        before = dict.fromkeys(revision.gone, ())
        if revision.whole:
            there = revision.documents.keys() | revision.problems.keys()
            before |= dict.fromkeys(self._inputs.keys() - there, ())
        lost = set()
        for file, documents in {**before, **revision.documents}.items():
            if file not in revision.problems:
                lost |= self._use(file, dict(self._inputs_in(documents)))
        return {path for path in lost if path not in self._users}

    def _use(self, file: str, inputs: dict[str, bool]) -> set[str]:
        lost = self._inputs.pop(file, {}).keys() - inputs.keys()
        for path in lost:
            self._users[path].discard(file)
            if not self._users[path]:
                del self._users[path]
        for path in inputs:
            self._users.setdefault(path, set()).add(file)
            self._places[path] = self._place(os.path.realpath(path))
        if inputs:
            self._inputs[file] = inputs
        return set(lost)

    def _inputs_of(self, files: Iterable[str]) -> dict[str, bool]:
        """The inputs of these files; of what anybody takes for confidential no text is kept."""
        paths = {path for file in files for path in self._inputs.get(file, ())}
        return {path: any(self._inputs[user][path] for user in self._users[path]) for path in paths}

    def _gone(self, revision: Revision, known: Mapping[str, Kept], unused: Iterable[str]) -> Iterator[str]:
        if not revision.whole:
            left = [*map(self._place, revision.gone), *(self._places.get(path, "") for path in unused)]
            yield from (path for path in left if path in known)
            return
        used = {self._places[path] for path in self._users}
        there = (
            {os.path.normpath(self._base + path) for path in used}
            | revision.documents.keys()
            | revision.problems.keys()
        )
        for path in known:
            place = os.path.normpath(self._base + path)
            # With a file that can't be read it is not known what else belongs to the source.
            if place not in there and not (revision.problems and os.path.exists(place)):
                yield path

    def _place(self, file: str) -> str:
        """The path of a file as seen from the source."""
        return file[len(self._base) :] if file.startswith(self._base) else os.path.relpath(file, self._base)

    def _is_own(self, file: str) -> bool:
        """Whether it lies within the source, or a base of it."""
        return file.startswith((self._base, *(f"{place}/" for place in self._bases)))

    def _inputs_in(self, documents: Iterable[Declared]) -> Iterator[tuple[str, bool]]:
        """Paths, and whether only a digest is kept of what is there."""
        for declared in documents:
            confidential = {str(path) for path in declared.resource.confidential()}
            made_from = {path for path in declared.read if path.endswith(SUFFIXES)}
            # What others are made from, and is no YAML, holds their variables.
            confidential.update({*declared.read} - made_from)
            for path in declared.inputs():
                own = path in made_from or self._is_own(os.path.realpath(path))
                yield path, path in confidential or not own


def _read(file: str, path: str) -> Text | None:
    """The text of a file; None if it can't be read."""
    try:
        found = os.stat(file)
        if not stat.S_ISREG(found.st_mode):
            return None
        with open(file, "rb") as opened:
            if found.st_size > MAX_SIZE:
                return Text(path, hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).digest())
            content = opened.read()
    except OSError:
        return None
    return Text(path, digest_of(content), content)
