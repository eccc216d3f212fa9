"""Configs and secrets of a service's containers: files that are mounted read-only, as Docker Compose mounts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resources.compose.mapping.notes import Path
from resources.compose.mapping.scene import Instance, Scene

Spec = dict[str, Any]
Json = Mapping[str, Any]

_SECTIONS = {"configs": "", "secrets": "/run/secrets"}  # where the things of each are, unless the service says so


def file_mounts(scene: Scene, instance: Instance) -> Iterator[Spec]:
    """A mount for each that is a file."""
    for section, at, granted, declared in _granted(scene, instance):
        if declared.get("file"):
            yield {"type": "bind", "source": declared["file"], "target": _target(section, granted), "readOnly": True}
        elif not (declared.get("content") or declared.get("environment") or declared.get("external")):
            path: Path = ("services", instance.service, section, at)
            scene.notes.refuse(path, f"cannot find what {granted['source']} holds: give it a file")


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
