"""Images that a project builds: one Image for each image's name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from resources.compose.mapping.networking import host_addresses
from resources.compose.mapping.notes import Path
from resources.compose.mapping.plain import camel, size, text, texts, ulimits
from resources.compose.mapping.scene import Scene
from resources.notation import canonical_duration, duration_text

Spec = dict[str, Any]
Json = Mapping[str, Any]

_PLAIN = ("dockerfile_inline", "network", "no_cache", "pull", "target")
_LISTS = ("cache_from", "tags")
_MAPS = ("args", "labels")


def images_of(scene: Scene) -> Iterator[tuple[str, str, Spec]]:
    """The service, the resource's name and its spec, for each image that is built or looked for anew. Services may share one."""
    found: dict[str, tuple[str, Spec]] = {}
    for service, spec in scene.project.services.items():
        path: Path = ("services", service)
        image = _built(scene, service, spec, path) if spec.get("build") else _refreshed(scene, service, spec)
        if image is None:
            continue
        other, same = found.setdefault(scene.image(service), (service, image))
        if same != image:
            advice = f"{other} says something else of it; give one of them another image"
            scene.notes.refuse(path, f"cannot keep {scene.image(service)} in two ways: {advice}")
        elif other == service:
            yield service, scene.resources["services"][service], image


def _built(scene: Scene, service: str, spec: Json, path: Path) -> Spec:
    found: Spec = {"image": scene.image(service), "build": _build(scene, spec["build"], (*path, "build"))}
    if platform := _platform(scene, spec, (*path, "build")):
        found["platform"] = platform
    return found


def _refreshed(scene: Scene, service: str, spec: Json) -> Spec | None:
    """Of one that is looked for at its registry again and again. A digest names one image for ever."""
    interval = _interval(str(spec.get("pull_policy") or ""), spec.get("pull_refresh_after"))
    if not interval or "@" in scene.image(service):
        return None
    found = {
        "image": scene.image(service),
        "updatePolicy": "tag",
        "interval": interval,
        "platform": spec.get("platform"),
    }
    return {name: value for name, value in found.items() if value}


def _interval(policy: str, after: str | None) -> str:
    """`every_1d12h` as a duration; empty where nothing is to be looked for."""
    if policy == "refresh":
        return canonical_duration(after or "24h")
    named = {"daily": "1d", "weekly": "1w"}.get(policy) or policy.removeprefix("every_")
    if not re.fullmatch("([0-9]+[wdhms])+", named):
        return ""
    return duration_text(sum(int(count) * _SECONDS[unit] for count, unit in re.findall("([0-9]+)([wdhms])", named)))


_SECONDS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}


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
    if service.get("platform") or len(platforms) < 2:
        return service.get("platform") or (platforms[0] if platforms else None)
    names = ", ".join(platforms)
    scene.notes.warn((*path, "platforms"), f"of {names} only the engine's own is built: it runs no other")
    return None
