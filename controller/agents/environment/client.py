"""The file system: the only module of the environment agents that touches it. Made by `connect`, used by `file.py`.

`FileSystem` can only read; a dry run is given that and nothing else. `WritableFileSystem` writes: a file appears under its
name whole or not at all, and the last component of a path is never followed when it is a symbolic link.
Methods raise OSError; `failures.py` says what each means for the user.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
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

# A content to write: bytes, or the real path of a file that holds it.
Content = bytes | Path


@dataclass(frozen=True, slots=True)
class Entry:
    """What a path names. `target` is that of a symbolic link."""

    type: str
    mode: int
    uid: int
    gid: int
    size: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What to give to a new or present file. What is not said (mode None, an id of -1) is as `like` has it, if the system
    lets us, else as the system chooses."""

    mode: int | None = None
    uid: int = -1
    gid: int = -1
    like: Entry | None = None


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
        """The whole content of a file; of what a symbolic link points to only when `follow`."""
        with _opened(path, follow=follow) as descriptor, open(descriptor, "rb", closefd=False, buffering=0) as file:
            return file.read()

    def size(self, path: str) -> int:
        """Bytes in the file that `path` names, symbolic links followed."""
        return os.stat(path).st_size

    def digest(self, path: str) -> str:
        """The SHA-256 of a file, read piece by piece."""
        with _opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def resolve(self, path: str) -> Path:
        """The real path, without symbolic links."""
        return Path(os.path.realpath(path))


@contextlib.contextmanager
def _opened(path: str | Path, *, follow: bool = False) -> Iterator[int]:
    # O_NONBLOCK: a fifo that has taken the file's place must not hang us.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class WritableFileSystem(FileSystem):
    """Reads and writes."""

    def write(self, path: str, content: Content, permissions: Permissions) -> None:
        """Puts a file at `path`, in place of a file or symbolic link that may be there; missing directories are made."""
        self._make_parents(path)
        temporary = _temporary(path)
        self._discard(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                _fill(descriptor, content)
                _permit(descriptor, permissions)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
        except BaseException:
            self._discard(temporary)
            raise

    def link(self, path: str, target: str, permissions: Permissions) -> None:
        """Puts a symbolic link at `path`, in place of a file or symbolic link that may be there."""
        self._make_parents(path)
        temporary = _temporary(path)
        self._discard(temporary)
        os.symlink(target, temporary)
        try:
            self.permit(temporary, permissions)
            os.replace(temporary, path)
        except BaseException:
            self._discard(temporary)
            raise

    def make_directory(self, path: str, permissions: Permissions) -> None:
        """Makes a directory at `path`, and the missing ones above it; one that is there only gets the permissions."""
        self._make_parents(path)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise
        self.permit(path, permissions)

    def _make_parents(self, path: str) -> None:
        """Makes the directories above `path` that are missing, mode 0755 whatever the umask."""
        parent = os.path.dirname(path)
        if os.path.isdir(parent):
            return
        if not os.path.lexists(parent):
            self._make_parents(parent)
            with contextlib.suppress(FileExistsError):  # another thread has made it meanwhile
                os.mkdir(parent)
                os.chmod(parent, 0o755)
        if not os.path.isdir(parent):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), parent)

    def permit(self, path: str, permissions: Permissions) -> None:
        """Changes owner, group and mode of what is at `path` itself; a symbolic link has no mode."""
        # Linux has no chmod that does not follow links, but a descriptor opened with O_PATH is the thing itself.
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            is_link = stat.S_ISLNK(os.fstat(descriptor).st_mode)
            _permit(f"/proc/self/fd/{descriptor}", permissions, has_mode=not is_link)
        finally:
            os.close(descriptor)

    def remove(self, path: str) -> None:
        """Removes a file or symbolic link, if it is there."""
        self.tidy(path)
        self._discard(path)

    def tidy(self, path: str) -> None:
        """Removes what a write to `path` that was interrupted has left beside it."""
        self._discard(_temporary(path))

    def remove_directory(self, path: str) -> bool:
        """Removes a directory; False when it isn't empty."""
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
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


def _fill(descriptor: int, content: Content) -> None:
    if isinstance(content, Path):
        with _opened(content) as source:
            while os.sendfile(descriptor, source, None, 1 << 24):
                pass
        return
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _permit(thing: int | str, permissions: Permissions, *, has_mode: bool = True) -> None:
    """Owner and group before the mode, because changing them clears its set-user-ID and set-group-ID bits."""
    mode, like = permissions.mode, permissions.like
    if like is not None:
        mode = like.mode if mode is None else mode
        with contextlib.suppress(PermissionError):
            os.chown(thing, like.uid, like.gid)
    if permissions.uid != -1 or permissions.gid != -1:
        os.chown(thing, permissions.uid, permissions.gid)
    if mode is not None and has_mode:
        os.chmod(thing, mode)
