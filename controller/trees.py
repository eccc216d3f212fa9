"""Directories whose whole content is desired state, such as the context of a build: walked, told apart by a digest, sent.

`sources/inputs.py` watches them, the agent of kind `Image` builds from them. What counts of a file is what Docker sends of
it: its name, mode and content, or where a link leads; not its time, and not its owner.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resources.docker.ignore import Ignore
from resources.meta import Tree

# A file that was changed so short ago may be changed once more without its time showing it (ns).
_RACY = 50_000_000

Stamp = tuple[int, int, int]  # inode, mtime and size


@dataclass(frozen=True, slots=True)
class Item:
    """A file, directory or link in a tree. `path` is relative to its root, `at` where it is; `target` is that of a link."""

    path: str
    at: str
    mode: int  # with the type
    stamp: Stamp
    target: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """One look at a tree, or at a file in the place of one, whose content it does not tell."""

    digest: str
    directories: frozenset[str]  # in which changes of it are seen
    paths: frozenset[str]  # all that has a say in it, which may not be there
    trouble: str = ""  # why it can't be used as it is


class Trees:
    """Remembers the digests of files by inode, time and size, so that a look at what has not changed reads nothing."""

    def __init__(self) -> None:
        self._known: dict[Tree, dict[str, tuple[Stamp, bytes]]] = {}

    def survey(self, tree: Tree) -> Survey:
        """Never raises: a tree that can't be read has a digest of its own, too, and `trouble` says why."""
        root = os.path.realpath(tree.root)
        before, known = self._known.get(tree, {}), {}
        total, trouble = hashlib.blake2b(digest_size=16), ""
        directories = {os.path.dirname(os.path.realpath(file)) for file in tree.ignore} | {root}
        paths, now = {*tree.ignore, tree.root, root}, time.time_ns()
        try:
            for item in walk(tree):
                paths.add(item.at)
                total.update(f"{item.path}\0{item.mode:o}\0{item.target}\0".encode(errors="surrogateescape"))
                if stat.S_ISDIR(item.mode):
                    directories.add(item.at)
                elif stat.S_ISREG(item.mode):
                    seen = before.get(item.path)
                    content = seen[1] if seen and seen[0] == item.stamp else _digest_of(item.at)
                    total.update(content)
                    if now - item.stamp[1] > _RACY:
                        known[item.path] = item.stamp, content
        except OSError as error:
            trouble = f"{error.filename or root}: {error.strerror or error}"
        except ValueError as error:
            trouble = str(error)
        total.update(trouble.encode(errors="surrogateescape"))
        self._known[tree] = known
        there = {each for each in directories if os.path.isdir(each) and os.access(each, os.R_OK)} or {_above(root)}
        return Survey(total.hexdigest(), frozenset(there), frozenset(paths | there), trouble)

    def forget(self, tree: Tree) -> None:
        self._known.pop(tree, None)


def _above(directory: str) -> str:
    """The nearest directory that is there, in which the one that is not may appear."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory


def walk(tree: Tree) -> Iterator[Item]:
    """All that counts, directories before what is in them, sorted by name. Raises OSError, and ValueError for a bad pattern."""
    root = os.path.realpath(tree.root)
    yield from _below(root, "", _ignore_of(tree))


def _ignore_of(tree: Tree) -> Ignore:
    for file in tree.ignore:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except UnicodeDecodeError:
            raise ValueError(f"cannot read {file}: it is not text in UTF-8") from None
        try:
            return Ignore.parse(text)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
    return Ignore()


def _below(directory: str, path: str, ignore: Ignore) -> Iterator[Item]:
    with os.scandir(directory) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        inner = f"{path}/{entry.name}" if path else entry.name
        ignored = ignore.ignores(inner)
        is_directory = entry.is_dir(follow_symlinks=False)
        if ignored and (not is_directory or ignore.prunes(inner)):
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # gone since it was listed
        item = _item(entry, inner, found)
        if not is_directory:
            if item is not None:
                yield item
            continue
        assert item is not None
        inside = _below(entry.path, inner, ignore)
        if not ignored:
            yield item
        elif (first := next(inside, None)) is not None:  # kept out itself, but for what was brought back in
            yield item
            yield first
        yield from inside


def _item(entry: os.DirEntry[str], path: str, found: os.stat_result) -> Item | None:
    """None for what a build can't take: sockets, pipes, devices."""
    stamp = found.st_ino, found.st_mtime_ns, found.st_size
    if stat.S_ISLNK(found.st_mode):
        return Item(path, entry.path, found.st_mode, stamp, os.readlink(entry.path))
    if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
        return Item(path, entry.path, found.st_mode, stamp)
    return None


def _digest_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
