"""What an error of the file system means for the loop and for the user: `Retry` or `Stalled`, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from controller.engine.agent import Failure, Retry, Stalled
from resources.conditions import Reason

PERMISSION_DENIED = "PermissionDenied"
PATH_UNUSABLE = "PathUnusable"

_USER = "run Pegasus2 as a user who may do that, or change the path"

# Errors that stay until somebody changes something, with the reason and the way out.
_STALLED = {
    errno.EACCES: (PERMISSION_DENIED, _USER),
    errno.EPERM: (PERMISSION_DENIED, f"{_USER}; for a file marked immutable, see chattr -i"),
    errno.EROFS: (PERMISSION_DENIED, "remount the file system writable, or change the path"),
    errno.ENOTDIR: (PATH_UNUSABLE, "move out of the way what is there instead, or change the path"),
    errno.EISDIR: (PATH_UNUSABLE, "a directory is in its place: remove that, or change the path"),
    errno.EEXIST: (PATH_UNUSABLE, "something else is in its place: remove that, or change the path"),
    errno.ENAMETOOLONG: (PATH_UNUSABLE, "shorten the path"),
    errno.ELOOP: (PATH_UNUSABLE, "symbolic links on the way there lead in a circle: remove one, or change the path"),
    errno.EBUSY: (PATH_UNUSABLE, "it is a mount point: unmount it, or change the path"),
}

# Errors that pass, with what helps.
_RETRIED = {
    errno.ENOSPC: "make room on that file system",
    errno.EDQUOT: "make room in the user's quota",
    errno.EIO: "look into the kernel's log for the disk's errors",
}


def failure(verb: str, path: str, error: OSError) -> Failure:
    """The failure to report when doing `verb` to `path` ended with `error`."""
    said = os.strerror(error.errno).lower() if error.errno else str(error)
    culprit = f"{error.filename}: " if path.startswith(f"{error.filename}/") else ""
    message = f"cannot {verb} {path}: {culprit}{said}"
    if found := _STALLED.get(error.errno or 0):
        reason, remedy = found
        return Stalled(reason, f"{message}; {remedy}")
    remedy = _RETRIED.get(error.errno or 0, "look at the path")
    return Retry(Reason.APPLY_FAILED, f"{message}; {remedy}: it is tried again by itself")


@contextlib.contextmanager
def explained(verb: str, path: str) -> Iterator[None]:
    """Turns the OSErrors of a block into `Retry` and `Stalled`."""
    try:
        yield
    except OSError as error:
        raise failure(verb, path, error) from error
