"""The lock that makes one process at a time the one that changes things. `Home.lock` and `Home.holder` call it.

The kernel drops a flock with the process that holds it, so a crash never leaves one behind; what the file says about the
holder is for people only.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.store.errors import HomeError, told

# A process that asks who holds the lock has it for some microseconds; whoever wants it meanwhile tries again.
_TRIES, _PAUSE = 5, 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds the lock. `pid` is 0 when it has not said yet."""

    pid: int
    command: str

    @property
    def is_controller(self) -> bool:
        return self.command.split()[1:2] in (["run"], ["operator"])

    @property
    def way_out(self) -> str:
        if self.command.split()[1:2] == ["operator"]:
            return "stop it first, or let it do the work: kubectl apply and kubectl delete are how it is told"
        if self.is_controller:
            return "stop it first, or let it do the work: it watches its source"
        return "try again when it has ended"

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.pid else "another process"


@contextmanager
def hold(path: Path, way_out: str = "") -> Iterator[None]:
    """Holds the lock while the body runs. Raises HomeError that names the process holding it, and what to do (`way_out`)."""
    with told(path, "lock"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with told(path, "lock"):
            if not _taken(descriptor):
                found = _holder_named_in(path)
                raise HomeError(f"cannot start: {found} holds {path}; {way_out or found.way_out}")
            _sign(descriptor, f"{os.getpid()} {_command()}\n")
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock now, or None. Creates nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder_named_in(path)
    finally:
        os.close(descriptor)
    return None


def _taken(descriptor: int) -> bool:
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(_PAUSE)
        else:
            return True
    return False


def _sign(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(errors="replace"), 0)


def _holder_named_in(path: Path) -> Holder:
    pid, _, command = path.read_text(errors="replace").strip().partition(" ")
    return Holder(int(pid), command) if pid.isdecimal() else Holder(0, "")


def _command() -> str:
    return " ".join((Path(sys.argv[0]).name, *sys.argv[1:]))
