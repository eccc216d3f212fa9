"""The file system: the only module of the environment agents that touches it. Made by `connect`, used by `file.py`.

`FileSystem` can only read; a dry run is given that and nothing else. `WritableFileSystem` writes: a file appears under its
name whole or not at all, and the last component of a path is never followed when it is a symbolic link.
Methods raise OSError; `failures.py` says what each means for the user.
"""

# Descriptors and calls of `os`, not pathlib: ten thousand files are looked at in one go, and Path objects double the time.
# ruff: noqa: PTH

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.engine.agent import Setup

# Names of files that are still being written: hidden, and the same for every attempt at one path, so that what a crash
# leaves behind is removed by the next attempt.
TEMPORARY = ".p2-"

_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo"}
_TYPES |= {stat.S_IFSOCK: "socket", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a path names. `target` is that of a symbolic link."""

    type: str
    mode: int
    uid: int
    gid: int
    size: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What to give to a file; -1 leaves an owner or group as the system chooses or as it is, and so does mode None."""

    mode: int | None
    uid: int = -1
    gid: int = -1


def connect(setup: Setup) -> FileSystem:
    """The file system, unable to write when `setup.read_only`."""
    return FileSystem() if setup.read_only else WritableFileSystem()


class FileSystem:
    """Reads."""

    def look(self, path: str) -> Entry | None:
        """What is at `path`, or None."""
        try:
            found = os.lstat(path)
            kind = _TYPES[stat.S_IFMT(found.st_mode)]
            target = os.readlink(path) if kind == "symlink" else ""
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Entry(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_size, target)

    def read(self, path: str, *, follow: bool = False) -> bytes:
        """The whole content of a regular file; of what a symbolic link points to only when `follow`."""
        with _opened(path, follow) as descriptor, open(descriptor, "rb", closefd=False, buffering=0) as file:
            return file.read()

    def size(self, path: str) -> int:
        """Bytes in the file that `path` names, symbolic links followed."""
        return os.stat(path).st_size

    def digest(self, path: str, *, follow: bool = False) -> str:
        """The SHA-256 of a regular file, read piece by piece."""
        with _opened(path, follow) as descriptor, open(descriptor, "rb", closefd=False) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _opened(path: str, follow: bool) -> Iterator[int]:
    # O_NONBLOCK: a fifo that has taken the file's place must not hang us.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class WritableFileSystem(FileSystem):
    """Reads and writes."""

    def write(self, path: str, content: bytes | Path, permissions: Permissions) -> None:
        """Puts a file with this content, or with that of the file named, at `path`; missing directories are made."""
        self.make_parents(path)
        temporary = _temporary(path)
        self._discard(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                _fill(file.fileno(), content)
                # The owner first: changing it clears the set-user-ID bits of the mode.
                os.fchown(descriptor, permissions.uid, permissions.gid)
                if permissions.mode is not None:
                    os.fchmod(descriptor, permissions.mode)
                os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            self._discard(temporary)
            raise

    def link(self, path: str, target: str, permissions: Permissions) -> None:
        """Puts a symbolic link at `path`, in one step when another link or a file is there."""
        self.make_parents(path)
        temporary = _temporary(path)
        self._discard(temporary)
        os.symlink(target, temporary)
        try:
            os.chown(temporary, permissions.uid, permissions.gid, follow_symlinks=False)
            os.replace(temporary, path)
        except BaseException:
            self._discard(temporary)
            raise

    def make_directory(self, path: str, permissions: Permissions) -> None:
        """Makes a directory at `path`, and the missing ones above it."""
        self.make_parents(path)
        os.mkdir(path, 0o700)
        self.permit(path, permissions)

    def make_parents(self, path: str) -> None:
        """Makes the directories above `path` that are missing, mode 0755 whatever the umask."""
        parent = os.path.dirname(path)
        if os.path.isdir(parent):
            return
        self.make_parents(parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(parent)
            os.chmod(parent, 0o755)
            return
        if not os.path.isdir(parent):
            raise NotADirectoryError(20, "Not a directory", parent)

    def permit(self, path: str, permissions: Permissions) -> None:
        """Changes owner, group and mode of what is at `path` itself."""
        os.chown(path, permissions.uid, permissions.gid, follow_symlinks=False)
        if permissions.mode is not None:
            # Linux has no chmod that does not follow links: an O_PATH descriptor is the thing itself.
            descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.chmod(f"/proc/self/fd/{descriptor}", permissions.mode)
            finally:
                os.close(descriptor)

    def remove(self, path: str) -> None:
        """Removes a file or symbolic link, if it is there."""
        self._discard(_temporary(path))
        self._discard(path)

    def remove_directory(self, path: str) -> bool:
        """Removes a directory; False when it isn't empty."""
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return True
        except OSError:
            if os.path.isdir(path) and os.listdir(path):
                return False
            raise
        return True

    def _discard(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)


def _temporary(path: str) -> str:
    # A digest, because a name may already be as long as the file system allows.
    directory, name = os.path.split(path)
    return f"{directory}/{TEMPORARY}{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}"


def _fill(descriptor: int, content: bytes | Path) -> None:
    if isinstance(content, Path):
        with content.open("rb") as source, open(descriptor, "wb", closefd=False) as file:
            shutil.copyfileobj(source, file, 1 << 20)
        return
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
