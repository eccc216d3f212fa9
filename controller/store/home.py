"""The directory in which Pegasus2 keeps what must survive it: `$PEGASUS2_HOME`. Wiring opens one for every command.

    config.yaml, agents/<system>.yaml   written by the user
    id, digest.key, p2.db               written once, or by us alone
    secrets/<name>/<key>                written by the user, read by secrets.py
    aside/<time>/                       newer versions of files that a rollback has put back
    run/lock, run/poke, run/p2.sock     who is running, and how it is told that something changed
    run/starts                          how often it was started: tells an older database that was put back (age.py)

Everything is made when it is first needed, and nothing at all by a home that was opened read-only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.store.errors import HomeError, publish, told

RESTORE = ".restore"  # where restore.py works

if TYPE_CHECKING:
    from controller.store.lock import Holder
    from controller.store.poke import Pokes

_ID, _KEY = 8, 32  # random bytes in the files `id` and `digest.key`
_REMEDIES = {
    _ID: "put it back from a backup, or remove it: what it said is in p2.db, too",
    _KEY: "remove it: a new one is made, and digests of secrets that were shown before are others from then on",
}
# What nobody else may have made or be able to change.
_OWN = ("p2.db", "p2.db-wal", "p2.db-shm", "id", "digest.key", "run")


class Home:
    """One Pegasus2 home. Opened read-only it never creates or changes anything.

    `agents_config` is the directory of the agents' configuration files when it is not `<home>/agents`.
    """

    def __init__(self, path: Path, agents_config: Path | None = None, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._agents_config = agents_config or path / "agents"

    @property
    def database(self) -> Path:
        return self.path / "p2.db"

    @property
    def lacks_database(self) -> bool:
        """Whether there was one, and it has gone."""
        return bool(self.kept_id()) and not self.database.exists()

    @property
    def socket(self) -> Path:
        """Where a running controller takes commands."""
        return self.path / "run" / "p2.sock"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def agents(self) -> Path:
        """The directory of the agents' configuration, here or elsewhere."""
        return self._agents_config

    def prepare(self) -> None:
        """Makes the home (mode 0700) if it is not there yet. Raises HomeError when it can't be used."""
        with told(self.path, "create"):
            if not self.read_only and not self.path.exists():
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with told(self.path, "use"):
            if self.path.exists():
                self._inspect(self.path.stat())
                for name in _OWN:
                    with suppress(FileNotFoundError):
                        _inspect_part(self.path / name)
            if self.restoring:
                self._finish_restore()

    @property
    def restoring(self) -> bool:
        """Whether a restore has begun that counts, and is not finished (see restore.py)."""
        return any((self.path / RESTORE / name).exists() for name in ("ready", "placing"))

    def _finish_restore(self) -> None:
        """Raises HomeError where that can't be done now."""
        if self.read_only:
            raise HomeError(
                f"cannot use {self.path}: a restore into it was interrupted, or is under way; "
                "p2 restore-state, or whatever else may write, finishes it"
            )
        from controller.store.restore import finish_interrupted

        finish_interrupted(self.path)

    def _inspect(self, found: os.stat_result) -> None:
        if not stat.S_ISDIR(found.st_mode):
            raise HomeError(f"cannot use {self.path}: it is not a directory; set PEGASUS2_HOME to one of your own")
        if found.st_uid != os.geteuid():
            raise HomeError(
                f"cannot use {self.path}: it belongs to the user {_user(found.st_uid)} and you are "
                f"{_user(os.geteuid())}; become that user, or set PEGASUS2_HOME to a directory of your own"
            )
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise HomeError(f"cannot use {self.path}: others can write to it; run: chmod 700 {self.path}")

    @cached_property
    def installation(self) -> str:
        """The id of this installation (16 hex digits), made at the first start and the same ever after.

        Where there is a database, `identity.py` says what it is when the stores are opened. Raises HomeError.
        """
        if not self.kept_id() and self.database.exists():
            raise HomeError(f"cannot tell which installation this is: {self.path}/id is gone; run 'p2 recover'")
        return self._made_once("id", _ID)

    def kept_id(self) -> str:
        """The id in the file `id`; empty when there is no such file. Raises HomeError when it is damaged."""
        path = self.path / "id"
        with told(path, "read"):
            return self._read(path, _ID) if path.exists() else ""

    def keep_id(self, installation: str, *, instead: bool = False) -> bool:
        """Puts the file `id` there; one that is there stays, unless this is to take its place. Whether it was put there."""
        self.prepare()
        path = self.path / "id"
        with told(path, "write"):
            if instead:
                path.unlink(missing_ok=True)
            return _publish(path, installation + "\n")

    @cached_property
    def digest_key(self) -> bytes:
        """The key for digests of secrets. Without it a digest says nothing about the secret."""
        return bytes.fromhex(self._made_once("digest.key", _KEY))

    def _made_once(self, name: str, size: int) -> str:
        """`size` random bytes in hex from the file `name`; of several first starts at once all see the same."""
        fresh = os.urandom(size).hex()
        path = self.path / name
        if self.read_only and not path.exists():
            return fresh
        self.prepare()
        with told(path, "read"):
            if not path.exists():
                _publish(path, fresh + "\n")
            return self._read(path, size)

    def _read(self, path: Path, size: int) -> str:
        text = path.read_text(errors="replace").strip()
        if len(text) != 2 * size or any(letter not in "0123456789abcdef" for letter in text):
            raise HomeError(f"cannot use {path}: it is damaged (expected {2 * size} hex digits); {_REMEDIES[size]}")
        return text

    def lock(self, way_out: str = "") -> AbstractContextManager[None]:
        """Held by the one process that changes things. Raises HomeError that names the process holding it.

        `way_out`: what to do then, where it is not to be left to that process.
        """
        from controller.store.lock import hold

        return hold(self._run_directory() / "lock", way_out)

    def starts(self) -> str:
        """What `keep_starts` has kept; empty when nothing can be read there."""
        try:
            return (self.path / "run" / "starts").read_text(errors="replace").strip()
        except OSError:
            return ""

    def keep_starts(self, text: str) -> None:
        """For `age.py`. Raises OSError."""
        path = self._run_directory() / "starts"
        draft = path.with_name(".starts")
        draft.write_text(text + "\n")
        draft.replace(path)

    def holder(self) -> Holder | None:
        """Who holds the lock now, or None."""
        from controller.store.lock import holder

        return holder(self.path / "run" / "lock")

    def poke(self) -> None:
        """Tells a running controller that something it keeps was changed by another process (p2 suspend, p2 confirm)."""
        path = self._run_directory() / "poke"
        with told(path, "write"):
            path.touch(mode=0o600)

    def pokes(self) -> Pokes:
        """The pokes from now on, to be waited for."""
        from controller.store.poke import Pokes

        return Pokes(self._run_directory() / "poke")

    def _run_directory(self) -> Path:
        self.prepare()
        path = self.path / "run"
        with told(path, "create"):
            path.mkdir(mode=0o700, exist_ok=True)
        return path

    def config(self) -> Mapping[str, Any]:
        """`config.yaml`; empty when there is none. Raises HomeError naming file and line."""
        return _mapping(self.path / "config.yaml")

    def agent_config(self, system: str, known: Collection[str]) -> Mapping[str, Any]:
        """`agents/<system>.yaml`; empty when there is none. Raises HomeError naming file and line, or a field not `known`."""
        path = self._agents_config / f"{system}.yaml"
        found = _mapping(path)
        if unknown := sorted(map(str, found.keys() - known)):
            fields = f"write {' or '.join(sorted(known))}" if known else "it takes none"
            raise HomeError(f"cannot use {path}: unknown field {unknown[0]}; {fields}")
        return found


def _inspect_part(path: Path) -> None:
    """Raises HomeError for a part of the home that is another's, or that others can change."""
    found, is_run = path.stat(), path.name == "run"
    if not (stat.S_ISDIR if is_run else stat.S_ISREG)(found.st_mode):
        what = "a directory" if is_run else "a file"
        raise HomeError(f"cannot use {path}: it is not {what}; move it away, Pegasus2 makes its own")
    if found.st_uid != os.geteuid():
        raise HomeError(
            f"cannot use {path}: it belongs to the user {_user(found.st_uid)} and you are {_user(os.geteuid())}; "
            f"become that user, or have it given to you: chown -R {_user(os.geteuid())} {path.parent}"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HomeError(f"cannot use {path}: others can write to it; run: chmod go-w {path}")


def _publish(path: Path, text: str) -> bool:
    """Writes a file that appears complete or not at all; one that is already there stays. Whether it was written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        return publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _mapping(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from error
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise HomeError(f"cannot read {path}{_place(error)}: it is not valid YAML; correct it") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise HomeError(f"cannot read {path}: expected fields (name: value), found a {type(found).__name__}")
    return found


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
