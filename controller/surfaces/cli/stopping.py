"""Ctrl-C and SIGTERM for commands that change the world: the first asks to stop, a Ctrl-C after it stops at once.

Another SIGTERM does not: service managers and `p2 stop` may send it again, and mean the same as before.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable(announce: Callable[[], None]) -> Iterator[Flag]:
    """A flag that the first signal sets, then calling `announce`. A Ctrl-C after it ends the process with 128 + signal."""
    stop = Flag()
    seen: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) > 1 and number == signal.SIGTERM:
            return
        if len(seen) > 1:
            say("stopped at once; the next run finds out what was half done")
            os._exit(128 + number)
        # In a thread: the handler may interrupt this very thread while it holds the flag's lock.
        Thread(target=begin_to_stop, daemon=True).start()

    def begin_to_stop() -> None:
        stop.set()
        announce()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say_stopping() -> None:
    """How a command that is watched by a person announces that it stops."""
    say("stopping: what is under way is finished first; another Ctrl-C stops at once")


def say(message: str) -> None:
    """A line on stderr, whatever the process was doing."""
    # Not through sys.stderr: a handler must not enter a buffer that it may have interrupted.
    os.write(sys.stderr.fileno(), f"\n{message}\n".encode())
