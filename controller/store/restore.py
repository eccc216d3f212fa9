"""Takes the archive that backup.py wrote into a home: all of it, or nothing. `p2 restore-state` calls it.

Everything is unpacked and verified in `.restore/new` in the home. From the moment that `.restore/ready` is there the
restore counts: should the process end before it is done, `Home.prepare` of the next one finishes it. Renames only are left
by then, and each may be done twice.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO

from controller.store import manifest
from controller.store.database import DatabaseError, verify_database
from controller.store.errors import HomeError, told
from controller.store.home import RESTORE, Home
from controller.store.lock import hold
from controller.store.manifest import Manifest, Member, SecretsIn
from controller.store.schema import MIGRATIONS

_READY, _PLACING, _NEW = "ready", "placing", "new"
_BESIDE_DATABASE = ("p2.db-wal", "p2.db-shm", "p2.db-journal")
_CHUNK = 1 << 20


class BackupError(HomeError):
    """The archive can't be restored; the message says why."""


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    before: str  # the id that the home had; empty for none
    aside: Path | None  # where the home's own files are now


def restore(home: Home, archive: BinaryIO, name: str, *, force: bool, at: float) -> Restored:
    """Makes the home what the archive `name` holds. Raises HomeError, and then the home is as it was."""
    was_there = home.path.exists()
    if home.restoring:
        home.prepare()
        raise HomeError(
            f"cannot restore {name} yet: an earlier restore into {home.path} had been interrupted, and is finished now; "
            "look at it with p2 diff, or replace it by running this again with --force"
        )
    try:
        with home.lock("stop it first"):
            return _restore(home, archive, name, force, at)
    except BaseException:
        if not was_there:
            shutil.rmtree(home.path / "run", ignore_errors=True)
            with suppress(OSError):
                home.path.rmdir()
        raise


def _restore(home: Home, archive: BinaryIO, name: str, force: bool, at: float) -> Restored:
    work = home.path / RESTORE
    before = _id_in(home)
    try:
        with told(home.path, "write to"):
            shutil.rmtree(work, ignore_errors=True)  # of a restore that was interrupted before it counted
            (work / _NEW).mkdir(mode=0o700, parents=True)
            found = _unpacked(archive, name, work / _NEW)
            aside = _aside(home, _replaced(found), force, at)
            _write(
                work / "draft", json.dumps({"aside": aside and aside.name, "names": _replaced(found)}).encode(), 0o600
            )
            _sync(work)
            (work / "draft").rename(work / _READY)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    finish(home.path)
    return Restored(found, before, aside)


def _replaced(found: Manifest) -> list[str]:
    """What in the home makes room for the backup. Secrets stay where the backup has none."""
    secrets = [manifest.SECRETS] if found.secrets is SecretsIn.INCLUDED else []
    return [*manifest.FILES, *_BESIDE_DATABASE, *manifest.DIRECTORIES, *secrets]


