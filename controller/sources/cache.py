"""Parsed documents kept between runs, so that a start reads YAML only where it has changed. `contents.py` uses it.

What a resource stands for is kept, too, beside the digests of the files that it was read from.

One file a source in `$PEGASUS2_HOME/cache`, replaced as a whole. What it holds is JSON as `parsed.restore` takes it, which
is validated again like any document; only the digests in it are believed, and only while the code that made them is
the same. A cache that is torn, damaged or of another version is none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import pydantic

import resources
from resources import kinds
from resources.meta import Declared
from resources.parsed import Parsed, restore

_FORMAT = b"pegasus2 parsed documents 1\n"
_SIZE = 16  # bytes of a digest


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a resource stands for, and the files that say so with the digests of their contents."""

    children: tuple[Declared, ...]
    read: Mapping[str, bytes]


class ParseCache:
    """The cache of one source. What is neither found in it nor put into it is gone when it is saved."""

    def __init__(self, directory: Path, source: str) -> None:
        self._path = directory / f"{_digest(source.encode()).hex()}.parsed"
        self._code = _code_digest()
        self._before = _read(self._path)
        self._now: dict[bytes, bytes] = {}

    def find(self, content: bytes, file: str) -> tuple[Declared, ...] | None:
        """The resources of `file`, if its content has this digest; None when it has to be parsed."""
        name = self._name(content, file)
        packed = self._before.get(name)
        if packed is None:
            return None
        base = Path(file).parent
        try:
            documents = tuple(restore(_unpack(line), file, base) for line in packed.splitlines())
        except ValueError:
            return None
        self._now[name] = packed
        return documents

    def put(self, content: bytes, file: str, parsed: tuple[Parsed, ...]) -> None:
        """Keeps what was parsed, unless a kind is of another package: nothing here knows when that one changes."""
        if all(document.kind in kinds.built_in() for document in parsed):
            self._now[self._name(content, file)] = b"\n".join(map(_pack, parsed))

    def find_expansion(self, owner: Declared, digest: Callable[[str], bytes]) -> Expansion | None:
        """What `owner` stands for, if all that says so has the `digest` that it had; None when it has to be worked out."""
        name = self._name_of(owner)
        packed = self._before.get(name)
        if packed is None:
            return None
        count, *lines = packed.splitlines()
        read = {
            path: bytes.fromhex(seen) for seen, path in (line.decode().split(" ", 1) for line in lines[: int(count)])
        }
        if any(digest(path) != seen for path, seen in read.items()):
            return None
        try:
            found = [restore(_unpack(line), owner.origin.file, None) for line in lines[int(count) :]]
        except ValueError:
            return None
        self._now[name] = packed
        return Expansion(tuple(replace(each, origin=owner.origin, owner=owner.key) for each in found), read)

    def put_expansion(self, owner: Declared, children: Sequence[Declared], read: Mapping[str, bytes]) -> None:
        """Keeps what was worked out, on the same condition as what was parsed."""
        own = kinds.built_in()
        if owner.resource.kind not in own or any(
            each.resource.kind not in own or "\n" in path for each in children for path in read
        ):
            return
        lines = [b"%d" % len(read), *(f"{seen.hex()} {path}".encode() for path, seen in read.items())]
        for each in children:
            written = each.resource.model_dump_json(exclude_unset=True).encode()
            lines.append(_pack(Parsed(0, each.resource.kind, each.digest, written)))
        self._now[self._name_of(owner)] = b"\n".join(lines)

    def save(self) -> None:
        """Writes what was found and put, if that is another than before. A home that can't be written to does without."""
        if self._now != self._before:
            with suppress(OSError):
                _write(self._path, self._now)

    def _name_of(self, owner: Declared) -> bytes:
        """By all that is written: of what is handed on, annotations and defaults that are spelled out count, too."""
        return _digest(b"expansion", owner.resource.model_dump_json(exclude_unset=True).encode(), self._code)

    def _name(self, content: bytes, file: str) -> bytes:
        """Paths in a file are relative to its directory, and so are the digests."""
        return _digest(content + self._code + os.path.dirname(file).encode())


def _digest(*parts: bytes) -> bytes:
    return blake2b(b"\0".join(parts), digest_size=_SIZE).digest()


def _code_digest() -> bytes:
    """Of all that has a say in what a document's digest is."""
    said = [sys.version, pydantic.VERSION, str(Path.home())]
    for path in sorted(Path(resources.__file__ or "").parent.rglob("*.py")):
        found = path.stat()
        said.append(f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}")
    return _digest("\n".join(said).encode())


def _pack(parsed: Parsed) -> bytes:
    return b"%d %s %s %s" % (parsed.number, parsed.kind.encode(), parsed.digest.encode(), parsed.json)


def _unpack(line: bytes) -> Parsed:
    number, kind, digest, json = line.split(b" ", 3)
    return Parsed(int(number), kind.decode(), digest.decode(), json)


def _read(path: Path) -> dict[bytes, bytes]:
    try:
        whole = path.read_bytes()
    except OSError:
        return {}
    body = whole[:-_SIZE]
    if not body.startswith(_FORMAT) or _digest(body) != whole[-_SIZE:]:
        return {}
    entries = {}
    at = len(_FORMAT)
    while at < len(body):
        name, length = body[at : at + _SIZE], int.from_bytes(body[at + _SIZE : at + _SIZE + 4], "big")
        at += _SIZE + 4
        entries[name] = body[at : at + length]
        at += length
    return entries


def _write(path: Path, entries: dict[bytes, bytes]) -> None:
    body = _FORMAT + b"".join(name + len(packed).to_bytes(4, "big") + packed for name, packed in entries.items())
    for directory in (path.parent.parent, path.parent):
        directory.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(body + _digest(body))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
