"""Files that specs refer to (`File.source`, `Container.envFile`): their content is part of the desired state.

`contents.py` folds its digest into that of the resource, so that an edit of such a file is an edit of the resource.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace

from resources.meta import Declared

_MISSING = b"missing"  # no digest looks like it; the agent is the one to complain

Stamp = tuple[int, int, int]  # inode, mtime and size: another one means another content


def stamp_of(found: os.stat_result) -> Stamp:
    return found.st_ino, found.st_mtime_ns, found.st_size


class Inputs:
    """The inputs of all files of a source, and who uses them. `instead`: contents by real path, in place of what is there."""

    def __init__(self, instead: Mapping[str, bytes] | None = None) -> None:
        self._instead = instead or {}
        self._digests: dict[str, tuple[Stamp | None, bytes]] = {}
        self._users: dict[str, set[str]] = {}  # input -> files that declare resources with it
        self._used: dict[str, set[str]] = {}
        self._places: dict[str, frozenset[str]] = {}  # input -> where it is, and where a link to it is
        self._at: dict[str, set[str]] = {}  # the same the other way round

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
        if used:
            self._used[file] = used

    def changed(self) -> set[str]:
        """Files whose resources have an input with another content than before."""
        return self._users_of(path for path in self._users if self._stamp(path) != _stamp(path))

    def changed_at(self, hints: Iterable[str]) -> set[str]:
        """The same among the inputs at these paths, whatever their stamps say."""
        return self._users_of({path for hint in hints for path in self._at.get(hint, ())})

    def digests(self, file: str) -> dict[str, bytes]:
        """Of the contents that the resources of `file` refer to, as they were read last."""
        return {path: self._digests[path][1] for path in self._used.get(file, ()) if path in self._digests}

    def directories(self) -> set[str]:
        """Where changes of inputs are seen."""
        for path in self._users.keys() - self._places.keys():
            self._place(path)
        found = {os.path.dirname(place) for place in self._at}
        return {directory for directory in found if os.access(directory, os.R_OK)}

    def _users_of(self, paths: Iterable[str]) -> set[str]:
        return {user for path in list(paths) if self._reread(path) for user in self._users[path]}

    def _place(self, path: str) -> None:
        directory, name = os.path.split(path)
        self._places[path] = frozenset((os.path.realpath(path), os.path.join(os.path.realpath(directory), name)))
        for place in self._places[path]:
            self._at.setdefault(place, set()).add(path)

    def _displace(self, path: str) -> None:
        for place in self._places.pop(path, ()):
            self._at[place].discard(path)
            if not self._at[place]:
                del self._at[place]

    def _forget(self, path: str) -> None:
        del self._users[path]
        self._digests.pop(path, None)
        self._displace(path)

    def _reread(self, path: str) -> bool:
        """Whether the content is another than before. A link may lead elsewhere now, so it is placed anew."""
        _, before = self._digests.pop(path, (None, b""))
        self._displace(path)
        return self._digest(path) != before

    def _stamp(self, path: str) -> Stamp | None:
        return self._digests.get(path, (None, b""))[0]

    def _digest(self, path: str) -> bytes:
        if self._instead and (instead := self._instead.get(os.path.realpath(path))) is not None:
            return hashlib.blake2b(instead, digest_size=16).digest()
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
