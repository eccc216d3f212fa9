"""Where `p2` begins: a running controller carries the command out if it can, else this process does.

Kept apart from `main.py`, which imports what it takes to read a command line.
"""

from __future__ import annotations

import os
import sys
import time

from controller.wiring.place import home_path, socket_of_home

TYPE_CHECKING = False  # as typing has it, which is not imported to send a command
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> int:
    """Runs the process's own command line. Returns the exit code."""
    words, begun = sys.argv[1:], time.monotonic()
    _open_what_is_closed()
    try:
        if (code := _sent(words)) is not None:
            _leave(code)
        if words[:1] == ["diff"] and (code := _stands(words)) is not None:
            _leave(code)
        if words[:1] == ["apply"] and (code := unchanged(words, begun)) is not None:
            _leave(code)
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return 130  # 128 + SIGINT
    from controller.surfaces.cli.main import leave
    from controller.surfaces.cli.main import main as here

    return leave(here(words))


def _open_what_is_closed() -> None:
    """Gives each standard stream that is closed one that leads nowhere: else the next file to be opened would be in its place."""
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != descriptor:
                os.dup2(nothing, descriptor)
                os.close(nothing)
            setattr(sys, name, open(descriptor, mode))  # noqa: SIM115  (for as long as the process)


def _stands(words: list[str]) -> int | None:
    """The exit code of a diff for which a look that was kept still holds, once that is printed; None where none does."""
    from controller.wiring.standing import coloured, standing

    if (text := standing(words, home_path(), coloured(sys.stdout))) is None:
        return None
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        from controller.surfaces.cli.written import unwritable

        sys.stderr.write(f"error: {unwritable(error)}\n")
        return 2
    return 0


def unchanged(words: list[str], begun: float) -> int | None:
    """The exit code of an apply for which there is nothing to do; None where that is not known."""
    from controller.wiring.standing import ended

    if (look := ended(words, home_path())) is None:
        return None
    from controller.surfaces.cli.unchanged import carried_out

    return carried_out(look, words, begun)


def _leave(code: int) -> NoReturn:
    """Ends the process, which has nothing open any more, without taking it apart: that would take a tenth of its time.

    What it had to say has been flushed; stderr keeps no line back.
    """
    os._exit(code)


def _sent(words: list[str]) -> int | None:
    socket = socket_of_home()
    if not os.path.exists(socket):
        return None
    from controller.surfaces.cli.sending import carried_out

    return carried_out(words, socket)
