"""Images that a project builds: one Image for each image's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resources.compose.mapping.networking import host_addresses
from resources.compose.mapping.notes import Path
from resources.compose.mapping.plain import camel, size, text, texts, ulimits
from resources.compose.mapping.scene import Scene

Spec = dict[str, Any]
Json = Mapping[str, Any]

_PLAIN = ("dockerfile_inline", "network", "no_cache", "pull", "target")
_LISTS = ("cache_from", "tags")
_MAPS = ("args", "labels")


def images_of(scene: Scene) -> Iterator[tuple[str, str, Spec]]:
    """The service, the resource's name and its spec, for each image. Several services may share one."""
    found: dict[str, tuple[str, Spec]] = {}
    for service, spec in scene.project.services.items():
        if not spec.get("build"):
            continue
        path: Path = ("services", service, "build")
        called = scene.image(service)
        image: Spec = {"image": called, "build": _build(scene, spec["build"], path)}
        if platform := _platform(scene, spec, path):
            image["platform"] = platform
        other, same = found.setdefault(called, (service, image))
        if same != image:
            message = f"cannot build {called} in two ways: {other} builds it, too; give one of them another image"
            scene.notes.refuse(path, message)
        elif other == service:
            yield service, scene.resources["services"][service], image


def _build(scene: Scene, build: Json, path: Path) -> Spec:
    found: Spec = {"context": build["context"]}
    if build.get("dockerfile") not in (None, "Dockerfile") and not build.get("dockerfile_inline"):
        found["dockerfile"] = build["dockerfile"]
    for name in _PLAIN:
        if build.get(name):
            found[camel(name)] = build[name]
    for name in _LISTS:
        if build.get(name):
            found[camel(name)] = texts(build[name])
    for name in _MAPS:
        if build.get(name):
            found[camel(name)] = {each: text(value) for each, value in build[name].items() if value is not None}
    if build.get("secrets"):
        found["secrets"] = dict(_secrets(scene, build["secrets"], (*path, "secrets")))
    if build.get("shm_size"):
        found["shmSize"] = size(build["shm_size"])
    if build.get("ulimits"):
        found["ulimits"] = ulimits(build["ulimits"])
    if hosts := host_addresses(build.get("extra_hosts")):
        found["extraHosts"] = hosts
    return found


def _secrets(scene: Scene, secrets: list[Any], path: Path) -> Iterator[tuple[str, Spec]]:
    for at, each in enumerate(secrets):
        entry = {"source": each} if isinstance(each, str) else each
        declared = scene.project.secrets.get(entry["source"]) or {}
        identity = str(entry.get("target") or entry["source"]).rpartition("/")[2]
        if declared.get("file"):
            yield identity, {"file": declared["file"]}
        elif declared.get("environment"):
            yield identity, {"env": declared["environment"]}
        else:
            scene.notes.refuse((*path, at), f"cannot find the secret {entry['source']}: give it a file or a variable")


def _platform(scene: Scene, service: Json, path: Path) -> str | None:
    platforms = service["build"].get("platforms") or []
    if len(platforms) > 1 and service.get("platform") not in platforms:
        names = ", ".join(platforms)
        scene.notes.refuse((*path, "platforms"), f"cannot keep images for {names} under one name: give one platform")
    return service.get("platform") or (platforms[0] if platforms else None)
