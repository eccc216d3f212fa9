"""Volumes, paths and tmpfs of a service's containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from resources.compose.mapping.notes import Path
from resources.compose.mapping.plain import size
from resources.compose.mapping.scene import Instance, Scene

Spec = dict[str, Any]
Json = Mapping[str, Any]

_KNOWN = ("bind", "volume", "tmpfs")


def mounts_of(scene: Scene, instance: Instance) -> Iterator[Spec]:
    """What `volumes` says; `volumes_from` and what is granted is elsewhere."""
    path: Path = ("services", instance.service, "volumes")
    for at, mount in enumerate(scene.project.services[instance.service].get("volumes") or ()):
        kind = mount.get("type")
        if kind not in _KNOWN:
            scene.notes.refuse(
                (*path, at), f"cannot mount a thing of type {kind}: only bind, volume and tmpfs are known"
            )
            continue
        yield {name: value for name, value in _mount(scene, kind, mount).items() if value is not None}


def _mount(scene: Scene, kind: str, mount: Json) -> Spec:
    found: Spec = {"type": kind, "target": mount["target"], "readOnly": mount.get("read_only")}
    of_kind = mount.get(kind) or {}
    match kind:
        case "bind":
            found["source"] = mount["source"]
            if mount.get("read_only") and _is_a_file_of_the_project(scene, mount["source"]):
                found["onChange"] = "restart"
            found["propagation"] = of_kind.get("propagation")
            found["createHostPath"] = of_kind.get("create_host_path") or None
            found["recursive"] = of_kind.get("recursive")
            found["selinux"] = of_kind.get("selinux")
        case "volume":
            if source := mount.get("source"):
                found |= {"source": scene.called("volumes", source), "external": True}
            found["nocopy"] = of_kind.get("nocopy") or None
            found["subpath"] = of_kind.get("subpath")
        case "tmpfs":
            found["size"] = size(of_kind["size"]) if of_kind.get("size") else None
            found["mode"] = f"{int(of_kind['mode']):04o}" if of_kind.get("mode") else None
    return found


def _is_a_file_of_the_project(scene: Scene, source: str) -> bool:
    """A program reads its configuration when it starts: what stands beside the Compose file and is mounted read-only is that."""
    if not FilePath(source).is_relative_to(scene.project.directory):
        return False
    try:
        scene.read(FilePath(source))
    except OSError:
        return False  # a directory, or not there
    return True


def tmpfs_of(service: Json) -> dict[str, str]:
    """Paths with a tmpfs each, and its options."""
    written = service.get("tmpfs") or ()
    parts = (each.partition(":") for each in ([written] if isinstance(written, str) else written))
    return {path: options for path, _, options in parts}


def volumes_from(scene: Scene, instance: Instance) -> list[str]:
    """Containers whose mounts it shares, each with its mode: `shop-db-1:ro`."""
    found = []
    for each in scene.project.services[instance.service].get("volumes_from") or ():
        kind, name, mode = _from(each)
        others = scene.instances.get(name) if kind == "service" else None
        found.append(f"{others[0].container if others else name}{f':{mode}' if mode else ''}")
    return found


def _from(text: str) -> tuple[str, str, str]:
    """Kind, name and mode in `web`, `web:ro` and `container:other:ro`."""
    first, _, rest = text.partition(":")
    if first == "container":
        name, _, mode = rest.partition(":")
        return "container", name, mode
    return "service", first, rest