def _aside(home: Home, names: Iterable[str], force: bool, at: float) -> Path | None:
    """Where what the home has now goes. Raises HomeError when it has something and that was not expected."""
    used = [name for name in names if os.path.lexists(home.path / name)]
    if not used:
        return None
    if not force:
        raise HomeError(
            f"cannot restore into {home.path}: it is in use (it has {', '.join(used)}); set PEGASUS2_HOME to another "
            "directory, or replace what is there with --force, which keeps it aside"
        )
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    free = (home.path / f"before-restore-{stamp}{more}" for more in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(path for path in free if not path.exists())


def _id_in(home: Home) -> str:
    try:
        return (home.path / "id").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


# -- unpacking -----------------------------------------------------------------------------------------------------


def _unpacked(archive: BinaryIO, name: str, target: Path) -> Manifest:
    """Unpacks into `target`, and verifies every byte. Raises BackupError."""
    try:
        text, unpacked = _members(archive, target)
        found = Manifest.from_json(text)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BackupError(f"cannot restore {name}: it is damaged or no backup of Pegasus2 ({error})") from error
    except ValueError as error:
        raise BackupError(f"cannot restore {name}: {error}") from error
    _compare(found, unpacked, name)
    if found.schema > len(MIGRATIONS):
        raise BackupError(
            f"cannot restore {name}: a newer Pegasus2 ({found.program}) made it (schema {found.schema}, this one knows "
            f"{len(MIGRATIONS)}); upgrade Pegasus2"
        )
    try:
        verify_database(target / manifest.DATABASE)
    except DatabaseError as error:
        raise BackupError(f"cannot restore {name}: its database is damaged ({error.__cause__ or error})") from error
    return found


def _members(archive: BinaryIO, target: Path) -> tuple[bytes, list[Member]]:
    """The manifest's text and what was unpacked. Raises ValueError for what has no place in a backup."""
    unpacked: dict[str, Member] = {}
    text = b""
    with gzip.GzipFile(fileobj=archive) as plain, tarfile.open(fileobj=plain, mode="r|") as reading:
        for info in reading:
            content = reading.extractfile(info) if info.isreg() else None
            if content is None or text or not (manifest.is_allowed(info.name) or info.name == manifest.NAME):
                raise ValueError(f"it has a member that is no part of a backup: {info.name!r}")
            if info.name in unpacked:
                raise ValueError(f"it has two members called {info.name!r}")
            if info.name == manifest.NAME:
                text = content.read()
            else:
                unpacked[info.name] = _extracted(info, content, target)
        while plain.read(_CHUNK):  # the checksum of the whole stands at its end
            pass
    if not text:
        raise ValueError("it is incomplete, for its manifest is missing; make it again, or use an earlier one")
    return text, list(unpacked.values())


def _extracted(info: tarfile.TarInfo, content: IO[bytes], target: Path) -> Member:
    path, digest, size = target / info.name, hashlib.sha256(), 0
    for parent in reversed(path.relative_to(target).parents[:-1]):
        (target / parent).mkdir(mode=0o700, exist_ok=True)
    mode = info.mode & 0o755  # nobody else may write in a home
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    return Member(info.name, info.mode, size, digest.hexdigest())


def _compare(found: Manifest, unpacked: Iterable[Member], name: str) -> None:
    expected = {member.name: member for member in found.members}
    seen = {member.name: member for member in unpacked}
    if wrong := sorted(each for each in expected.keys() | seen.keys() if expected.get(each) != seen.get(each)):
        raise BackupError(
            f"cannot restore {name}: it is damaged, for {wrong[0]} is not as its manifest says; use an earlier one"
        )
    if manifest.DATABASE not in seen:
        raise BackupError(f"cannot restore {name}: it has no database")


# -- putting in place ----------------------------------------------------------------------------------------------


def finish(home: Path) -> None:
    """Puts what is ready in place; may be called again after any crash in it. The caller holds the home's lock."""
    work = home / RESTORE
    with told(home, "write to"):
        if (work / _READY).exists():
            ready = json.loads((work / _READY).read_text())
            if ready["aside"]:
                _move(ready["names"], home, home / ready["aside"])
            _sync(home)
            (work / _READY).rename(work / _PLACING)
        if (work / _PLACING).exists():
            _move(sorted(path.name for path in (work / _NEW).iterdir()), work / _NEW, home)
            _sync(home)
            (work / _PLACING).unlink()
        shutil.rmtree(work, ignore_errors=True)


def finish_interrupted(home: Path) -> None:
    """What `Home.prepare` does about a restore that was interrupted. Raises HomeError while it is still under way."""
    with hold(home / "run" / "lock"):
        finish(home)


def _move(names: Iterable[str], origin: Path, target: Path) -> None:
    target.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        if os.path.lexists(origin / name):
            (origin / name).rename(target / name)
    _sync(target)


def _write(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    """Makes the names in a directory outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
