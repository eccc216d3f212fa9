"""What a container mounts: the mounts of a spec in the words of the engine's API, and those of a live container in the spec's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from controller.agents.docker.client import Json
from controller.agents.docker.marks import CARRIED
from resources.docker.parts import Mount, MountType
from resources.kinds.container import Container, ContainerSpec
from resources.notation import size, size_text

# Names that the engine gives to volumes that nobody named.
ANONYMOUS = re.compile("[0-9a-f]{64}")

# The API from which on a mount, and not only a bind in one text, can make the missing path on the machine.
MAKES_PATHS = (1, 42)

_RECURSIVE = {"disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive", "readonly": "ReadOnlyForceRecursive"}


def mounts(container: Container, carried: Mapping[str, str], api: tuple[int, int]) -> Json:
    """The fields `Mounts` and `Binds` of a new container; `carried` are anonymous volumes that it takes over, by place."""
    spec = container.spec
    binds = [mount for mount in spec.volumes or () if as_text(mount, api)]
    others = [mount for mount in spec.volumes or () if not as_text(mount, api)]
    found: Json = {"Mounts": [_mount(container, mount, carried) for mount in others] + _carried_mounts(spec, carried)}
    return {**found, "Binds": [_bind(mount) for mount in binds]} if binds else found


def as_text(mount: Mount, api: tuple[int, int]) -> bool:
    """Whether only the older form of a bind, path:path:options, can say this."""
    return bool(mount.selinux or (mount.createHostPath and api < MAKES_PATHS))


def _bind(mount: Mount) -> str:
    options = ("ro" if mount.readOnly else "rw", mount.selinux, mount.propagation)
    return f"{mount.source}:{mount.target}:{','.join(filter(None, options))}"


def _mount(container: Container, mount: Mount, carried: Mapping[str, str]) -> Json:
    found: Json = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.readOnly}
    match mount.type:
        case MountType.BIND:
            found["Source"] = mount.source
            options: Json = {"Propagation": mount.propagation, "CreateMountpoint": mount.createHostPath or None}
            options |= {_RECURSIVE.get(mount.recursive or "", "NonRecursive"): mount.recursive in _RECURSIVE or None}
            options_name = "BindOptions"
        case MountType.VOLUME:
            found["Source"] = container.volume_name(mount) or carried.get(mount.target, "")
            options = {"NoCopy": mount.nocopy or None, "Subpath": mount.subpath}
            options_name = "VolumeOptions"
        case MountType.TMPFS:
            options = {
                "SizeBytes": size(mount.size) if mount.size else None,
                "Mode": int(mount.mode, 8) if mount.mode else None,
            }
            options_name = "TmpfsOptions"
    given = {name: value for name, value in options.items() if value is not None}
    return {**found, options_name: given} if given else found


def _carried_mounts(spec: ContainerSpec, carried: Mapping[str, str]) -> list[Json]:
    taken = {mount.target for mount in spec.volumes or ()} | {*(spec.tmpfs or ())}
    return [
        {"Type": "volume", "Source": volume, "Target": target}
        for target, volume in sorted(carried.items())
        if target not in taken
    ]


def observed_mounts(container: Container, live: Json) -> tuple[Mount, ...]:
    """Those that were asked for, less what the image or another container brings unless the spec has it, too."""
    declared = {mount.target: mount for mount in container.spec.volumes or ()}
    host = live["HostConfig"]
    asked = {mount["Target"]: mount for mount in host.get("Mounts") or ()}
    carried = ((live["Config"].get("Labels") or {}).get(CARRIED) or "").splitlines()
    not_ours = {*(live["Config"].get("Volumes") or {}), *carried, *(host.get("Tmpfs") or {})} - bound(live).keys()
    lent = bool(host.get("VolumesFrom"))
    found = []
    for point in live.get("Mounts") or ():
        target = point["Destination"]
        theirs = lent and target not in asked and target not in bound(live)
        if target not in declared and (target in not_ours or theirs):
            continue
        found.append(_observed(container, point, declared.get(target), asked.get(target, {})))
    return tuple(sorted(found, key=lambda mount: mount.target))


def bound(live: Json) -> dict[str, str]:
    """The binds that a container was made with in the older form, by where they are in it."""
    texts = live["HostConfig"].get("Binds") or ()
    return {parts[1].rstrip("/") or "/": text for text in texts if len(parts := text.split(":")) > 1}


def _observed(container: Container, point: Json, declared: Mount | None, asked: Json) -> Mount:
    kind, options = MountType(point["Type"]), str(point.get("Mode") or "").split(",")
    common: Json = {"type": kind, "target": point["Destination"], "readOnly": not point["RW"]}
    found: Json = {}
    match kind:
        case MountType.BIND:
            propagation = point.get("Propagation") or "rprivate"
            recursive, known = _recursion(asked.get("BindOptions") or {}), declared or _NOTHING
            found = {
                "source": point["Source"],
                "propagation": propagation if known.propagation or propagation != "rprivate" else None,
                "recursive": recursive if known.recursive or recursive != "enabled" else None,
                "createHostPath": known.createHostPath,  # has had its effect when the container was made
                "onChange": known.onChange,  # as it is looked after is nothing of the container's
                "signal": known.signal,
                "selinux": next((option for option in options if option in ("z", "Z")), None),
            }
        case MountType.VOLUME:
            found = _volume(container, point, declared, asked, options)
        case MountType.TMPFS:
            tmpfs = asked.get("TmpfsOptions") or {}
            size, mode = tmpfs.get("SizeBytes"), tmpfs.get("Mode")
            found = {"size": size_text(size) if size else None, "mode": f"{mode:04o}" if mode else None}
    return Mount.model_construct(**common, **found)


_NOTHING = Mount.model_construct(type=MountType.BIND, target="/")


def _recursion(options: Json) -> str:
    return next((word for word, name in _RECURSIVE.items() if options.get(name)), "enabled")


def _volume(container: Container, point: Json, declared: Mount | None, asked: Json, options: list[str]) -> Json:
    volume = asked.get("VolumeOptions") or {}
    nocopy = bool(volume.get("NoCopy")) or "nocopy" in options
    found: Json = {
        "nocopy": nocopy if nocopy or (declared and declared.nocopy is not None) else None,
        "subpath": volume.get("Subpath") or None,
    }
    if declared and container.volume_name(declared) == point["Name"]:
        return {**found, "source": declared.source, "external": declared.external}
    if ANONYMOUS.fullmatch(point["Name"]):
        return found
    return {**found, "source": point["Name"], "external": True}
