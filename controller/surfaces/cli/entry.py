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
        if words[:1] == ["diff"] and _stands(words):
            return 0
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE
    from controller.surfaces.cli.main import leave
    from controller.surfaces.cli.main import main as here

    return leave(here(words))


def _stands(words: list[str]) -> bool:
    """Whether a look that was kept still holds, and what it found was printed."""
    from controller.wiring.standing import coloured, standing

    if (text := standing(words, home_path(), coloured(sys.stdout))) is None:
        return False
    print(text, flush=True)
    return True


def _sent(words: list[str]) -> int | None:
    socket = home_path() / "run" / "p2.sock"
    if not socket.exists():
        return None
    from controller.surfaces.cli.sending import carried_out

    return carried_out(words, socket)
