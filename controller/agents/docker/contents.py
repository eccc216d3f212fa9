"""Mounted files whose edits concern their container (`onChange`): what it runs with, and what an edit asks for.

Neither the engine nor a label can say which content a program has read, so that is noted in $PEGASUS2_HOME/docker, each time
that a container is made, restarted or sent a signal; before it is done, so that an edit in between is seen afterwards. Where the
note is missing or older, a program that was started after the last change of the file has read what is there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, assert_never

from controller.agents.docker.client import Json, WritableEngine
from controller.agents.docker.failures import explained
from controller.agents.docker.health import epoch
from controller.agents.docker.making import restart
from controller.agents.docker.marks import mark_in
from controller.agents.docker.notes import Content, Notes
from controller.engine.agent import Context
from controller.trees import Trees
from resources.docker.parts import Mount, OnChange, Outdated, State
from resources.kinds.container import Container
from resources.meta import Key, Tree

SHOWN = 8  # digits of a digest


@dataclass(frozen=True, slots=True)
class Present:
    """What is there to be read: a keyed digest, and which file it is, for a container sees the one that it was started with."""

    digest: str
    place: str
    changed: float  # seconds since the epoch


class Contents:
    """Thread-safe."""

    def __init__(self, home: Path) -> None:
        """`home`: $PEGASUS2_HOME."""
        self._notes = Notes(home, "contents")
        self._trees = Trees()

    def read(self) -> Mapping[str, Any]:
        """All that is noted."""
        return self._notes.read()

    def present(self, container: Container, ctx: Context) -> dict[str, Present]:
        """What there is at the sources of the mounts that are watched, by target; what is not there is left out."""
        found = {mount.target: self._present(mount, ctx) for mount in watched(container)}
        return {target: each for target, each in found.items() if each is not None}

    def _present(self, mount: Mount, ctx: Context) -> Present | None:
        assert mount.source is not None
        path = ctx.read_from(mount.source)
        try:
            there = Path(path).stat()
            if stat.S_ISDIR(there.st_mode):
                digest = self._trees.survey(Tree(path)).digest
                return Present(ctx.secrets.digest(digest), "", max(_changes_below(path)))
            digest = blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()
        except OSError:  # the container has what was there
            return None
        return Present(ctx.secrets.digest(digest), f"{there.st_dev}:{there.st_ino}", there.st_ctime)

    def outdated(
        self, container: Container, live: Json, present: Mapping[str, Present], noted: Mapping[str, Any], now: float
    ) -> dict[str, Outdated]:
        """The mounts of a live container about which something is to be done, if only that it is noted."""
        if not present:
            return {}
        note = noted.get(str(container.key)) or {}
        known = note.get("files", {}) if note.get("container") == live["Id"] else {}
        found = {}
        for mount in watched(container):
            there, before = present.get(mount.target), known.get(mount.target)
            if there is None or (before and before["digest"] == there.digest):
                continue
            action = _action(mount, live, there, before, now, container.spec.state is State.COMPLETED)
            found[mount.target] = Outdated(before["digest"][:SHOWN] if before else "", there.digest[:SHOWN], action)
        return found

    def note(self, key: Key, identity: str, present: Mapping[str, Present], *, started: bool = True) -> None:
        """That the container runs with these; `started` with them, so that it sees these very files. Raises Retry."""
        if present:
            self._notes.change(lambda noted: _note(noted, str(key), identity, present, started))

    def forget(self, key: Key) -> None:
        """Raises Retry."""
        if str(key) in self._notes.read():
            self._notes.change(lambda noted: noted.pop(str(key), None) and None)


def watched(container: Container) -> Iterator[Mount]:
    return (mount for mount in container.spec.volumes or () if mount.onChange)


def told_of(container: Container, contents: Mapping[str, Outdated]) -> tuple[str, ...]:
    """What is done about each, for people."""
    mounts = {mount.target: mount for mount in watched(container)}
    return tuple(_told(mounts[target], each) for target, each in sorted(contents.items()) if target in mounts)


def _told(mount: Mount, outdated: Outdated) -> str:
    match outdated.action:
        case OnChange.RESTART if mount.onChange is OnChange.SIGNAL:
            return f"{mount.target}: restarted, for {mount.source} is another file now, which a running container does not see"
        case OnChange.RESTART:
            return f"{mount.target}: restarted"
        case OnChange.SIGNAL:
            return f"{mount.target}: sent {_signal(mount)}"
        case OnChange.NOTHING if mount.onChange is OnChange.NOTHING:
            return f"{mount.target}: only noted"
        case OnChange.NOTHING:
            return f"{mount.target}: noted, nothing runs with the former content"
        case _:
            assert_never(outdated.action)


def catch_up(engine: WritableEngine, container: Container, live: Json, contents: Mapping[str, Outdated]) -> bool:
    """Does what is to be done about them. Returns whether the container was restarted."""
    actions = {target: each.action for target, each in contents.items()}
    if OnChange.RESTART in actions.values():
        restart(engine, container, live)
        return True
    signals = {_signal(mount) for mount in watched(container) if actions.get(mount.target) is OnChange.SIGNAL}
    for signal in sorted(signals):
        with explained(f"send {signal} to the container {container.container_name}"):
            engine.signal(live["Id"], signal)
    return False


def _signal(mount: Mount) -> str:
    return mount.signal or "SIGHUP"


def _action(mount: Mount, live: Json, there: Present, before: Json | None, now: float, completes: bool) -> OnChange:
    started = epoch(live["State"]["StartedAt"])
    has_read_it = there.changed < started <= now  # one that lies ahead was before somebody set the clock back
    ours = mark_in(live["Config"]["Labels"]) is not None
    runs = live["State"]["Running"] and not live["State"].get("Restarting")
    again = mount.onChange is OnChange.RESTART and completes  # what has ended with the former content runs once more
    if has_read_it or not (ours or before) or not (runs or again):
        return OnChange.NOTHING
    replaced = bool(there.place) and (before is None or before["place"] != there.place)
    if mount.onChange is OnChange.SIGNAL and replaced:
        return OnChange.RESTART  # until then it sees the former file, and a signal would have that read again
    assert mount.onChange is not None
    return mount.onChange


def _note(noted: Content, key: str, identity: str, present: Mapping[str, Present], started: bool) -> None:
    before = noted.get(key) or {}
    known = before.get("files", {}) if before.get("container") == identity else {}
    places = {target: each["place"] for target, each in known.items()} if not started else {}
    files = {t: {"digest": p.digest, "place": places.get(t, p.place)} for t, p in present.items()}
    noted[key] = {"container": identity, "files": files}


def _changes_below(root: str) -> Iterator[float]:
    for directory, _, files in os.walk(root):
        for path in (Path(directory), *(Path(directory, name) for name in files)):
            yield path.lstat().st_ctime
