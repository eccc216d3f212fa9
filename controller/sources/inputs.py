"""Files that specs refer to (`File.source`, `Container.envFile`): their content is part of the desired state.

`contents.py` folds its digest into that of the resource, so that an edit of such a file is an edit of the resource.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import replace

from resources.meta import Declared

_MISSING = b"missing"  # no digest looks like it; the agent is the one to complain

Stamp = tuple[int, int, int]  # inode, mtime and size: another one means another content


def stamp_of(found: os.stat_result) -> Stamp:
    return found.st_ino, found.st_mtime_ns, found.st_size


class Inputs:
    """The inputs of all files of a source, and who uses them."""

    def __init__(self) -> None:
        self._digests: dict[str, tuple[Stamp | None, bytes]] = {}
        self._users: dict[str, set[str]] = {}  # input -> files that declare resources with it
        self._used: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}  # real path -> inputs as they are written

    def fold(self, declared: Declared) -> Declared:
        """`declared` with the content of its inputs in its digest."""
        digest = None
        for path in declared.resource.inputs():
            digest = digest or hashlib.blake2b(declared.digest.encode(), digest_size=16)
            digest.update(self._digest(str(path)))
        return replace(declared, digest=digest.hexdigest()) if digest else declared

    def use(self, file: str, documents: Iterable[Declared]) -> None:
        """Notes what the resources that `file` declares have as inputs, in place of what was noted before."""
        used = {str(path) for declared in documents for path in declared.resource.inputs()}
        for path in self._used.pop(file, set()) - used:
            self._users[path].discard(file)
            if not self._users[path]:
                self._forget(path)
        for path in used:
            self._users.setdefault(path, set()).add(file)
            self._names.setdefault(os.path.realpath(path), set()).add(path)
        if used:
            self._used[file] = used

    def changed(self, among: Collection[str] | None = None) -> set[str]:
        """Files whose resources have an input with another content than before; of all inputs, or those at paths."""
        paths = self._users.keys() if among is None else self._at(among)
        return {user for path in list(paths) if self._reread(path) for user in self._users[path]}

    def directories(self) -> set[str]:
        """Where changes of inputs are seen: where they are, and where links to them are."""
        places = {os.path.dirname(path) for path in (*self._users, *self._names)}
        return {place for place in places if os.access(place, os.R_OK)}

    def _at(self, paths: Iterable[str]) -> set[str]:
        found = {name for path in paths for name in self._names.get(path, ())}
        return found | {path for path in paths if path in self._users}

    def _forget(self, path: str) -> None:
        del self._users[path]
        self._digests.pop(path, None)
        for real, names in list(self._names.items()):
            names.discard(path)
            if not names:
                del self._names[real]

    def _reread(self, path: str) -> bool:
        before = self._digests.get(path)
        if before and before[0] is not None and before[0] == _stamp(path):
            return False
        self._digests.pop(path, None)
        return before is None or before[1] != self._digest(path)

    def _digest(self, path: str) -> bytes:
        if path not in self._digests:
            self._digests[path] = _stamp(path), _content_digest(path)
        return self._digests[path][1]


def _stamp(path: str) -> Stamp | None:
    try:
        return stamp_of(os.stat(path))
    except OSError:
        return None


def _content_digest(path: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return _MISSING  # to open a pipe would wait for its writer
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return _MISSING
