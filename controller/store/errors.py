"""What can be wrong with the home, said so that a person can put it right; and a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HomeError(Exception):
    """The home, or something in it, is in a state that a person must put right; the message says how."""


@contextmanager
def told(path: Path, verb: str) -> Iterator[None]:
    """Turns an OSError into a HomeError that says what could not be done to `path`."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room there" if full else "make it accessible, or set PEGASUS2_HOME to a directory of your own"
        raise HomeError(f"cannot {verb} {error.filename or path}: {error.strerror or error}; {remedy}") from error


def publish(draft: Path, path: Path) -> bool:
    """Gives a finished draft its name unless somebody was faster; theirs stays. Whether it has it; its own it keeps."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    return True
