"""What the files of a source say, read again only where they have changed. `files.py` makes revisions of it."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from controller.engine.revision import Condition
from controller.sources.cache import ParseCache
from controller.sources.inputs import Inputs, Stamp, stamp_of, together
from controller.sources.tree import KUSTOMIZATIONS, Tree, is_wanted, walk
from resources.meta import Declared, Problem

MAX_SIZE = 8 * 1024 * 1024  # bytes of one file
_RACY = 1_000_000_000  # nanoseconds: a file changed more recently may change again and keep its stamp

Documents = tuple[Declared, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is known of one file. With problems, `documents` are the last good ones, and `partial` the good of now.

    `bare` are its own documents as they were last read, without their inputs and what they stand for. With problems that are not
    `within`, but in files that they refer to, they are those of now.
    """

    stamp: Stamp | None
    content: bytes  # its digest
    documents: Documents = ()
    problems: tuple[Problem, ...] = ()
    partial: Documents = ()
    bare: Documents = ()
    within: bool = True


@dataclass(slots=True)
class Look:
    """What one look has found changed. A file without documents is gone."""

    documents: dict[str, Documents | None] = field(default_factory=dict)
    problems: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    partial: dict[str, Documents] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.documents or self.problems)

    def then(self, later: Look) -> Look:
        """What both have found, the other one after this: of each file what was found last."""
        return Look(
            {file: found for file, found in self.documents.items() if file not in later.problems} | later.documents,
            {file: found for file, found in self.problems.items() if file not in later.documents} | later.problems,
            {file: found for file, found in self.partial.items() if file not in later.documents} | later.partial,
        )


