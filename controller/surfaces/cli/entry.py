"""Where `p2` begins: a running controller carries the command out if it can, else this process does.

Kept apart from `main.py`, which imports what it takes to read a command line.
"""

from __future__ import annotations

import os
import sys

from controller.wiring.place import home_path


def main() -> int:
    """Runs the process's own command line. Returns the exit code."""
    words = sys.argv[1:]
    try:
        if (code := _sent(words)) is not None:
            return code
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE
    from controller.surfaces.cli.main import main as here

    return here(words)


def _sent(words: list[str]) -> int | None:
    socket = home_path() / "run" / "p2.sock"
    if not socket.exists():
        return None
    from controller.surfaces.cli.sending import carried_out

    return carried_out(words, socket)
