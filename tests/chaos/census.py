"""Looks at everything that an estate has in the world, and says what is there twice, too much, missing, or made anew.

It asks the engine, the file system and the inventory, never p2: by engine ids, by the marks on things, by inodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.agents.docker.marks import INSTALLATION, KEY
from controller.engine.stores import Record
from controller.store.home import Home
from controller.store.stores import open_stores
from tests.chaos.estate import THEIRS, THINGS, Estate, Wish
from tests.chaos.yard import Yard
from tests.cli.story import Story

# What tells that a thing was made anew (or restarted): an engine's id and start, a creation time, an inode and its time.
Identities = Mapping[str, tuple[Any, ...]]


@dataclass
class Findings:
    """Short names with what is wrong. All of them empty: the world is as it must be."""

    duplicates: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)  # deletions, replacements and restarts that nobody asked for
    wrong: list[str] = field(default_factory=list)  # there, and not as declared

    @property
    def none(self) -> bool:
        return not (self.duplicates or self.orphans or self.lost or self.unwanted or self.wrong)


class Census:
    """Of one estate. Remembers the identities of the last time, to tell what was made anew without a reason."""

    def __init__(self, story: Story, yard: Yard, estate: Estate, home: Path) -> None:
        self._story, self._yard, self._estate, self._home = story, yard, estate, home
        self._before: Identities = {}
        self._wished: dict[str, Wish] = {}

    def take(self, edited: set[str]) -> Findings:
        """The world as it is now. `edited`: what was wished otherwise at any moment since the last time."""
        found = Findings()
        containers = self._containers(found)
        identities: dict[str, tuple[Any, ...]] = dict(containers)
        identities |= self._networks(found)
        identities |= self._volumes(found)
        identities |= self._files(found)
        self._inventory(found, identities)
        for short, identity in self._before.items():
            if short not in edited and identities.get(short) != identity:
                found.unwanted.append(f"{short}: {identity} is {identities.get(short)}")
        for short in self._valuable(identities):
            found.unwanted.append(f"{short}: what was in it is gone")
        self._estate.kept |= identities.keys()
        self._before = identities
        return found

    # -- the engine ------------------------------------------------------------------------------------------------

    def _containers(self, found: Findings) -> Identities:
        engine = self._yard.engine
        listed = engine.containers(all=True, filters={"name": self._yard.prefix})
        names = [name for each in listed for name in self._short(each["Names"])]
        self._count("Container", names, found)
        self._marked_once([each["Labels"] for each in listed], found)
        identities = {}
        for short in self._estate.must("Container") & set(names):
            live, wish = self._yard.inspect(short), self._estate.wishes[short]
            found.wrong.extend(f"{short}: {what}" for what in self._container_differs(short, live, wish))
            identities[short] = (live["Id"], live["State"]["StartedAt"], live["RestartCount"])
        return identities

    def _container_differs(self, short: str, live: dict[str, Any], wish: Wish) -> Iterator[str]:
        form = THINGS[short].form
        if not wish.declared:
            return
        if live["State"]["Running"] is (form == "stopped"):
            yield f"state is {live['State']['Status']}"
        if live["HostConfig"]["Memory"] != (32 + wish.size) << 20:
            yield f"memory is {live['HostConfig']['Memory']}"
        color = self._estate.content(wish).split()[0]
        if form != "adopted" and f"COLOR={color}" not in live["Config"]["Env"]:
            yield f"environment is {live['Config']['Env']}"
        if form == "connected" and self._yard.networks(short) != ["n0"]:
            yield f"networks are {self._yard.networks(short)}"
        if form == "mounting" and [mount["Name"] for mount in live["Mounts"]] != [self._yard.name("v0")]:
            yield f"mounts are {live['Mounts']}"

    def _networks(self, found: Findings) -> Identities:
        listed = self._yard.engine.networks(filters={"name": self._yard.prefix})
        self._count("Network", [name for each in listed for name in self._short([each["Name"]])], found)
        self._marked_once([each["Labels"] for each in listed], found)
        identities = {}
        for each in listed:
            (short,) = self._short([each["Name"]])
            identities[short] = (each["Id"],)
            wish = self._estate.wishes.get(short)
            if wish and wish.declared and each["Labels"].get("color") != self._estate.content(wish).split()[0]:
                found.wrong.append(f"{short}: labels are {each['Labels']}")
        return identities

    def _volumes(self, found: Findings) -> Identities:
        listed = self._yard.engine.volumes(filters={"name": self._yard.prefix})["Volumes"] or []
        self._count("Volume", [name for each in listed for name in self._short([each["Name"]])], found)
        # Not the time of creation: the engine gives that of the last change in it.
        return {self._short([each["Name"]])[0]: (Path(each["Mountpoint"]).stat().st_ino,) for each in listed}

    def _valuable(self, identities: Identities) -> Iterator[str]:
        """Volumes whose content is gone. Each one gets some, the first time that it is seen."""
        for short in identities:
            if THINGS[short].kind != "Volume" or THINGS[short].form != "retained":
                continue
            place = Path(self._yard.engine.inspect_volume(self._yard.name(short))["Mountpoint"]) / "valuable"
            if short in self._before and not place.exists():
                yield short
            place.write_text(short)

    def _short(self, names: list[str]) -> list[str]:
        return [name.removeprefix("/").removeprefix(f"{self._yard.prefix}-") for name in names]

    def _marked_once(self, labels: list[dict[str, str]], found: Findings) -> None:
        marks = [(each[INSTALLATION], each[KEY]) for each in labels if KEY in (each or {})]
        found.duplicates.extend(
            f"two things are marked as {key}" for _, key in {m for m in marks if marks.count(m) > 1}
        )

    def _count(self, kind: str, names: list[str], found: Findings) -> None:
        must, may = self._estate.must(kind), self._estate.may(kind)
        found.duplicates.extend(name for name in set(names) if names.count(name) > 1)
        found.orphans.extend(name for name in set(names) if name not in must | may)
        found.lost.extend(must - set(names))

    # -- files -----------------------------------------------------------------------------------------------------

    def _files(self, found: Findings) -> Identities:
        world, must = self._story.world, self._estate.must("File")
        places = {self._estate.path(short): short for short in must | self._estate.may("File")}
        there = {str(path.relative_to(world)) for path in world.rglob("*")}
        found.orphans.extend(sorted(there - places.keys()))
        found.lost.extend(sorted(short for short in must if self._estate.path(short) not in there))
        identities = {}
        for place, short in places.items():
            if place in there:
                status = (world / place).lstat()
                time = () if THINGS[short].form == "directory" else (status.st_mtime_ns,)
                identities[short] = (status.st_ino, *time)
                found.wrong.extend(self._file_differs(short, world / place))
        return identities

    def _file_differs(self, short: str, path: Path) -> Iterator[str]:
        wish, form = self._estate.wishes[short], THINGS[short].form
        content, color = self._estate.content(wish), self._estate.content(wish).split()[0]
        if not wish.declared:
            if form == "adopted" and path.read_text() != THEIRS:
                yield f"{short}: what somebody else had written is {path.read_text()!r}"
            return
        match form:
            case "directory":
                if path.stat().st_mode & 0o777 != int(f"7{wish.size}5", 8):
                    yield f"{short}: mode is {path.stat().st_mode:o}"
            case "symlink":
                if str(path.readlink()) != f"/nowhere/{color}":
                    yield f"{short}: it leads to {path.readlink()}"
            case _:
                if path.read_text() != content:
                    yield f"{short}: content is {path.read_text()!r}"

    # -- what p2 believes ------------------------------------------------------------------------------------------

    def stale(self) -> list[str]:
        """What is recorded and neither declared nor to be kept: it is on its way out."""
        kept = {short for short, thing in THINGS.items() if thing.form == "retained"}
        return [short for short in self._records().keys() - kept if not self._estate.wishes[short].declared]

    def _records(self) -> dict[str, Record]:
        with open_stores(Home(self._home, read_only=True)) as stores:
            return {
                record.key.name.removeprefix(f"{self._yard.prefix}-"): record
                for source in stores.inventory.sources()
                for record in stores.inventory.records(source).values()
            }

    def _inventory(self, found: Findings, identities: Identities) -> None:
        """Everything declared is recorded, as settled and with the right handle; nothing is recorded that is not there."""
        records = self._records()
        for short, record in records.items():
            if short not in identities:
                found.orphans.append(f"{short}: recorded, and not there")
            elif record.intent and self._estate.wishes[short].declared:  # what is only retained is not looked at
                found.wrong.append(f"{short}: {record.intent} was intended and is still open")
            elif record.key.kind in ("Container", "Network") and record.handle != identities[short][0]:
                found.wrong.append(f"{short}: recorded as {record.handle}")
        declared = {short for short, wish in self._estate.wishes.items() if wish.declared}
        found.lost.extend(f"{short}: not recorded" for short in sorted(declared - records.keys()))
        retained = {short for short in identities if THINGS[short].form == "retained"}
        found.lost.extend(f"{short}: retained and not recorded" for short in sorted(retained - records.keys()))
