"""Reads command lines with typer: what `main.py` asks when a command line is more than plain words, or wants help.

Each command's class (command.py) becomes a typer command that returns an instance of it.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
import typer.completion
from typer.core import TyperGroup

from controller.surfaces.cli.catalogue import COMMANDS, GROUPS, PROGRAMS, command_class
from controller.surfaces.cli.command import Argument, Command, Refused, help_of, hints_of

_CONTEXT = {"help_option_names": ["-h", "--help"]}  # typer's settings for every command
_ABOUT = "Keeps this machine the way its files say. Begin with: p2 diff, p2 apply. A command explains itself: p2 apply --help"


def read_line(words: Sequence[str]) -> Command | int:
    """The command of a command line, or the exit code where a page of help was shown. Raises Refused."""
    arguments = ["version" if word == "--version" else word for word in words[:1]] + list(words[1:])
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    try:
        found: Command | int = program().main(
            args=arguments or ["--help"], prog_name=_own_name(), standalone_mode=False
        )
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        message = getattr(error, "format_message", None)  # what typer raises for a wrong command line
        if message is None:
            raise
        where = " ".join(["p2", *(word for word in arguments[:1] if word in COMMANDS)])
        raise Refused(
            f"cannot read the command line: {message().rstrip('.').replace('Value error, ', '')}; see {where} --help"
        ) from None
    return found


class Commands(TyperGroup):
    """All commands, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return parser_of(command_class(cmd_name)) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in group.items()])


def program() -> Any:
    """The whole of `p2` as typer has it, for reading command lines and for completing them."""
    group = typer.Typer(
        cls=Commands,
        help=_ABOUT,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )
    group.callback()(lambda: None)
    made = typer.main.get_command(group)
    if any(name.endswith("_COMPLETE") for name in os.environ):
        typer.completion.completion_init()  # type: ignore[attr-defined]  # a shell asks for completions
    made.commands = dict.fromkeys(COMMANDS)  # type: ignore[attr-defined]  # what it suggests from after a typing error
    return made


def _own_name() -> str:
    """The name that we were called by, if it is one of ours: a shell's completion is bound to it."""
    name = Path(sys.argv[0]).name
    return name if name in PROGRAMS else PROGRAMS[0]


def parser_of(command: type[Command]) -> Any:
    """The typer command that reads the arguments of `command` and returns it, filled with them."""
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(command.name, help=help_of(command), context_settings=_CONTEXT)(_reader(command))
    return typer.main.get_command(single)


def _reader(command: type[Command]) -> Any:
    def read(**given: Any) -> Command:
        return command(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})

    hints = hints_of(command)
    parameters = [_parameter(field, hints[field.name]) for field in dataclasses.fields(command)]
    read.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer goes by
    read.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return read


def _parameter(field: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    """A field as typer wants it: it knows lists, not tuples; and defaults are named in our help texts already."""
    kind, said = get_args(hint)
    how: Mapping[str, Any] = {"show_default": False, **said.how}
    info = typer.Argument(**how) if isinstance(said, Argument) else typer.Option(*said.names, **how)
    if get_origin(kind) is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
    default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=[] if default == () else default,
        annotation=Annotated[kind, info],
    )
