"""What Compose adds to what is written: defaults, and variables that are passed on. `files.py` calls `settle`.

Each group of files that is included is settled by itself: its directory and its variables are its own.
"""

from __future__ import annotations

from typing import Any

from resources.compose.filling import Filling
from resources.compose.nodes import Fields


def settle(model: Fields, filling: Filling) -> None:
    """Fills in what the directory and the variables of these files have to give. Changes `model`."""
    for name, service in list((model.get("services") or {}).items()):
        if isinstance(service, Fields):
            model["services"][name] = _service(service, filling)
    for name, volume in list((model.get("volumes") or {}).items()):
        if isinstance(volume, Fields):
            model["volumes"][name] = _volume(volume, filling)


def _service(service: Fields, filling: Filling) -> Fields:
    settled = service.copied()
    if isinstance(environment := service.get("environment"), Fields):
        settled["environment"] = _passed_on(environment, filling, keep=True)
    if isinstance(build := service.get("build"), Fields):
        settled["build"] = _build(build, filling)
    for place in ("secrets", "volumes"):
        if place in service:
            settled[place] = _mapped(service[place], _secret if place == "secrets" else _mount)
    if "ports" in service:
        settled["ports"] = _mapped(service["ports"], _port)
    if "env_file" in service:
        settled["env_file"] = _mapped(service["env_file"], _required)
    if "depends_on" in service:
        depends_on = service["depends_on"].copied()
        for name, dependency in depends_on.items():
            depends_on[name] = _required(dependency)
        settled["depends_on"] = depends_on
    if (image := service.get("image")) and "pre_start" in service:
        settled["pre_start"] = _mapped(
            service["pre_start"], lambda hook: hook if "image" in hook else _with(hook, "image", image)
        )
    if service.get("pull_policy") == "if_not_present":
        settled["pull_policy"] = "missing"
    return settled


def _build(build: Fields, filling: Filling) -> Fields:
    build = build if build.get("context") is not None else _with(build, "context", filling.absolute("."))
    if "dockerfile" not in build and "dockerfile_inline" not in build:
        build = _with(build, "dockerfile", "Dockerfile")
    if isinstance(args := build.get("args"), Fields):
        build = _with(build, "args", _passed_on(args, filling, keep=False))
    return build


def _passed_on(values: Fields, filling: Filling, *, keep: bool) -> Fields:
    """Names without a value take that of the variable; what is not set is handed on as such, or left out."""
    passed = values.copied()
    for name, value in values.items():
        if value is None:
            passed[name] = found = filling.variables.get(name)
            if found is not None:
                filling.report.used(name, found)
            elif not keep:
                del passed[name]
    return passed


def _secret(mount: Fields) -> Fields:
    return mount if mount.get("target") else _with(mount, "target", f"/run/secrets/{mount.get('source')}")


def _mount(mount: Fields) -> Fields:
    bind = mount.get("bind")
    if isinstance(bind, Fields) and "create_host_path" not in bind and mount.get("type") == "bind":
        return _with(mount, "bind", _with(bind, "create_host_path", True))
    return mount


def _port(port: Fields) -> Fields:
    port = port if port.get("mode") else _with(port, "mode", "ingress")
    return port if port.get("protocol") else _with(port, "protocol", "tcp")


def _required(thing: Fields) -> Fields:
    return thing if "required" in thing else _with(thing, "required", True)


def _volume(volume: Fields, filling: Filling) -> Fields:
    """A local volume that is a bind mount: its device is a path."""
    options = volume.get("driver_opts")
    if volume.get("driver") != "local" or not isinstance(options, Fields) or options.get("o") != "bind":
        return volume
    if "device" not in options:
        return volume
    return _with(volume, "driver_opts", _with(options, "device", filling.absolute(options["device"] or ".")))


def _mapped(items: Any, change: Any) -> Any:
    changed = type(items)()
    for item, at in zip(items, items.places, strict=True):
        changed.add(change(item), at)
    return changed


def _with(fields: Fields, name: str, value: Any) -> Fields:
    changed = fields.copied()
    at = fields.names.get(name) or next(iter(fields.names.values()), ("", 0, 0))
    changed.put(name, value, at, fields.values_at.get(name, at))
    return changed
