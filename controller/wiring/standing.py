"""A look that found nothing to do, kept until anything that it looked at is another: then it need not be taken again.

`p2 diff` asks here before it imports a model. A look is taken to stand where its files have the stamps that they had, home,
environment and code are the same, and the systems give the very answers that the look was made of. `looked.py` keeps it. As
in `ahead.py` nothing heavy may be imported on this path.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from _blake2 import blake2b  # hashlib loads OpenSSL, which takes longer than all the rest
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import controller
import resources

Stamp = list[int] | None  # of a file: inode, mode, owner and group, size, mtime and ctime; None where there is none

# What a command that looks leaves behind in a home, and what a look says nothing of.
_COMES_AND_GOES = frozenset({"p2.db-shm", "p2.db-wal", "cache", "run", "aside"})


def standing(words: Sequence[str], home: Path, colour: bool) -> str | None:
    """What this command line has printed, if it was `diff` of a whole source, found nothing, and would find nothing now."""
    source = _source(words)
    if source is None:
        return None
    try:
        kept = json.loads(place(home, source, colour).read_bytes())
        if kept["around"] != around(home) or stamps(path for path, _ in kept["files"]) != kept["files"]:
            return None
        if not all(_system(name).same(of_it) for name, of_it in kept["systems"].items()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    text: str = kept["text"]
    return text


def coloured(stream: TextIO) -> bool:
    """Whether colours are shown there. NO_COLOR (https://no-color.org) and TERM=dumb are obeyed."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def _source(words: Sequence[str]) -> str | None:
    match list(words):
        case ["diff"]:
            return os.path.realpath("state")
        case ["diff", path] if not path.startswith("-"):
            return os.path.realpath(path)
    return None


def _system(name: str) -> Any:
    return importlib.import_module(f"controller.agents.{name}.standing")


def place(home: Path, source: str, colour: bool) -> Path:
    """Where the look at a source is kept."""
    return home / "cache" / f"{digest(source, str(colour))}.look"


def stamps(paths: Iterable[str]) -> list[list[Any]]:
    """The stamp of each path, beside it; of links their own."""
    return [[path, _stamp(path)] for path in paths]


def _stamp(path: str) -> Stamp:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return [
        found.st_ino,
        found.st_mode,
        found.st_uid,
        found.st_gid,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    ]


def around(home: Path) -> str:
    """Digest of what has a say in every look: the code, the environment, and what the home keeps."""
    said = [sys.version, str(os.geteuid()), os.uname().nodename]
    said += sorted(f"{name}={value}" for name, value in os.environ.items() if _matters(name))
    said += _kept_in(str(home))
    said += _settings(os.environ.get("PEGASUS2_AGENTS_CONFIG") or f"{home}/agents")
    for package in (controller, resources):
        said += _code(os.path.dirname(package.__file__ or ""))
    return digest(*said)


def _matters(name: str) -> bool:
    return name == "HOME" or name.startswith(("PEGASUS2_", "DOCKER_"))


def files_of(home: str) -> Iterable[str]:
    """Each file of the home that has a say, in order."""
    for directory, below, files in os.walk(home):
        inner = directory != home
        below[:] = sorted(name for name in below if inner or name not in _COMES_AND_GOES)
        yield from (os.path.join(directory, name) for name in sorted(files) if inner or name not in _COMES_AND_GOES)


def _kept_in(home: str) -> Iterable[str]:
    """What the home's files are, and the write-ahead log of the database, which is empty when nobody writes."""
    yield from (f"{path} {_stamp(path)}" for path in files_of(home))
    try:
        found = os.stat(os.path.join(home, "p2.db-wal"))
    except OSError:
        yield "0 bytes in the log"
    else:  # one that was written into the database is begun anew, and keeps its size
        yield f"{found.st_size} bytes in the log" + (f" of {found.st_mtime_ns}" if found.st_size else "")


def _settings(directory: str) -> Iterable[str]:
    """Each file of the agents' configuration, where links lead, too: it may be kept elsewhere than in the home."""
    directory = os.path.realpath(os.path.expanduser(directory))
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        path = os.path.realpath(os.path.join(directory, name))
        yield f"{path} {_stamp(path)}"


def _code(package: str) -> Iterable[str]:
    for directory, below, files in os.walk(package):
        below[:] = sorted(name for name in below if name != "__pycache__")
        for name in sorted(files):
            path = os.path.join(directory, name)
            found = os.stat(path)
            yield f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
