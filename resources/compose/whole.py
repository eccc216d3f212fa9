"""From the merged files to the project: profiles, implied networks and dependencies, names, what nobody uses left out.

`project.py` calls the functions in their order here. All are Docker Compose's rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from resources.compose.files import SECTIONS
from resources.compose.nodes import NOWHERE, Fields, Place, each

_SHARED = ("network_mode", "ipc", "pid", "uts", "cgroup")


def completed(model: Fields) -> Fields:
    """All sections, with the networks and dependencies that are implied."""
    whole = Fields()
    for section in SECTIONS:
        content = model.get(section)
        at = model.names.get(section, NOWHERE)
        whole.put(section, content.copied() if content is not None else Fields(), at, at)
    services = whole["services"]
    for name, service in services.items():
        services[name] = _connected(_dependent(service), services.names[name])
    if "default" not in whole["networks"] and any(
        "default" in (each.get("networks") or ()) for each in services.values()
    ):
        whole["networks"].put("default", None, NOWHERE, NOWHERE)
    return whole


def _connected(service: Fields, at: Place) -> Fields:
    if service.get("network_mode") or service.get("provider") is not None or service.get("networks"):
        return service
    networks = Fields()
    networks.put("default", None, at, at)
    connected = service.copied()
    connected.put("networks", networks, at, at)
    return connected


def _dependent(service: Fields) -> Fields:
    found = service.get("depends_on") or Fields()
    depends_on = found.copied()
    for name, at, restart in _implied(service):
        if name not in depends_on:
            dependency = Fields()
            for field, value in (("condition", "service_started"), ("restart", restart), ("required", True)):
                dependency.put(field, value, at, at)
            depends_on.put(name, dependency, at, at)
    if len(depends_on) == len(found):
        return service
    dependent = service.copied()
    dependent.put("depends_on", depends_on, service.names.get("depends_on", NOWHERE), NOWHERE)
    return dependent


def _implied(service: Fields) -> Iterable[tuple[str, Place, bool]]:
    """Services that this one refers to without depends_on, where, and whether it is restarted with them."""
    for _, link, at in each(service.get("links")):
        yield link.partition(":")[0], at, True
    for field in _SHARED:
        shared = service.get(field)
        if isinstance(shared, str) and shared.startswith("service:"):
            yield shared.partition(":")[2], service.place(field), True
    for _, source, at in each(service.get("volumes_from")):
        if not source.startswith("container:"):
            yield source.partition(":")[0], at, False


def enabled(project: Fields, profiles: Iterable[str]) -> Fields:
    """Takes the services whose profiles are not enabled out of `project`, and gives them back."""
    active = set(profiles)
    services, out = Fields(), Fields()
    for name, service in project["services"].items():
        own = service.get("profiles")
        is_enabled = not own or "*" in active or not active.isdisjoint(own)
        (services if is_enabled else out).take(project["services"], name)
    project["services"] = services
    return out


def named(project: Fields, name: str) -> None:
    """Gives networks, volumes, configs and secrets the names that they have in the world."""
    for section in ("networks", "volumes", "configs", "secrets"):
        for key, thing in project[section].items():
            if thing is None or not thing.get("name"):
                at = project[section].names[key]
                called = thing.copied() if thing is not None else Fields()
                called.put("name", key if called.get("external") else f"{name}_{key}", at, at)
                project[section][key] = called


def used(project: Fields) -> None:
    """Leaves out what no enabled service uses."""
    uses: dict[str, set[Any]] = {section: set() for section in SECTIONS if section != "services"}
    for service in project["services"].values():
        uses["networks"].update(service.get("networks") or ())
        uses["models"].update(service.get("models") or ())
        uses["volumes"].update(each.get("source") for each in service.get("volumes") or () if each["type"] == "volume")
        uses["configs"].update(each["source"] for each in service.get("configs") or ())
        uses["secrets"].update(each["source"] for each in service.get("secrets") or ())
        uses["secrets"].update(each["source"] for each in (service.get("build") or {}).get("secrets") or ())
        config = (service.get("credential_spec") or {}).get("config")
        uses["configs"].update([config] if config else [])
    for section, names in uses.items():
        kept = Fields()
        for name in project[section]:
            if name in names:
                kept.take(project[section], name)
        project[section] = kept
