"""A file that appears when it is complete, or not at all, however the process ends. `p2 backup-state` writes one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from controller.store.errors import HomeError

# What a file system says that knows no files without a name.
_NAMES_ONLY = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)


@contextmanager
def drafted(path: Path) -> Iterator[BinaryIO]:
    """Mode 0600. What the body raises leaves `path` as it was. Raises HomeError when it can't be written."""
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield from _drafted(path, directory)
        finally:
            os.close(directory)
    except OSError as error:
        why = error.strerror or str(error)
        raise HomeError(f"cannot write {path}: {why}; choose a place that can be written and has room") from error


def _drafted(path: Path, directory: int) -> Iterator[BinaryIO]:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    named = f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor, is_named = _opened(directory, named)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            if not is_named:
                # By way of linkat, which follows the link to the file without a name: see open(2), O_TMPFILE.
                os.link(f"/proc/self/fd/{descriptor}", named, src_dir_fd=directory, dst_dir_fd=directory)
            os.rename(named, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(named, dir_fd=directory)
        raise


def _opened(directory: int, named: str) -> tuple[int, bool]:
    """A new file in `directory`, and whether it has the name: without one, a crash leaves nothing behind."""
    try:
        return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=directory), False
    except OSError as error:
        if error.errno not in _NAMES_ONLY:
            raise
    return os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory), True
