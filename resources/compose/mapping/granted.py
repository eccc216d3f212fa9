"""Configs and secrets of a service's containers: files that are mounted read-only, as Docker Compose mounts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resources.compose.mapping.notes import Path
from resources.compose.mapping.plain import text
from resources.compose.mapping.scene import Instance, Scene

Spec = dict[str, Any]
Json = Mapping[str, Any]

_SECTIONS = {"configs": "", "secrets": "/run/secrets"}  # where the things of each are, unless the service says so


def file_mounts(scene: Scene, instance: Instance) -> Iterator[Spec]:
    """A mount for each that is a file."""
    for section, at, granted, declared in _granted(scene, instance):
        if declared.get("file"):
            _warn_of_rights(scene, granted, ("services", instance.service, section, at))
            mount = {"type": "bind", "source": declared["file"], "target": _target(section, granted)}
            yield {**mount, "readOnly": True, "onChange": "restart"}


def inner_files(scene: Scene, instance: Instance) -> dict[str, Spec]:
    """By where they are, those whose content is not that of a file: a container gets them when it is made."""
    found = {}
    for section, at, granted, declared in _granted(scene, instance):
        path: Path = ("services", instance.service, section, at)
        if declared.get("content") is not None:
            holds: Spec = {"content": text(declared["content"])}
        elif declared.get("environment"):
            holds = {"secret": {"env": declared["environment"]}}
        else:
            continue
        found[_target(section, granted)] = holds | _owned(scene, granted, path)
    return found


def _owned(scene: Scene, granted: Json, path: Path) -> Spec:
    found: Spec = {} if granted.get("mode") is None else {"mode": f"{int(granted['mode']):04o}"}
    for field in ("uid", "gid"):
        value = text(granted.get(field) or "0")
        if not value.isdigit():
            scene.notes.refuse((*path, field), f"cannot give the file to {value}: write a number")
        elif value != "0":
            found[field] = int(value)
    return found


def _warn_of_rights(scene: Scene, granted: Json, path: Path) -> None:
    for field in ("uid", "gid", "mode"):
        if granted.get(field) is not None:
            scene.notes.warn(
                (*path, field), f"{field} is left out: the file is mounted as it is, as Docker Compose does"
            )


def _granted(scene: Scene, instance: Instance) -> Iterator[tuple[str, int, Json, Json]]:
    """Section, place in the service's list, entry, and what the project says of it."""
    service = scene.project.services[instance.service]
    for section in _SECTIONS:
        for at, granted in enumerate(service.get(section) or ()):
            entry = {"source": granted} if isinstance(granted, str) else granted
            yield section, at, entry, getattr(scene.project, section).get(entry["source"]) or {}


def _target(section: str, granted: Json) -> str:
    target = str(granted.get("target") or granted["source"])
    return target if target.startswith("/") else f"{_SECTIONS[section]}/{target}"
