"""Writes all that a home keeps into one archive (tar.gz), also while a controller runs. `p2 backup-state` calls it.

What is left out can be made again (cache/), is of the moment (run/), or is secret and was not asked for (secrets/).
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from controller.store import manifest
from controller.store.database import open_database
from controller.store.errors import HomeError, told
from controller.store.home import Home
from controller.store.manifest import Manifest, Member, SecretsIn
from controller.store.schema import MIGRATIONS


def write_backup(home: Home, target: BinaryIO, *, secrets: bool, program: str, at: float) -> Manifest:
    """Writes the archive to `target`; returns what is in it. `program` is our version. Raises HomeError."""
    home.prepare()
    if not home.database.exists():
        raise HomeError(f"cannot back up {home.path}: nothing is kept there yet; is PEGASUS2_HOME the right one?")
    # The database first: what an adoption puts aside is there before the inventory speaks of it.
    with closing(open_database(home.database, read_only=True)) as database:
        content = database.copy()
    with tarfile.open(fileobj=target, mode="w|gz") as archive:
        members = [_add(archive, manifest.DATABASE, io.BytesIO(content), len(content), 0o600, at)]
        members += [member for name, path in _files(home, secrets) if (member := _add_file(archive, name, path))]
        installation = home.installation if (home.path / "id").exists() else ""
        made = Manifest(program, len(MIGRATIONS), installation, at, _secrets(home, secrets), tuple(members))
        text = made.to_json()
        _add(archive, manifest.NAME, io.BytesIO(text), len(text), 0o600, at)
    return made


def _files(home: Home, secrets: bool) -> Iterator[tuple[str, Path]]:
    """Names in the archive, and where the files are."""
    for name in manifest.FILES:
        if name != manifest.DATABASE:
            yield name, home.path / name
    directories = {name: home.path / name for name in manifest.DIRECTORIES} | {"agents": home.agents}
    if secrets:
        directories[manifest.SECRETS] = home.secrets
    for name, directory in directories.items():
        for path in _below(directory):
            yield f"{name}/{path.relative_to(directory)}", path


def _below(directory: Path) -> list[Path]:
    """All files, also where links lead; each directory once, for links may go in a circle."""
    found, seen = [], set()
    for place, inner, names in os.walk(directory, onerror=_unreadable, followlinks=True):
        real = os.path.realpath(place)  # as text, for it is only compared
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        found += [Path(place, name) for name in names]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    """Only what is not there may be missing in a backup."""
    if not isinstance(error, FileNotFoundError):
        raise HomeError(f"cannot back up {error.filename}: {error.strerror}; make it readable") from error


def _secrets(home: Home, included: bool) -> SecretsIn:
    if not home.secrets.exists():
        return SecretsIn.NONE
    return SecretsIn.INCLUDED if included else SecretsIn.LEFT_OUT


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> Member | None:
    """Adds a file, or what a link leads to. One that has gone meanwhile was put back by a deletion: it is not needed."""
    with told(path, "read"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return None
            return _add(archive, name, file, found.st_size, stat.S_IMODE(found.st_mode), found.st_mtime)


def _add(archive: tarfile.TarFile, name: str, content: BinaryIO, size: int, mode: int, at: float) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, mode, int(at)
    reading = _Digested(content)
    archive.addfile(info, reading)
    return Member(name, mode, size, reading.digest.hexdigest())


class _Digested(io.RawIOBase):
    """A reader that digests what passes through it."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        found = self._content.read(size)
        self.digest.update(found)
        return found
