"""How a command is written: a frozen dataclass whose fields are its arguments and whose docstring is its help.

    @dataclass(frozen=True)
    class Greet(Command):
        \"\"\"Say hello.

        Example:
          p2 greet --loud Ada
        \"\"\"

        name: str = argument("NAME", "Whom to greet.")
        loud: bool = option("--loud", help="Shout.")

        def run(self, app: App) -> Exit: ...

`main.py` makes parsers of them. Plain argparse: importing typer, and pydantic for each option's type, takes longer than
everything else that a `p2 diff` imports.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

if TYPE_CHECKING:
    from controller.surfaces.cli.app import App

Completer = Callable[..., Iterable[str]]  # of argcomplete: called with prefix=..., parsed_args=...


class Exit(IntEnum):
    """What the exit code says. Documented in docs/cli.md; scripts rely on it."""

    OK = 0
    DIFFERENT = 1  # differences, not converged, not healthy
    REFUSED = 2  # a wrong command line or source, or something that could not be found out
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


_ARGUMENT = "argument"


@dataclass(frozen=True)
class _Argument:
    flags: tuple[str, ...]
    settings: dict[str, Any]
    completes: Completer | None = None


def argument(
    metavar: str,
    help: str,
    *,
    default: Any = dataclasses.MISSING,
    many: bool = False,
    choices: Sequence[str] | None = None,
    parse: Callable[[str], Any] = str,
    completes: Completer | None = None,
) -> Any:
    """A positional argument; optional with a `default`. With `many` the field is a tuple."""
    settings: dict[str, Any] = {"metavar": metavar, "help": help, "choices": choices, "type": parse}
    if many:
        settings["nargs"], default = "*", ()
    elif default is not dataclasses.MISSING:
        settings["nargs"] = "?"
    return dataclasses.field(default=default, metadata={_ARGUMENT: _Argument((), settings, completes)})


def option(
    *flags: str,
    help: str,
    default: Any = False,
    metavar: str | None = None,
    many: bool = False,
    choices: Sequence[str] | None = None,
    parse: Callable[[str], Any] = str,
    completes: Completer | None = None,
) -> Any:
    """An option; a switch when its default is a bool (True: also `--no-...`). With `many` it may be repeated."""
    settings: dict[str, Any] = {"help": help}
    if many:
        settings |= {"action": "append", "metavar": metavar, "type": parse}
        default = ()
    elif isinstance(default, bool):
        settings["action"] = argparse.BooleanOptionalAction if default else "store_true"
    else:
        settings |= {"metavar": metavar, "choices": choices, "type": parse}
    return dataclasses.field(default=default, metadata={_ARGUMENT: _Argument(flags, settings, completes)})


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with a command line, and keeps the line breaks of help texts."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **settings, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, add_help=False
        )
        self.add_argument("-h", "--help", action="help", help="Show this page.")

    def error(self, message: str) -> NoReturn:
        raise Refused(f"cannot read the command line: {message}; see {self.prog} --help")


def summary(command: type[Command]) -> str:
    """First line of a command's help."""
    return (command.__doc__ or "").partition("\n")[0]


def fill(parser: Parser, command: type[Command]) -> None:
    """Gives `parser` the help and the arguments of `command`."""
    parser.description = inspect.cleandoc(command.__doc__ or "")
    for field in dataclasses.fields(command):
        declared: _Argument = field.metadata[_ARGUMENT]
        settings = declared.settings | ({"dest": field.name} if declared.flags else {})
        if field.default is not dataclasses.MISSING:
            settings["default"] = None if settings.get("action") == "append" else field.default
        names = declared.flags or (field.name,)
        action = parser.add_argument(*names, **settings)
        if declared.completes:
            action.completer = declared.completes  # type: ignore[attr-defined]  # read by argcomplete


def made(command: type[Command], namespace: argparse.Namespace) -> Command:
    """The command with the arguments that were parsed."""
    given: dict[str, Any] = {}
    for field in dataclasses.fields(command):
        value = getattr(namespace, field.name)
        given[field.name] = tuple(value or ()) if field.default == () else value
    return command(**given)
