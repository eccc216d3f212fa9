"""What a person types in answer to a question. The console asks with it, and so does the client of a command that was sent."""

from __future__ import annotations

import select
import sys

AWAKE = 0.25  # seconds within which a Ctrl-C is noticed that came at the worst moment


def typed_line() -> str:
    """The line, "" at the end of the input. Raises KeyboardInterrupt for Ctrl-C.

    Python looks whether a signal has come, and then reads. One that comes in between would be noticed after the read, thus
    after a line that the person has no reason to type: so nothing is read before there is something.
    """
    while not select.select([sys.stdin], [], [], AWAKE)[0]:
        pass
    return sys.stdin.readline()
