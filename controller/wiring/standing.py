"""A look that found nothing to do, kept until anything that it looked at is another: then it need not be taken again.

`p2 diff` and `p2 apply` ask here before they import a model. A look is taken to stand where its files have the stamps that they
had, home, environment and code are the same, the database says the same, and the systems give the very answers that the look was
made of. `looked.py` keeps it. As in `ahead.py` nothing heavy may be imported on this path.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from _blake2 import blake2b  # hashlib loads OpenSSL, which takes longer than all the rest
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import controller
import resources
from controller.store.saying import said
from controller.store.stamps import stamp_of

# What a command that looks leaves behind in a home, and what a look says nothing of. Of the database `saying.py` knows more.
_COMES_AND_GOES = frozenset({"p2.db", "p2.db-shm", "p2.db-wal", "cache", "run", "aside"})

_YES = ("-y", "--yes")  # makes no difference where nothing is to be deleted


@dataclass(frozen=True, slots=True)
class Look:
    """A look as it was kept. Lines to be shown are there without colours and with them."""

    around: str
    said: str  # by the database
    files: Sequence[Any]  # path and stamp of each
    systems: Mapping[str, Any]  # what each has answered, by name
    plan: Sequence[str]
    end: Sequence[str]  # of an apply, that had nothing to write down either; empty after a mere look

    @classmethod
    def of(cls, home: Path, source: str) -> Look | None:
        """The look that was kept of a source last, if one was."""
        try:
            return cls(**json.loads(place(home, source).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def stands_here(self, home: Path) -> bool:
        """Whether all is the same that can be told without asking the systems."""
        try:
            here = self.around == around(home) and self.said == said(home)
            return here and stamps(path for path, _ in self.files) == self.files
        except (OSError, ValueError, TypeError):
            return False

    def stands_there(self) -> bool:
        """Whether the systems give the same answers."""
        try:
            return all(_system(name).same(of_it) for name, of_it in self.systems.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False


def standing(words: Sequence[str], home: Path, colour: bool) -> str | None:
    """What this command line has printed, if it was `diff` of a whole source, found nothing, and would find nothing now."""
    source = source_in(words, "diff")
    look = Look.of(home, source) if source else None
    if look is None or not look.stands_here(home) or not look.stands_there():
        return None
    return look.plan[colour]


def ended(words: Sequence[str], home: Path) -> Look | None:
    """The look that the last apply of these words' source ended with, if they are `apply` and nothing has changed here since."""
    source = source_in([word for word in words if word not in _YES], "apply")
    look = Look.of(home, source) if source else None
    return look if look and look.end and look.stands_here(home) else None


def coloured(stream: TextIO) -> bool:
    """Whether colours are shown there. NO_COLOR (https://no-color.org) and TERM=dumb are obeyed."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def source_in(words: Sequence[str], command: str) -> str | None:
    """The source that these words are about, if they are this command of all of it and say nothing else."""
    match list(words):
        case [first] if first == command:
            return os.path.realpath("state")
        case [first, path] if first == command and not path.startswith("-"):
            return os.path.realpath(path)
    return None


def _system(name: str) -> Any:
    return importlib.import_module(f"controller.agents.{name}.standing")


def place(home: Path, source: str) -> Path:
    """Where the look at a source is kept."""
    return home / "cache" / f"{digest(source)}.look"


def stamps(paths: Iterable[str]) -> list[list[Any]]:
    """The stamp of each path, beside it."""
    return [[path, stamp_of(path)] for path in paths]


def around(home: Path) -> str:
    """Digest of what has a say in every look: the code, the environment, and what the home keeps beside the database."""
    said = [sys.version, str(os.geteuid()), os.uname().nodename]
    said += sorted(f"{name}={value}" for name, value in os.environ.items() if _matters(name))
    said += [f"{path} {stamp}" for path, stamp in stamps(files_around(home))]
    for path in code():
        found = os.stat(path)
        said.append(f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}")
    return digest(*said)


def _matters(name: str) -> bool:
    return name == "HOME" or name.startswith(("PEGASUS2_", "DOCKER_"))


def files_around(home: Path) -> Iterable[str]:
    """Each file of the home that has a say, in order; and of the agents' configuration, which may be kept elsewhere."""
    top = str(home)
    for directory, below, files in os.walk(top):
        inner = directory != top
        below[:] = sorted(name for name in below if inner or name not in _COMES_AND_GOES)
        yield from (os.path.join(directory, name) for name in sorted(files) if inner or name not in _COMES_AND_GOES)
    yield from _settings(os.environ.get("PEGASUS2_AGENTS_CONFIG") or f"{top}/agents")


def _settings(directory: str) -> Iterable[str]:
    """Each file in it, where links lead."""
    directory = os.path.realpath(os.path.expanduser(directory))
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    yield from (os.path.realpath(os.path.join(directory, name)) for name in names)


def code() -> Iterable[str]:
    """Each file of the program."""
    for package in (controller, resources):
        for directory, below, files in os.walk(os.path.dirname(package.__file__ or "")):
            below[:] = sorted(name for name in below if name != "__pycache__")
            yield from (os.path.join(directory, name) for name in sorted(files))


def digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