class Contents:
    """Not safe for concurrent use."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._tree = Tree()
        self._sheets: dict[str, Sheet] = {}
        self._inputs = Inputs()
        self.condition = Condition.OK
        self.message = ""

    # -- looking ---------------------------------------------------------------------------------------------------

    def survey(self, cache: ParseCache | None = None) -> Look:
        """Walks the whole tree, and reads what is not as it was. Of a source that is not there all stays as it was."""
        tree, look = walk(self._root), Look()
        self.condition, self.message = tree.condition, tree.message
        if tree.condition is not Condition.OK:
            return look
        before, self._tree = self._tree, tree
        for file in list(tree.files):
            self._examine(file, look, cache=cache)
        for file in self._sheets.keys() - tree.files.keys():
            if not any(file.startswith(path + "/") for path in tree.problems):  # in a directory that can't be listed
                self._drop(file, look)
        look.problems |= {path: (problem,) for path, problem in tree.problems.items() if path not in before.problems}
        look.documents |= dict.fromkeys(before.problems.keys() - tree.problems.keys() - tree.files.keys())
        self._refold(self._inputs.changed(), look)
        self._judge()
        return look

    def look(self, hints: Collection[str]) -> Look:
        """Reads what `hints` name, whatever it is: files of the source, inputs of theirs, or none of our business."""
        if any(self._is_about_places(path) for path in hints):
            return self.survey()
        look = Look()
        for path in hints:
            if path in self._tree.files or (
                is_wanted(os.path.basename(path)) and os.path.dirname(path) in self._tree.directories
            ):
                self._tree.files[path] = None
                self._examine(path, look, hinted=True)
        self._refold(self._inputs.changed_at(hints), look)
        self._judge()
        return look

    def _is_about_places(self, path: str) -> bool:
        """Whether the tree itself may have another shape: directories and links come, go, or lead elsewhere."""
        if path == self._root or path in self._tree.directories or path in self._tree.links:
            return True
        if os.path.basename(path) in KUSTOMIZATIONS:
            return os.path.dirname(path) in self._tree.directories | self._tree.overlays
        if os.path.dirname(path) not in self._tree.directories:
            return False
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return False
        return stat.S_ISDIR(mode) or stat.S_ISLNK(mode)

    def _judge(self) -> None:
        self.condition, self.message = Condition.OK, ""
        if not any(sheet.documents or sheet.problems for sheet in self._sheets.values()) and not self._tree.problems:
            self.condition = Condition.EMPTY
            there = ", ".join(sorted(self._tree.overlays))
            needed = f"name one of its overlays: {there}" if there else "declare one in a .yaml file there"
            self.message = f"cannot find any resource in {self._root}: {needed}"

    # -- one file --------------------------------------------------------------------------------------------------

    def _examine(self, file: str, look: Look, *, hinted: bool = False, cache: ParseCache | None = None) -> None:
        known = self._sheets.get(file, _BLANK)
        try:
            found = os.stat(file)
            stamp: Stamp | None = stamp_of(found)
            if known.stamp == stamp and not hinted:
                return
            if time.time_ns() - found.st_mtime_ns < _RACY:
                stamp = None
            text = _text(file, found)
        except FileNotFoundError:
            self._tree.files.pop(file, None)
            self._drop(file, look)
        except _Unusable as error:
            self._fail(file, known, look, stamp, (Problem(file, str(error)),))
        except OSError as error:
            problem = Problem(file, f"cannot read this file: {error.strerror}; make it readable")
            self._fail(file, known, look, None, (problem,))
        else:
            content = hashlib.blake2b(text, digest_size=16).digest()
            if known.content == content:
                self._sheets[file] = replace(known, stamp=stamp)
                return
            documents, problems = _load(text, content, file, cache)
            if problems:
                self._fail(file, known, look, stamp, problems, content, documents)
            else:
                self._accept(file, known, look, Sheet(stamp, content, bare=documents), cache)

    def _accept(self, file: str, known: Sheet, look: Look, sheet: Sheet, cache: ParseCache | None = None) -> None:
        """Takes in a file that is in order. What it refers to may not be: then what was good before stays in force."""
        documents, problems = self._fold(file, sheet.bare, known, cache)
        if problems:
            self._sheets[file] = replace(
                sheet, documents=known.documents, problems=problems, partial=documents, within=False
            )
            if problems != known.problems:
                look.problems[file], look.partial[file] = problems, documents
            return
        self._sheets[file] = replace(sheet, documents=documents, problems=(), partial=(), within=True)
        if documents != known.documents or known.problems or known is _BLANK:
            look.documents[file] = documents

    def _fail(
        self,
        file: str,
        known: Sheet,
        look: Look,
        stamp: Stamp | None,
        problems: tuple[Problem, ...],
        content: bytes = b"",
        good: Documents = (),
    ) -> None:
        """Keeps the last good documents in force."""
        partial = together(map(self._inputs.fold, good)).documents
        self._sheets[file] = Sheet(stamp, content, known.documents, problems, partial, known.bare)
        if problems != known.problems:
            look.problems[file] = problems
            look.partial[file] = partial

    def _drop(self, file: str, look: Look) -> None:
        if self._sheets.pop(file, None):
            self._inputs.use(file, ())
            look.documents[file] = None

    def _refold(self, files: Collection[str], look: Look) -> None:
        """Takes in what has changed in the inputs of `files`."""
        for file in files:
            known = self._sheets[file]
            if not known.problems or not known.within:
                self._accept(file, known, look, known)
                continue
            documents, problems = self._fold(file, known.bare, known)
            if not problems:
                self._sheets[file] = replace(known, documents=documents)

    def _fold(
        self, file: str, bare: Documents, known: Sheet, cache: ParseCache | None = None
    ) -> tuple[Documents, tuple[Problem, ...]]:
        """`bare` with their inputs, which are watched from now on, and what is wrong in those.

        What is as it was stays the same object, which the index need not look at.
        """
        before = {declared.key: declared for declared in known.documents}
        folded = together(self._inputs.fold(each, cache) for each in bare)
        in_force = (each for declared in known.documents for each in declared.contents()) if folded.problems else ()
        self._inputs.use(file, (*folded.inputs, *in_force))
        documents = tuple(old if (old := before.get(new.key)) == new else new for new in folded.documents)
        return documents, folded.problems

    # -- asking ----------------------------------------------------------------------------------------------------

    def all(self) -> Look:
        """Everything there is."""
        look = Look()
        for file, sheet in self._sheets.items():
            if not sheet.problems:
                look.documents[file] = sheet.documents
            else:
                look.problems[file] = sheet.problems
                look.partial[file] = sheet.partial
        look.problems |= {path: (problem,) for path, problem in self._tree.problems.items()}
        return look

    def digests(self, files: Iterable[str]) -> dict[str, bytes]:
        """Of the texts of these files and of what they refer to, as they were read last."""
        found: dict[str, bytes] = {}
        for file in files:
            if file in self._sheets:
                found[file] = self._sheets[file].content
                found |= self._inputs.digests(file)
        return found

    def looked_at(self) -> set[str]:
        """All paths that have a say in what is desired, those among them that are not there."""
        tree = self._tree
        return {
            self._root,
            *tree.files,
            *tree.directories,
            *tree.overlays,
            *tree.links,
            *tree.outside,
            *self._inputs.looked_at(),
        }

    def directories(self) -> set[str]:
        """All directories in which something that matters can change."""
        return self._tree.directories | self._tree.overlays | self._tree.outside | self._inputs.directories()


_BLANK = Sheet(None, b"")  # nothing is known


class _Unusable(Exception):
    """Why a file is not even read."""


def _text(file: str, found: os.stat_result) -> bytes:
    if not stat.S_ISREG(found.st_mode):
        raise _Unusable("cannot read this: it is not a regular file; remove it, or name it otherwise")
    if found.st_size > MAX_SIZE:
        size, limit = found.st_size / 2**20, MAX_SIZE // 2**20
        raise _Unusable(f"cannot read a file of {size:.1f} MiB: {limit} MiB is the most; split it")
    with open(file, "rb") as opened:
        return opened.read()


def _load(text: bytes, content: bytes, file: str, cache: ParseCache | None) -> tuple[Documents, tuple[Problem, ...]]:
    if cache and (documents := cache.find(content, file)) is not None:
        return documents, ()
    from resources.load import load_text

    loaded = load_text(text, file, Path(file).parent)
    if cache and not loaded.problems:
        cache.put(content, file, loaded.parsed)
    return loaded.documents, loaded.problems
