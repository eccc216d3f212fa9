"""Puts the files of a source back as they were in a revision of the history. `p2 rollback` is the caller, by way of wiring.

In a git work tree that is one commit, of the source's own files and nothing else. Elsewhere the newer versions are kept aside.
Either all files are put back or none: what fails half-way is undone.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from controller.engine.history import Kept
from controller.sources.recorded import is_declaring
from controller.sources.texts import base_of, digest_of
from controller.sources.tree import is_overlay, walk
from controller.sources.worktree import CannotRestore, Upstream, WorkTree, command, named, work_tree_of

_NAMED = 5  # files in a command that is to be typed


@dataclass(frozen=True, slots=True)
class Difference:
    """How a source's files differ from those of a revision; paths within the source."""

    changed: tuple[str, ...] = ()  # have another content now, or are not there
    added: tuple[str, ...] = ()  # declare resources now, and were not there
    not_kept: tuple[str, ...] = ()  # differ, but their content is not in the history

    def __bool__(self) -> bool:
        return bool(self.changed or self.added)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done: the commit that did it, or where the newer versions are."""

    files: int
    commit: str = ""
    aside: Path | None = None


def difference(root: Path, tree: Mapping[str, Kept], keyed: Callable[[bytes], bytes]) -> Difference:
    """Compares the files of the source at `root`, as they are now, with a revision's."""
    base, changed, not_kept = base_of(root), [], []
    for path, kept in sorted(tree.items()):
        now = _digest(base / path)
        if kept.whole and now != kept.digest:
            changed.append(path)
        elif not kept.whole and kept.digest not in (now, keyed(now)):
            not_kept.append(path)
    return Difference(tuple(changed), tuple(path for path in declaring(root) if path not in tree), tuple(not_kept))


def declaring(root: Path) -> list[str]:
    """The files within the source that declare resources, as paths within it."""
    base = base_of(root)
    if is_overlay(str(root)):
        return _resolved_from(root)
    files = (Path(file) for file in walk(str(root)).files)
    return sorted(str(file.relative_to(base)) for file in files if file.is_relative_to(base))


def _resolved_from(root: Path) -> list[str]:
    """The files that an overlay is made from, those of its bases as well."""
    from controller.sources.overlay import Overlay

    overlay = Overlay(str(root))
    overlay.survey()
    return sorted(os.path.relpath(file, root) for file in overlay.files)


def _digest(path: Path) -> bytes:
    try:
        return digest_of(path.read_bytes())
    except OSError:
        return b""


