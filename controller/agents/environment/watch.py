"""Hints that something has changed about the declared files, by inotify. Used by `file.py`; runs in a thread of the manager.

Every directory on the way to a declared file is watched, from / down: so it is noticed too when one of them is removed,
moved, made again, or when a link among them comes to point elsewhere. Ten thousand files in ten directories take ten
watches and those of their ancestors. Nothing wakes up but for an event in one of these directories, and names that nobody
has declared (our own unfinished files among them) give no hints.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from threading import Event as Flag
from threading import Lock, Thread

from inotify_simple import Event, INotify, flags

from controller.engine.agent import Relist, Retry, Scope
from resources.conditions import Reason
from resources.kinds.file import File
from resources.meta import Key, Resource

log = logging.getLogger(__name__)

# What makes a name come, go, or stand for something else.
_NAMES = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
# Not MODIFY: a busy log in a watched directory would wake us at every line, and a file half written is not worth a look.
_CONTENTS = _NAMES | flags.CLOSE_WRITE | flags.ATTRIB

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class FileWatch:
    """One watch of the agent: `hints` is called once."""

    def __init__(self, scope: Scope, stop: Flag) -> None:
        self._scope = scope
        self._stop = stop
        self._bell = Bell()
        self._paths: dict[Key, str] = {}
        self._edits: deque[tuple[Sequence[Resource], Sequence[Resource]]] = deque()

    def hints(self) -> Iterator[Key | Relist]:
        """Yields until stopped, first a Relist: what has changed before the watch began is not known."""
        try:
            with _open_inotify() as inotify:
                self._scope.subscribe(self._edited)
                Thread(target=self._ring_at_stop, name="File-watch-stop", daemon=True).start()
                while not self._stop.is_set():
                    tree = Tree(inotify)
                    yield from self._watch_until_overflow(inotify, tree)
                    tree.close()
        finally:
            self._bell.close()

    def _edited(self, changed: Sequence[Resource], removed: Sequence[Resource]) -> None:
        self._edits.append((changed, removed))
        if not self._bell.ring():  # the watch has ended, and nobody takes edits any more
            self._edits.clear()

    def _ring_at_stop(self) -> None:
        self._stop.wait()
        self._bell.ring()

    def _watch_until_overflow(self, inotify: INotify, tree: Tree) -> Iterator[Key | Relist]:
        self._paths.clear()
        for resource in self._scope.resources():
            self._enter(tree, resource)
        yield Relist()
        ready = select.poll()
        ready.register(inotify, select.POLLIN)
        ready.register(self._bell.descriptor, select.POLLIN)
        while True:
            ready.poll()
            self._bell.silence()
            if self._stop.is_set():
                return
            events: list[Event] = inotify.read(timeout=0)
            hints = dict.fromkeys(self._take_edits(tree))
            for event in events:
                if event.mask & flags.Q_OVERFLOW:
                    log.warning("too many changes of files at once; looking at all of them again")
                    return
                hints.update(dict.fromkeys(tree.touched(event)))
            yield from hints

    def _take_edits(self, tree: Tree) -> Iterator[Key]:
        """Watches what was declared since; hints at it, for it may have changed before it was watched."""
        while self._edits:
            changed, removed = self._edits.popleft()
            for resource in removed:
                self._leave(tree, resource.key)
            for resource in changed:
                if self._enter(tree, resource):
                    yield resource.key

    def _enter(self, tree: Tree, resource: Resource) -> bool:
        """Whether its path was not watched for it before."""
        assert isinstance(resource, File)
        key, path = resource.key, resource.spec.path
        if self._paths.get(key) == path:
            return False
        self._leave(tree, key)
        self._paths[key] = path
        tree.add(path, key)
        return True

    def _leave(self, tree: Tree, key: Key) -> None:
        if (path := self._paths.pop(key, None)) is not None:
            tree.remove(path, key)


@dataclass(slots=True)
class Folder:
    """A directory on the way to declared files. `watch` is inotify's number, None while it can't be watched."""

    path: str
    folders: dict[str, Folder] = field(default_factory=dict)
    keys: dict[str, tuple[Key, ...]] = field(default_factory=dict)  # by name of the file
    watch: int | None = None

    def all_keys(self) -> Iterator[Key]:
        """Of everything in it, at any depth."""
        for keys in self.keys.values():
            yield from keys
        for folder in self.folders.values():
            yield from folder.all_keys()


class Tree:
    """The directories that are watched. Watches are set from the top down, so that nothing appears unseen below."""

    def __init__(self, inotify: INotify) -> None:
        self._inotify = inotify
        self._root = Folder("/")
        self._watched: dict[int, list[Folder]] = {}  # more than one where symbolic links lead to one directory
        self._warned = False

    def add(self, path: str, key: Key) -> None:
        """Watches `path`; a path that is known costs no system call."""
        *way, name = PurePosixPath(path).parts[1:] or ("",)
        folder, there = self._root, self._root.watch is not None or self._set(self._root)
        for part in way:
            if part not in folder.folders:
                below = Folder(f"{folder.path.rstrip('/')}/{part}")
                folder.folders[part] = below
                there = there and self._set(below)
            folder = folder.folders[part]
        first_file = not folder.keys
        folder.keys[name] = (*folder.keys.get(name, ()), key)
        if first_file:
            self._set(folder)

    def remove(self, path: str, key: Key) -> None:
        """Watches `path` no longer, nor directories that nothing else is in."""
        *way, name = PurePosixPath(path).parts[1:] or ("",)
        folders = [self._root]
        for part in way:
            folders.append(folders[-1].folders[part])
        rest = tuple(other for other in folders[-1].keys.pop(name) if other != key)
        if rest:
            folders[-1].keys[name] = rest
        for part, folder, above in zip(reversed(way), reversed(folders), reversed(folders[:-1]), strict=False):
            if folder.keys or folder.folders:
                return
            self._unset(folder)
            del above.folders[part]

    def close(self) -> None:
        """Watches nothing any more."""
        for folders in list(self._watched.values()):
            for folder in list(folders):
                self._unset(folder)

    def touched(self, event: Event) -> Iterator[Key]:
        """The keys that an event is about."""
        for folder in tuple(self._watched.get(event.wd, ())):
            if event.mask & flags.IGNORED:  # the directory is gone, or its file system unmounted
                yield from self._renewed(folder)
                continue
            yield from folder.keys.get(event.name, ())
            if event.mask & _NAMES and (below := folder.folders.get(event.name)):
                yield from self._renewed(below)

    def _renewed(self, folder: Folder) -> Iterable[Key]:
        """All below `folder`, watched anew: its path has come to mean something else, or nothing."""
        self._renew(folder)
        return folder.all_keys()

    def _renew(self, folder: Folder) -> None:
        self._unset(folder)
        self._set(folder)
        for below in folder.folders.values():
            self._renew(below)

    def _set(self, folder: Folder) -> bool:
        """Watches `folder`; whether it is there."""
        wanted = _CONTENTS if folder.keys else _NAMES
        try:
            # MASK_ADD: another path may lead to the same directory, and watch more of it.
            number = self._inotify.add_watch(folder.path, wanted | flags.ONLYDIR | flags.MASK_ADD)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return False
            self._warn(folder, error)
            return True
        if folder.watch != number:
            folder.watch = number
            self._watched.setdefault(number, []).append(folder)
        return True

    def _unset(self, folder: Folder) -> None:
        number, folder.watch = folder.watch, None
        if number is None:
            return
        sharing = self._watched[number]
        sharing.remove(folder)
        if not sharing:
            del self._watched[number]
            try:
                self._inotify.rm_watch(number)
            except OSError as error:
                if error.errno != errno.EINVAL:  # the kernel has removed it with its directory
                    raise

    def _warn(self, folder: Folder, error: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        remedy = (
            "raise fs.inotify.max_user_watches" if error.errno == errno.ENOSPC else "make it readable for this user"
        )
        log.warning(
            "cannot watch a directory; changes in it are found at the next resync",
            extra={"path": folder.path, "cause": error.strerror, "remedy": remedy},
        )


class Bell:
    """Wakes up a thread that polls. Rung by any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open = True
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> bool:
        """Whether there is still somebody to be woken up."""
        with self._lock:
            if self._open:
                os.eventfd_write(self.descriptor, 1)
            return self._open

    def silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)

    def close(self) -> None:
        with self._lock:
            self._open = False
            os.close(self.descriptor)


def _open_inotify() -> INotify:
    try:
        return INotify()
    except OSError as error:
        remedy = "raise fs.inotify.max_user_instances, or end a program that watches files"
        raise Retry(Reason.AGENT_UNAVAILABLE, f"cannot watch files: {error.strerror}; {remedy}") from error
