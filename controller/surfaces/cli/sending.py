"""The client's side of a command that a running controller carries out: sends it, and shows what comes back.

`entry.py` asks here first. The controller has everything in memory, so nothing but this is imported; where there is none,
or none that answers, the command is carried out in this process.
"""

from __future__ import annotations

import os
import sys
import time
from _socket import AF_UNIX, socket  # see wire.py

from controller import __version__
from controller.surfaces.cli.wire import Line

TYPE_CHECKING = False  # as typing has it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from controller.surfaces.cli.wire import Frame

# What a controller carries out for others. Watching (-w) and help stay in the client's process.
_READING = frozenset({"audit", "describe", "diff", "events", "get", "health", "history"})  # done as well here
_CHANGING = frozenset(
    {"apply", "confirm", "delete", "deploy", "pause", "restart", "resume", "rollback", "suspend", "unpause"}
)
SENT = _READING | _CHANGING
_STAYS = frozenset({"-h", "--help", "-w", "--watch"})
_STARTING = 3.0  # seconds that a controller takes from its lock to its socket, at most
_AGAIN = 0.05
_GREETING = 2.0  # seconds: a controller that is stopped or stuck keeps nobody waiting
_AWAKE = 0.5  # seconds within which a Ctrl-C is noticed that came just before the wait for the controller began
INTERRUPTED = 130
_WHAT_TO_DO = "p2 health says what to do"


def carried_out(words: Sequence[str], at: str) -> int | None:
    """The exit code, when the controller behind the socket `at` has carried out `words`; None when it is for us to do."""
    if not words or words[0] not in SENT or not _STAYS.isdisjoint(words) or any(map(_of_cluster, words)):
        return None
    asked = time.monotonic()
    line = _connected(at)
    if line is None and words[0] in _CHANGING:
        line = _connected_when_it_has_started(at)
    if line is None:
        if time.monotonic() - asked >= _GREETING and (controller := held_by_controller(_lock_beside(at))):
            sys.stderr.write(f"note: the controller, process {controller}, does not answer; {_WHAT_TO_DO}\n")
        return None
    try:
        line.send(words=list(words), directory=os.getcwd(), **_terminal())
    except OSError:
        return None  # ended just now
    return _shown(line, goes_on=words[0] in _CHANGING)


def _of_cluster(word: str) -> bool:
    """Whether it asks for a cluster, which this process reaches with its own kubeconfig."""
    return word.startswith(("--context", "--kubeconfig"))


def answers(path: str) -> bool:
    """Whether there is a controller behind the socket that takes commands. For `p2 health`."""
    line = _connected(path)
    if line is not None:
        line.close()
    return line is not None


def _connected(path: str) -> Line | None:
    """A controller that answers, and is of our version."""
    connection = socket(AF_UNIX)
    connection.settimeout(_GREETING)
    try:
        connection.connect(path)
        line = Line(connection)
        greeting = line.read()
    except (OSError, ValueError):  # no controller, one that has died, or one that hangs
        connection.close()
        return None
    if not greeting or greeting.get("p2") != __version__:
        connection.close()
        return None
    connection.settimeout(_AWAKE)
    return line


def _connected_when_it_has_started(at: str) -> Line | None:
    """A controller that holds the home already, and is about to listen."""
    give_up = time.monotonic() + _STARTING
    while time.monotonic() < give_up and held_by_controller(_lock_beside(at)):
        time.sleep(_AGAIN)
        if line := _connected(at):
            return line
    return None


def _lock_beside(at: str) -> str:
    return f"{os.path.dirname(at)}/lock"


def held_by_controller(lock: str) -> str:
    """The process id of the controller that holds the lock; empty when none does."""
    from fcntl import LOCK_NB, LOCK_SH, flock

    try:
        with open(lock) as opened:
            try:
                flock(opened, LOCK_SH | LOCK_NB)
            except BlockingIOError:
                pid, _, command = opened.read().partition(" ")
                return pid if command.split()[1:2] in (["run"], ["operator"]) else ""
    except OSError:
        pass
    return ""


def _terminal() -> Frame:
    out, err, plain = sys.stdout, sys.stderr, bool(os.environ.get("NO_COLOR"))
    dumb = os.environ.get("TERM") == "dumb"
    return {
        "paint": [not plain and not dumb and out.isatty(), not plain and not dumb and err.isatty()],
        "live": err.isatty() and not dumb,
        "asks": sys.stdin is not None and sys.stdin.isatty() and err.isatty(),
        "width": _columns(out.fileno()) if out.isatty() else None,
        "err_width": _columns(err.fileno()) if err.isatty() else None,
    }


def _columns(descriptor: int) -> int:
    try:
        return os.get_terminal_size(descriptor).columns or 80
    except OSError:
        return 80


def _shown(line: Line, *, goes_on: bool) -> int:
    """Shows what comes until the command has ended. The first Ctrl-C is passed on, the second ends the waiting.

    Of a command that only reads nothing `goes_on`, so the first one ends it.
    """
    interrupted = False
    while True:
        try:
            frame = _next(line)
            if frame is None:
                sys.stderr.write(
                    "error: the controller has ended before the command was done; p2 get says how things are\n"
                )
                return 1
            if (code := _show(frame, line)) is not None:
                return code
        except KeyboardInterrupt:
            if interrupted or not goes_on:
                sys.stderr.write("error: interrupted\n")
                return INTERRUPTED
            interrupted = True
            from contextlib import suppress

            with suppress(_Lost):  # which shows in a moment
                _say(line, stop=True)
        except _Lost:
            sys.stderr.write("error: the connection to the controller broke; p2 get says how things are\n")
            return 1
        except BrokenPipeError:
            raise
        except OSError as error:
            from controller.surfaces.cli.written import unwritable

            sys.stderr.write(f"error: {unwritable(error)}\n")
            return 2


class _Lost(Exception):
    """The controller has gone, whatever becomes of what is written here."""


def _next(line: Line) -> Frame | None:
    while True:
        try:
            return line.read()
        except TimeoutError:
            pass  # by `_AWAKE`
        except OSError as error:
            raise _Lost from error


def _say(line: Line, **frame: Any) -> None:
    try:
        line.send(**frame)
    except OSError as error:
        raise _Lost from error


def _show(frame: Frame, line: Line) -> int | None:
    match frame:
        case {"out": str(text)}:
            sys.stdout.write(text)
            sys.stdout.flush()
        case {"err": str(text)}:
            sys.stderr.write(text)
            sys.stderr.flush()
        case {"ask": str(question)}:
            from controller.surfaces.cli.typed import typed_line

            sys.stderr.write(question)
            sys.stderr.flush()
            _say(line, answer=typed_line())
        case {"exit": int(code)}:
            return code
    return None