class Restoring:
    """One rollback, checked and ready. Making it raises CannotRestore when it must not be; nothing is changed before `run`."""

    def __init__(
        self, root: Path, number: int, texts: Mapping[str, bytes | None], commit: str, aside: Path, now: float
    ) -> None:
        """`texts`: what to put back, by path within the source; None is to go. `commit`: that of the revision, if known."""
        self._root = root
        self._base = base_of(root)
        self._number = number
        self._texts = {Path(os.path.normpath(self._base / path)): content for path, content in texts.items()}
        self._aside = aside / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        self._refuse_elsewhere(commit)
        self._refuse_outside()
        self._tree = work_tree_of(root)
        if self._tree:
            self._refuse_in_git(self._tree, commit)

    def _refuse_elsewhere(self, commit: str) -> None:
        """Bases of an overlay, and Compose files. Others may use them, too: who rolls back this source does not mean those."""
        outside = {path: text for path, text in self._texts.items() if not path.is_relative_to(self._base)}
        if not outside:
            return
        new = [str(path) for path, text in outside.items() if text is None]
        old = [path for path, text in outside.items() if text is not None]
        put_back = "put those back by themselves, " if old else ""
        removed = f"remove what was not there then ({named(new, self._root)}), " if new else ""
        raise CannotRestore(
            "cannot roll back: files that lie outside of the source are others than then, and others may use them: "
            f"{named([*map(str, outside)], self._root)}; {put_back}{removed}"
            f"then roll back to revision {self._number}{self._how(old, commit)}"
        )

    def _how(self, old: list[Path], commit: str) -> str:
        """The command for those of one work tree; our commit is one of that repository only if it is ours, too."""
        tree, ours = next(filter(None, map(work_tree_of, old)), None), work_tree_of(self._root)
        if tree is None:
            return ""
        alike = list(islice((path for path in old if work_tree_of(path) == tree), _NAMED))
        source = commit if commit and ours and ours.root == tree.root else "COMMIT"
        words = command("-C", str(tree.root), "restore", f"--source={source}", "--", *map(str, alike))
        return f":\n  {words}" + (f"\n  and {len(old) - len(alike)} more" if len(old) > len(alike) else "")

    def _refuse_outside(self) -> None:
        for path in self._texts:
            if path.is_symlink() or not Path(os.path.realpath(path.parent)).is_relative_to(
                os.path.realpath(self._base)
            ):
                raise CannotRestore(
                    f"cannot roll back: {path} is a link now, or lies behind one that leads out of the source; "
                    "put a plain file or directory in its place"
                )

    def _refuse_in_git(self, tree: WorkTree, commit: str) -> None:
        branch = tree.branch()
        edited = {path: how for path, how in tree.edited(self._root).items() if self._is_own(path, how)}
        if edited:
            kinds = " or ".join(sorted(set(edited.values())))
            raise CannotRestore(
                f"cannot roll back: files of the source are {kinds}: {named(edited, tree.root)}; "
                "commit them, or put them away with: git stash --include-untracked"
            )
        if upstream := tree.upstream(branch):
            raise CannotRestore(self._to_be_pushed(tree, commit, upstream))
        tree.refuse_without_identity()

    def _is_own(self, path: str, how: str) -> bool:
        """Whether an edited file is one of those that a rollback has to do with. Ignored directories end in a slash."""
        place = Path(path)
        if how == "ignored by git":
            return any(each == place or each.is_relative_to(place) for each in self._texts)
        own = (
            is_declaring(str(place.relative_to(self._base)), self._root) if place.is_relative_to(self._base) else False
        )
        return own or place in self._texts

    def _to_be_pushed(self, tree: WorkTree, commit: str, upstream: Upstream) -> str:
        """A source that follows a remote is rolled back there: a commit of ours would part it from what it follows."""
        where = f"{upstream.remote}/{upstream.branch}"
        commits = tree.changes_since(commit, self._root)
        at = ("-C", str(tree.root))
        push = command(*at, "push", upstream.remote, f"HEAD:{upstream.branch}")
        if commits:
            lines = [command(*at, "revert", "--no-edit", *commits), push]
        elif commit:
            paths = [str(self._root)]
            lines = [
                command(*at, "restore", f"--source={commit}", "--staged", "--worktree", "--", *paths),
                command(*at, "commit", "-m", f"Roll back to revision {self._number}"),
                push,
            ]
        else:
            lines = [command(*at, "log", "--oneline", "--", str(self._root)), command(*at, "revert", "COMMIT"), push]
        return "\n  ".join(
            [
                f"cannot roll back: the source follows {where}, which would bring the newer versions back; make it there:",
                *lines,
            ]
        )

    # -- doing it ----------------------------------------------------------------------------------------------

    def run(self, still: AbstractContextManager[None]) -> Restored:
        """Puts the files back, with the watch of the source kept still meanwhile. Raises CannotRestore; all is as before then."""
        with still, _undone_if_it_fails(list(self._texts)):
            aside = None if self._tree else self._keep_aside()
            for path, content in self._texts.items():
                with _told(path):
                    if content is None:
                        path.unlink(missing_ok=True)
                    else:
                        write(path, content)
            if self._tree is None:
                return Restored(len(self._texts), aside=aside)
            return Restored(len(self._texts), commit=self._tree.commit(list(self._texts), self._root, self._message()))

    def _message(self) -> str:
        files = "1 file" if len(self._texts) == 1 else f"{len(self._texts)} files"
        return f"Roll back {self._root.name} to revision {self._number}\n\nPuts {files} back as p2 has them in its history.\n"

    def _keep_aside(self) -> Path | None:
        """The newer versions, so that a rollback loses nothing. Where they are, if there are any."""
        present = [path for path in self._texts if path.exists()]
        if not present:
            return None
        place, number = self._aside, 1
        while place.exists():
            number += 1
            place = self._aside.with_name(f"{self._aside.name}-{number}")
        with _told(place):
            place.parent.mkdir(mode=0o700, exist_ok=True)
            place.mkdir(mode=0o700)
            for path in present:
                copy = place / path.relative_to(self._base)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
                copy.chmod(stat.S_IMODE(path.stat().st_mode))
        return place


@contextmanager
def _undone_if_it_fails(paths: list[Path]) -> Iterator[None]:
    before: dict[Path, bytes | None] = {}
    for path in paths:
        with _told(path):
            before[path] = path.read_bytes() if path.exists() else None
    try:
        yield
    except BaseException:
        for path, content in before.items():
            with suppress(OSError):  # it is the first error that counts
                if content is None:
                    path.unlink(missing_ok=True)
                elif not path.exists() or path.read_bytes() != content:
                    write(path, content)
        raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotRestore(
            f"cannot roll back: {error.filename or path}: {error.strerror or error}; put that right and try again"
        ) from error


def write(path: Path, content: bytes) -> None:
    """A file that appears whole or not at all, with the mode and owner of the one it replaces. Missing directories are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _as_before(descriptor, path)
            os.fsync(descriptor)
        os.replace(draft, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        raise


def _as_before(descriptor: int, path: Path) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    with suppress(PermissionError):  # only root may give a file away
        os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
