"""The entry point of `p2`: finds the command, runs it, and turns what went wrong into one line and an exit code.

Only the module of the command that was typed is imported; typer, too, for what is more than plain words.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from controller.surfaces.cli.app import App, open_workspace
from controller.surfaces.cli.catalogue import COMMANDS, command_class
from controller.surfaces.cli.command import Command, Exit, Refused, from_words
from controller.surfaces.cli.console import Console, Style
from controller.surfaces.cli.person import person
from controller.surfaces.cli.recording import carry_out
from controller.surfaces.cli.written import as_typed

_LOOKING = frozenset({"diff", "apply"})  # commands that begin with a look at the whole world
_BRIEF = frozenset({"help", "-h", "--help", "version", "--version"})  # commands of a moment
_DEBUG = "PEGASUS2_DEBUG"
_BROKEN_PIPE = 141  # 128 + SIGPIPE, as if the signal had ended us


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (default: the process's own). Returns the exit code."""
    # Pydantic's plugins are looked for in every installed package, which takes longer than a short command may.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in _BRIEF | _LOOKING:
        gc.disable()  # a tenth of a moment would go into looking for garbage that imports do not leave
    try:
        opener = partial(open_workspace, ahead=_ahead(given))
        return run(given, App(Console.standard(), opener, user=person(), typed=as_typed(given)))
    except BrokenPipeError:  # the reader has had enough (p2 get | head -1)
        _give_up_output()
        return _BROKEN_PIPE


def leave(code: int) -> int:
    """Ends the process with this code, at once where nothing else runs in it: taking down all that was imported takes long.

    Otherwise returns it. What would be done at an exit, nothing of which is ours, is to wait for threads.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # as was said when it was written
        _give_up_output()
        code = code or Exit.REFUSED
    if threading.active_count() == 1:
        os._exit(code)
    return code


def _give_up_output() -> None:
    """What is still buffered must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(given: Sequence[str], app: App) -> int:
    """Runs one command line in `app`. What goes wrong becomes one line on stderr. Lets BrokenPipeError through."""
    try:
        found = command_of(given)
        return carry_out(found, app) if isinstance(found, Command) else found
    except Refused as error:
        return _failed(app, str(error), Exit.REFUSED)
    except KeyboardInterrupt:
        return _failed(app, "interrupted", Exit.INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        return _failed(app, _explanation(error), Exit.REFUSED)


def command_of(words: Sequence[str]) -> Command | int:
    """The command of a command line, or the exit code where a page of help was shown. Raises Refused."""
    if words and words[0] in COMMANDS and not any(word.startswith("-") for word in words):
        if command := from_words(command_class(words[0]), words[1:]):
            return command
    elif list(words) == ["--version"]:
        return command_class("version")()
    from controller.surfaces.cli.reading import read_line

    return read_line(words)


def _ahead(given: Sequence[str]) -> Mapping[str, Any]:
    """Begins to look at the world while the command line is still to be read and nearly all is still to be imported."""
    if not _LOOKING.intersection(given[:1]):
        return {}
    from controller.wiring.ahead import read_ahead
    from controller.wiring.settings import Settings

    try:
        return read_ahead(Settings.from_environment().home)
    except ValueError:
        return {}  # told when the settings are needed


def _failed(app: App, message: str, code: Exit) -> Exit:
    paint = app.console.paint_err
    app.console.note(f"{paint('error:', Style.BOLD, Style.RED)} {message}")
    return code


def _explanation(error: Exception) -> str:
    """What is expected to fail explains itself; anything else is a mistake of ours."""
    from controller.store.errors import HomeError

    if isinstance(error, HomeError):
        return str(error)
    if os.environ.get(_DEBUG):
        raise error
    return f"cannot go on: a mistake in Pegasus2 ({type(error).__name__}: {error}); {_DEBUG}=1 shows where, please report it"
