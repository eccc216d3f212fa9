"""The entry point of `p2`: finds the command, runs it, and turns what went wrong into one line and an exit code.

Only the module of the command that was typed is imported; all of them for help and completion.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Parser, Refused, fill, made, summary
from controller.surfaces.cli.console import Console, Style

# Command -> class in the module of that name or as given; in the order and groups of the help page.
_GROUPS: dict[str, dict[str, str]] = {
    "Change the machine": {
        "diff": "diff:Diff",
        "apply": "apply:Apply",
        "run": "run:Run",
        "confirm": "confirm:Confirm",
        "delete": "delete:Delete",
        "suspend": "suspend:Suspend",
        "resume": "suspend:Resume",
    },
    "See how it is": {
        "get": "get:Get",
        "describe": "describe:Describe",
        "events": "events:Events",
        "health": "health:Health",
    },
    "Write the files": {
        "explain": "explain:Explain",
        "validate": "validate:Validate",
        "schema": "explain:Schema",
    },
    "The program": {
        "completion": "completion:Completion",
        "version": "version:Version",
    },
}
_COMMANDS = {name: place for group in _GROUPS.values() for name, place in group.items()}
_DEBUG = "PEGASUS2_DEBUG"
_BROKEN_PIPE = 141  # 128 + SIGPIPE, as if the signal had ended us


def main() -> NoReturn:
    """Runs this process's command line and ends the process."""
    try:
        code = run(sys.argv[1:], App(Console.standard()))
        sys.stdout.flush()
    except BrokenPipeError:
        code = _BROKEN_PIPE  # the reader has had enough (p2 get | head -1)
    # Not sys.exit: taking thousands of resources apart, one by one, takes as long as reading them did.
    os._exit(code)


def run(given: Sequence[str], app: App) -> int:
    """Runs one command line in `app`. What goes wrong becomes one line on stderr. Lets BrokenPipeError through."""
    try:
        if "_ARGCOMPLETE" in os.environ:
            complete()
        return command_of(given).run(app)
    except SystemExit as ended:  # argparse has shown a help page
        return int(ended.code or 0)
    except Refused as error:
        return _failed(app, str(error), Exit.REFUSED)
    except KeyboardInterrupt:
        return _failed(app, "interrupted", Exit.INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        return _failed(app, _explanation(error), Exit.REFUSED)


def command_of(given: Sequence[str]) -> Command:
    """The command of a command line. Raises Refused, and SystemExit after --help."""
    first, rest = (given[0], given[1:]) if given else ("--help", [])
    if first in ("-h", "--help", "help"):
        return command_of([rest[0], "--help"]) if rest else FrontPage()
    if first == "--version":
        first = "version"
    if first not in _COMMANDS:
        raise Refused(f'cannot find the command "{first}"{_nearest(first)}; see p2 --help')
    parser = Parser(prog=f"p2 {first}")
    fill(parser, command_class(first))
    return made(command_class(first), parser.parse_args(rest))


@dataclass(frozen=True)
class FrontPage(Command):
    """Show what commands there are."""

    name = "help"

    def run(self, app: App) -> Exit:
        lines = ["usage: p2 COMMAND [ARGUMENT ...]", "", "Keeps this machine the way its files say.", ""]
        for title, group in _GROUPS.items():
            lines += [f"{title}:", *(f"  {name:<12} {summary(command_class(name))}" for name in group), ""]
        app.console.print([*lines, "Begin with: p2 diff, p2 apply. A command explains itself: p2 apply --help"])
        return Exit.OK


def command_class(name: str) -> type[Command]:
    """Imports the module of a command."""
    module, _, class_name = _COMMANDS[name].partition(":")
    found: type[Command] = getattr(importlib.import_module(f"controller.surfaces.cli.{module}"), class_name)
    return found


def complete() -> NoReturn:
    """Answers the shell, which asks through argcomplete's protocol, and exits."""
    import argcomplete

    parser = Parser(prog="p2")
    commands = parser.add_subparsers()
    for name in _COMMANDS:
        fill(commands.add_parser(name, help=summary(command_class(name))), command_class(name))
    argcomplete.autocomplete(parser, always_complete_options=False)
    raise SystemExit(Exit.REFUSED)


def _nearest(text: str) -> str:
    import difflib

    close = difflib.get_close_matches(text, _COMMANDS, n=1)
    return f": did you mean {close[0]}?" if close else ""


def _failed(app: App, message: str, code: Exit) -> Exit:
    paint = app.console.paint_err
    app.console.note(f"{paint('error:', Style.BOLD, Style.RED)} {message}")
    return code


def _explanation(error: Exception) -> str:
    """What is expected to fail explains itself; anything else is a mistake of ours."""
    from controller.store.home import HomeError

    if isinstance(error, HomeError):
        return str(error)
    if os.environ.get(_DEBUG):
        raise error
    return f"cannot go on: a mistake in Pegasus2 ({type(error).__name__}: {error}); {_DEBUG}=1 shows where, please report it"
