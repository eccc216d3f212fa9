"""The recorded revisions of one source, for looking at one again (`p2 diff --revision`) and going back to it (`p2 rollback`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from controller.engine.history import Entry, History
from controller.engine.requests import Cause

if TYPE_CHECKING:
    from controller.engine.revision import Revision
    from controller.sources.restoring import Difference, Restoring
    from controller.store.home import Home

_ALL = 1_000_000  # entries; no history is as long


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
        """The newest revision whose files are others than those there are now. Raises UnknownRevision."""
        for entry in self._history.entries(source=str(self.root), limit=_ALL):
            if entry.cause is not Cause.DRIFT and self.difference(entry.number):
                return entry.number
        if not self._history.range(str(self.root))[1]:
            raise UnknownRevision(f"cannot roll back {self.root}: nothing was recorded of it yet; p2 apply records it")
        raise UnknownRevision(
            f"cannot roll back: no recorded revision of {self.root} differs from the files as they are; "
            f"p2 history -s {self.root} lists what there is"
        )

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

    def restoring(self, number: int, now: float) -> Restoring | None:
        """What puts the files back; None where they are as they were then. Raises UnknownRevision and CannotRestore."""
        from controller.sources.restoring import Restoring

        entry, found = self.find(number), self.difference(number)
        if not found:
            return None
        old = self.texts(number)
        texts: dict[str, bytes | None] = {path: old[path] for path in found.changed}
        texts |= dict.fromkeys(found.added)
        return Restoring(self.root, number, texts, entry.commit, self._home.path / "aside", now)


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
