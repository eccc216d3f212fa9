"""The recorded revisions of one source, for looking at one again (`p2 diff --revision`) and going back to it (`p2 rollback`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from controller.engine.history import Entry, History
from controller.engine.requests import Cause

if TYPE_CHECKING:
    from controller.engine.revision import Revision
    from controller.sources.restoring import Difference, Restoring
    from controller.store.home import Home
    from resources.meta import Declared

_ALL = 1_000_000  # entries; no history is as long
_NO_TEXT = "the history has no text of what may hold secrets, lies elsewhere or is too long"


class UnknownRevision(Exception):
    """There is no such revision; the message names those that there are."""


class Revisions:
    """`root` is the source. The modules that rollbacks need are imported when they are: no other command pays for them."""

    def __init__(self, history: History, root: Path, home: Home) -> None:
        self.root = root
        self._history = history
        self._home = home

    def find(self, number: int) -> Entry:
        """Raises UnknownRevision."""
        entry = self._history.find(number)
        if entry and entry.source == str(self.root):
            return entry
        low, high = self._history.range(str(self.root))
        if not high:
            raise UnknownRevision(
                f"cannot find revision {number} of {self.root}: none was recorded yet; p2 apply records one"
            )
        there = f"{low} to {high}" if low != high else str(low)
        of = f", it is one of {entry.source}" if entry else ""
        raise UnknownRevision(
            f"cannot find revision {number} of {self.root}{of}: there is {there}; p2 history -s {self.root} lists them"
        )

    def last_other(self) -> int:
        """The newest revision whose files are others than those there are now. Raises UnknownRevision.

        One that only files without a text differ from ends the search where one of them may have been the last edit.
        """
        passed, ours = "", None
        for entry in self._history.entries(source=str(self.root), limit=_ALL):
            if entry.cause is Cause.DRIFT:
                continue
            if found := self.difference(entry.number):
                return entry.number
            if not found.not_kept:
                continue
            # All of these revisions have the same resources as the files have now: what those are made from is found once.
            ours = self._ours(entry.number) if ours is None else ours
            told = _not_kept(entry.number, found.not_kept)
            if any(map(ours, found.not_kept)):
                raise UnknownRevision(told)
            passed = passed or told
        if passed:
            raise UnknownRevision(passed)
        if not self._history.range(str(self.root))[1]:
            raise UnknownRevision(f"cannot roll back {self.root}: nothing was recorded of it yet; p2 apply records it")
        raise UnknownRevision(
            f"cannot roll back: no recorded revision of {self.root} differs from the files as they are (what images are "
            f"built from is not in the history); p2 history -s {self.root} lists what there is"
        )

    def _ours(self, number: int) -> Callable[[str], bool]:
        """Tells edits of the source: a file lies there, or resources are made from it. Others change by themselves."""
        from controller.sources.texts import base_of

        revision, base = self.read(self.texts(number)), base_of(self.root)
        there = [each for documents in revision.documents.values() for each in documents if each.resource.expands]
        files = {str(path) for each in there for path in (*each.read, *each.resource.confidential())}
        made_from = {os.path.relpath(os.path.realpath(file), base) for file in files}

        def ours(path: str) -> bool:
            # With a file that can't be read it is not known what resources are made from.
            return not path.startswith("../") or path in made_from or bool(revision.problems)

        return ours

    def texts(self, number: int) -> Mapping[str, bytes]:
        """The files as they were, by their paths within the source; without those whose content is not kept."""
        self.find(number)
        tree = self._history.tree(str(self.root), number)
        contents = self._history.content(kept.digest for kept in tree.values() if kept.whole)
        return {path: contents[kept.digest] for path, kept in tree.items() if kept.digest in contents}

    def read(self, texts: Mapping[str, bytes]) -> Revision:
        """What the source said when its files were `texts`."""
        from controller.sources.recorded import recorded_revision

        return recorded_revision(self.root, texts)

    def text_of(self, texts: Mapping[str, bytes]) -> Callable[[str], bytes]:
        """Reads a file of the source out of `texts`, any other from the disk."""
        from controller.sources.texts import base_of

        base = str(base_of(self.root))

        def text(file: str) -> bytes:
            found = texts.get(os.path.relpath(file, base))
            return Path(file).read_bytes() if found is None else found

        return text

    def difference(self, number: int) -> Difference:
        """How the files as they are now differ from those of a revision."""
        from controller.sources.restoring import difference

        return difference(self.root, self._history.tree(str(self.root), number), keyed(self._home))

    def taken_as_now(self, number: int, declared: Iterable[Declared]) -> Iterator[str]:
        """What of a revision, whose resources are `declared`, is taken as it is now, for people: what the history has not."""
        from controller.sources.outside import contexts_since, unrecorded
        from controller.sources.texts import base_of

        entry, tree, base = self.find(number), self._history.tree(str(self.root), number), base_of(self.root)
        there = list(declared)
        for path in self.difference(number).not_kept:
            yield f"{path}, which was another then: {_NO_TEXT}"
        for path in unrecorded(base, tree, there):
            yield f"{path}, of which revision {number} knows nothing"
        for context, differs in contexts_since(entry.commit, there):
            how = "has changed since" if differs else "may be another than then"
            yield f"{os.path.relpath(context, base)}, from which an image is built, and which {how}"

    def restoring(self, number: int, now: float) -> Restoring | None:
        """What puts the files back; None where they are as they were then. Raises UnknownRevision and CannotRestore."""
        from controller.sources.restoring import Restoring

        entry, found = self.find(number), self.difference(number)
        if not found and found.not_kept:
            raise UnknownRevision(_not_kept(number, found.not_kept))
        if not found:
            return None
        old = self.texts(number)
        texts: dict[str, bytes | None] = {path: old[path] for path in found.changed}
        texts |= dict.fromkeys(found.added)
        return Restoring(self.root, number, texts, entry.commit, self._home.path / "aside", now)


def _not_kept(number: int, files: Sequence[str]) -> str:
    named = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    return (
        f"cannot roll back to revision {number}: only {named} differs from it, and {_NO_TEXT}; "
        "put that back by itself and apply it, or give the number of another revision"
    )


class Instead:
    """Where a file that a spec refers to is to be read: its own place, unless a past revision is looked at."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}

    def __call__(self, path: str) -> str:
        return self._places.get(os.path.realpath(path), path) if self._places else path

    @contextmanager
    def of(self, root: Path, texts: Mapping[str, bytes]) -> Iterator[None]:
        """While the body runs, the files of the source at `root` have these contents."""
        from tempfile import TemporaryDirectory

        from controller.sources.recorded import is_declaring
        from controller.sources.texts import base_of

        base = base_of(root)
        with TemporaryDirectory(prefix="pegasus2-") as directory:
            for number, (path, content) in enumerate(texts.items()):
                if not is_declaring(path, root):
                    place = Path(directory, str(number))
                    place.write_bytes(content)
                    self._places[os.path.normpath(base / path)] = str(place)
            try:
                yield
            finally:
                self._places.clear()


def keyed(home: Home) -> Callable[[bytes], bytes]:
    """A digest that tells contents apart and, without the home's key, nothing else."""
    return lambda content: hashlib.blake2b(content, key=home.digest_key, digest_size=16).digest()
