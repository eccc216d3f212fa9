"""How a command is written: a frozen dataclass whose fields are its arguments, in typer's words, and whose docstring is its help.

    @dataclass(frozen=True)
    class Greet(Command):
        \"\"\"Say hello.

        Example:
          p2 greet --loud Ada
        \"\"\"

        name = "greet"

        whom: Annotated[str, typer.Argument(help="Whom to greet.")]
        loud: Annotated[bool, typer.Option("--loud", help="Shout.")] = False

        def run(self, app: App) -> Exit: ...

`main.py` gathers them. A command made by hand, in a test, is the same thing as one made from a command line.
"""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import typer

if TYPE_CHECKING:
    from controller.surfaces.cli.app import App


CONTEXT = {"help_option_names": ["-h", "--help"]}  # typer's settings for every command


class Exit(IntEnum):
    """What the exit code says. Documented in docs/cli.md; scripts rely on it."""

    OK = 0
    DIFFERENT = 1  # differences, not converged, not healthy
    REFUSED = 2  # a wrong command line or source, or something that could not be found out
    BROKEN_OFF = 3  # p2 run was told to stop, and broke off what took longer than its deadline
    ABANDONED = 4  # likewise, and that did not help: it ended with work under way
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Refused(Exception):
    """The command can't be carried out as given. The message begins "cannot" and says what to do."""


@dataclass(frozen=True)
class Command(ABC):
    """One command with its arguments, ready to run."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, app: App) -> Exit:
        """Does it. Raises Refused, and HomeError from the home."""


def summary(command: type[Command]) -> str:
    """First line of a command's help."""
    return (command.__doc__ or "").partition("\n")[0]


def parser_of(command: type[Command]) -> Any:
    """The typer command that reads the arguments of `command` and returns it, filled with them."""
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(command.name, help=_help(command), context_settings=CONTEXT)(_reader(command))
    return typer.main.get_command(single)


def _reader(command: type[Command]) -> Any:
    def read(**given: Any) -> Command:
        return command(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})

    hints = get_type_hints(command, include_extras=True)
    parameters = [_parameter(field, hints[field.name]) for field in dataclasses.fields(command)]
    read.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer goes by
    read.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return read


def _parameter(field: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    """A field as typer wants it: it knows lists, not tuples; and defaults are named in our help texts already."""
    kind, info = get_args(hint)
    info = copy(info)
    info.show_default = False
    if get_origin(kind) is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
    default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=[] if default == () else default,
        annotation=Annotated[kind, info],
    )


def _help(command: type[Command]) -> str:
    """The docstring; its examples are kept as they are written, not filled up as paragraphs."""
    return inspect.cleandoc(command.__doc__ or "").replace("\n\nExample", "\n\n\b\nExample")
