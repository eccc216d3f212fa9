"""Files that specs refer to (`File.source`, `Container.envFile`), and whole trees: their content is part of the desired state.

`contents.py` folds its digest into that of the resource, so that an edit of such a file is an edit of the resource. What a
resource stands for is worked out here, too, for that may be written in such files.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from controller.sources.cache import Expansion, ParseCache
from controller.sources.tree_inputs import TreeInputs
from resources.meta import Declared, Problem, Tree, Unexpandable
from resources.parsed import digest_of

_MISSING = b"missing"  # no digest looks like it; the agent is the one to complain

Input = str | Tree  # the path of a file, or a directory with all that is in it
Stamp = tuple[int, int, int]  # inode, mtime and size: another one means another content


def stamp_of(found: os.stat_result) -> Stamp:
    return found.st_ino, found.st_mtime_ns, found.st_size


@dataclass(frozen=True, slots=True)
class Folded:
    """A document with the content of its inputs, and all that it stands for behind it. With problems there is nothing of it."""

    documents: tuple[Declared, ...]
    problems: tuple[Problem, ...] = ()
    inputs: tuple[Input, ...] = ()  # of all of them


class Inputs:
    """The inputs of all files of a source, and who uses them. `instead`: contents by real path, in place of what is there."""

    def __init__(self, instead: Mapping[str, bytes] | None = None) -> None:
        self._instead = instead or {}
        self._digests: dict[str, tuple[Stamp | None, bytes]] = {}
        self._users: dict[str, set[str]] = {}  # input -> files that declare resources with it
        self._used: dict[str, set[str]] = {}
        self._places: dict[str, frozenset[str]] = {}  # input -> where it is, and where a link to it is
        self._at: dict[str, set[str]] = {}  # the same the other way round
        self._trees = TreeInputs()
        self._overtaken: set[str] = set()  # read for one user, and found to be other than what the others were told

    def fold(self, bare: Declared, cache: ParseCache | None = None) -> Folded:
        """`bare` with the content of its inputs in its digest, and all that it stands for: out of the `cache` if it is there."""
        if bare.resource.expands:
            return self._expanded(bare, cache)
        inputs = tuple(bare.contents())
        return Folded((self._with_contents(bare, inputs),), inputs=inputs)

    def _expanded(self, bare: Declared, cache: ParseCache | None) -> Folded:
        known = cache.find_expansion(bare, self._digest) if cache else None
        if known is None:
            read: dict[str, None] = {}

            def contents(path: Path) -> bytes:
                read.setdefault(str(path))
                return self.content(str(path))

            try:
                children = tuple(bare.resource.expand(contents))
            except Unexpandable as error:
                return Folded((), tuple(_placed(each, bare) for each in error.problems), tuple(read))
            found = tuple(Declared(child, bare.origin, digest_of(child), bare.key) for child in children)
            known = Expansion(found, {path: self._digest(path) for path in read})
            if cache:
                cache.put_expansion(bare, found, known.read)
        owner = replace(bare, read=tuple(known.read))
        inputs = tuple(owner.contents())
        own = (self.fold(child, cache) for child in known.children)
        return together((Folded((self._with_contents(owner, inputs),), inputs=inputs), *own))

    def _with_contents(self, declared: Declared, inputs: Iterable[Input]) -> Declared:
        digest = None
        for each in inputs:
            digest = digest or hashlib.blake2b(declared.digest.encode(), digest_size=16)
            digest.update(self._trees.digest(each) if isinstance(each, Tree) else self._digest(each))
        return replace(declared, digest=digest.hexdigest()) if digest else declared

    def use(self, file: str, inputs: Iterable[Input]) -> None:
        """Notes what the resources that `file` declares have as inputs, in place of what was noted before."""
        used, trees = set[str](), set[Tree]()
        for each in inputs:
            trees.add(each) if isinstance(each, Tree) else used.add(each)
        self._trees.use(file, trees)
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
        changed = {path for path in self._users if self._stamp(path) != _stamp(path)}
        return self._users_of(changed | self._overtaken) | self._trees.changed()

    def changed_at(self, hints: Iterable[str]) -> set[str]:
        """The same among the inputs at these paths, whatever their stamps say."""
        paths = set(hints)
        found = {path for hint in paths for path in self._at.get(hint, ())}
        return self._users_of(found | self._overtaken) | self._trees.changed_at(paths)

    def digests(self, file: str) -> dict[str, bytes]:
        """Of the contents that the resources of `file` refer to, as they were read last."""
        return {path: self._digests[path][1] for path in self._used.get(file, ()) if path in self._digests}

    def looked_at(self) -> set[str]:
        """Where inputs are, and where they are looked for."""
        found = set(self._users)
        found |= {os.path.realpath(path) for path in found} | {os.path.dirname(path) for path in found}
        return found | self._trees.looked_at()

    def directories(self) -> set[str]:
        """Where changes of inputs are seen."""
        for path in self._users.keys() - self._places.keys():
            self._place(path)
        found = {os.path.dirname(place) for place in self._at}
        return {directory for directory in found if os.access(directory, os.R_OK)} | self._trees.directories()

    def _users_of(self, paths: Iterable[str]) -> set[str]:
        overtaken, self._overtaken = self._overtaken, set()
        changed = [path for path in list(paths) if self._reread(path) or path in overtaken]
        return {user for path in changed for user in self._users.get(path, ())}

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

    def content(self, path: str) -> bytes:
        """What a file holds; who needs it is to be named to `use`. Raises OSError."""
        if self._instead and (instead := self._instead.get(os.path.realpath(path))) is not None:
            return instead
        stamp, (_, before) = _stamp(path), self._digests.get(path, (None, b""))
        try:
            content = _regular(path)
        except OSError:
            self._note(path, before, stamp, _MISSING)
            raise
        self._note(path, before, stamp, hashlib.blake2b(content, digest_size=16).digest())
        return content

    def _note(self, path: str, before: bytes, stamp: Stamp | None, digest: bytes) -> None:
        if before not in (b"", digest):
            self._overtaken.add(path)
        self._digests[path] = stamp, digest

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


def together(folded: Iterable[Folded]) -> Folded:
    """All of them as one."""
    each = tuple(folded)
    return Folded(
        tuple(declared for one in each for declared in one.documents),
        tuple(problem for one in each for problem in one.problems),
        tuple(found for one in each for found in one.inputs),
    )


def _placed(problem: Problem, bare: Declared) -> Problem:
    """With the place of the resource, where it is what has the problem."""
    if problem.file:
        return problem
    return replace(problem, file=bare.origin.file, key=bare.key, document=bare.origin.document)


def _regular(path: str) -> bytes:
    """The content of a regular file; to open a pipe would wait for its writer. Raises OSError."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise IsADirectoryError(f"{path} is no regular file")
    return Path(path).read_bytes()


def _content_digest(path: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return _MISSING  # to open a pipe would wait for its writer
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return _MISSING
