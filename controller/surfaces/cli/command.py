"""How a command is written: a frozen dataclass whose fields are its arguments, and whose docstring is its help.

    @dataclass(frozen=True)
    class Greet(Command):
        \"\"\"Say hello.

        Example:
          p2 greet --loud Ada
        \"\"\"

        name = "greet"

        whom: Annotated[str, Argument(help="Whom to greet.")]
        loud: Annotated[bool, Option("--loud", help="Shout.")] = False

        def run(self, app: App) -> Exit: ...

`main.py` gathers them, `reading.py` has typer read their arguments; plain words are read here, for importing typer takes as long
as many a command. A command made by hand, in a test, is the same thing as one made from a command line.
"""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from controller.surfaces.cli.app import App


class Argument:
    """A word of the command line. Keywords as of typer.Argument."""

    def __init__(self, **how: Any) -> None:
        self.how = how


class Option:
    """An option. Names and keywords as of typer.Option."""

    def __init__(self, *names: str, **how: Any) -> None:
        self.names = names
        self.how = how


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
    changes: ClassVar[bool] = False  # the machine, or what is to become of it: then the audit has it
    replaces_audit: ClassVar[bool] = (
        False  # with the database: what it did is written down in the new one, when it is done
    )
    makes_home: ClassVar[bool] = False  # by itself, in a way of its own: nothing is to make one before it
    passes_code: ClassVar[bool] = False  # its exit code is that of a program that it has run for somebody
    lasts: ClassVar[bool] = False  # until somebody ends it: the audit has its beginning, too

    def asks_for_change(self) -> bool:
        """Whether this very command changes something: one that changes in general may only list with these arguments."""
        return self.changes

    @abstractmethod
    def run(self, app: App) -> int:
        """Does it. Returns an Exit, unless it `passes_code`. Raises Refused, and HomeError from the home."""


def summary(command: type[Command]) -> str:
    """First line of a command's help."""
    return (command.__doc__ or "").partition("\n")[0]


def help_of(command: type[Command]) -> str:
    """The docstring; its examples are kept as they are written, not filled up as paragraphs."""
    return inspect.cleandoc(command.__doc__ or "").replace("\n\nExample", "\n\n\b\nExample")


@cache
def hints_of(command: type[Command]) -> dict[str, Any]:
    """The type of each field, with the Argument or Option that it is."""
    return get_type_hints(command, include_extras=True)


def from_words(command: type[Command], words: Sequence[str]) -> Command | None:
    """The command that `words` give when they are its arguments and nothing else.

    None where there are options, too many words, too few, or ones that must be converted: a parser has to read these.
    """
    given: dict[str, Any] = {}
    rest = list(words)
    for name, hint in hints_of(command).items():
        kind, said = get_args(hint) if get_origin(hint) is Annotated else (None, None)
        if not isinstance(said, Argument):
            continue
        many = get_origin(kind) is tuple
        convert = _CONVERTED.get(get_args(kind)[0] if many else kind)
        if convert is None:
            return None
        if many and rest:
            given[name], rest = tuple(map(convert, rest)), []
        elif rest:
            given[name] = convert(rest.pop(0))
    needed = {field.name for field in dataclasses.fields(command) if field.default is dataclasses.MISSING}
    return None if rest or needed - given.keys() else command(**given)


# Types that a word is made into without a chance of failing.
_CONVERTED: dict[Any, Callable[[str], Any]] = {str: str, Path: Path, Path | None: Path}
