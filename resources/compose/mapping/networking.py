"""Ports, networks and links of a service's containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resources.compose.mapping.notes import Path
from resources.compose.mapping.plain import text
from resources.compose.mapping.scene import Instance, Scene

Spec = dict[str, Any]
Json = Mapping[str, Any]


def ports_of(scene: Scene, instance: Instance) -> Spec:
    """Published ports. Of a range of host ports for one container port each instance has the engine choose one."""
    path: Path = ("services", instance.service, "ports")
    ports = scene.project.services[instance.service].get("ports") or ()
    for at, port in enumerate(ports):
        published = text(port.get("published") or "0")
        if instance.number == 2 and published != "0" and "-" not in published:
            count = len(scene.instances[instance.service])
            advice = "give a range of ports, or leave the choice to the engine"
            scene.notes.refuse((*path, at), f"cannot publish port {published} for {count} containers: {advice}")
    return {"ports": [_port(port) for port in ports]} if ports else {}


def _port(port: Json) -> str:
    host, ip = text(port.get("published") or "0"), text(port.get("host_ip") or "")
    protocol = "" if port.get("protocol", "tcp") == "tcp" else f"/{port['protocol']}"
    address = f"[{ip}]:" if ":" in ip else f"{ip}:" if ip else ""
    outside = "" if host == "0" else host
    return f"{address}{outside}{':' if address or outside else ''}{port['target']}{protocol}"


def networking_of(scene: Scene, instance: Instance) -> Spec:
    """Which networks it is in, how it is called there, and whom it has other names for."""
    service = scene.project.services[instance.service]
    found: Spec = {"extraHosts": host_addresses(service.get("extra_hosts"))}
    if mode := service.get("network_mode"):
        found |= _network_mode(scene, mode)
    else:
        networks = service.get("networks") or {"default": None}
        found["networks"] = [_attachment(scene, name, networks[name] or {}, instance) for name in networks]
    found["links"] = _links(scene, service, instance) or None
    return found


def _network_mode(scene: Scene, mode: str) -> Spec:
    kind, _, name = mode.partition(":")
    if kind == "service" and (instances := scene.instances.get(name)):
        return {"networkMode": f"container:{instances[0].container}"}
    if kind == "container":
        return {"networkMode": mode}
    return {"networks": [{"name": mode, **({} if mode in _BUILT_IN else {"external": True})}]}


_BUILT_IN = ("host", "none", "bridge")


def _attachment(scene: Scene, network: str, how: Json, instance: Instance) -> Spec:
    """Version 1 of Compose leaves out the container's name, by which the engine finds it anyway."""
    own = (instance.service,) if scene.names.underscores else (instance.container, instance.service)
    aliases = [*dict.fromkeys((*own, *(how.get("aliases") or ())))]
    more = {
        "ipv4Address": how.get("ipv4_address"),
        "ipv6Address": how.get("ipv6_address"),
        "linkLocalIps": how.get("link_local_ips"),
        "macAddress": how.get("mac_address"),
        "driverOpts": {name: text(value) for name, value in (how.get("driver_opts") or {}).items()},
        "priority": how.get("priority"),
        "gwPriority": how.get("gw_priority"),
    }
    name = scene.called("networks", network)
    return {
        "name": name,
        "external": True,
        "aliases": aliases,
        **{field: value for field, value in more.items() if value},
    }


def _links(scene: Scene, service: Json, instance: Instance) -> dict[str, str]:
    """Names by which only this container finds others, as https://github.com/docker/compose makes them."""
    found: dict[str, str] = {}
    for link in service.get("links") or ():
        name, _, alias = link.partition(":")
        for other in scene.instances.get(name, ()):
            short = scene.names.joined(name, other.number if scene.names.underscores else instance.number)
            for each in (alias or name, short, scene.names.joined(scene.project.name, short)):
                found.setdefault(each, other.container)
    for link in service.get("external_links") or ():
        name, _, alias = link.partition(":")
        found.setdefault(alias or name, name)
    return found


def host_addresses(hosts: Any) -> dict[str, str] | None:
    """Each name once; its addresses with commas between them."""
    found: dict[str, list[str]] = {}
    for name, address in _host_entries(hosts or ()):
        found.setdefault(name, []).append(address)
    return {name: ",".join(addresses) for name, addresses in found.items()} or None


def _host_entries(hosts: Any) -> Iterator[tuple[str, str]]:
    if isinstance(hosts, dict):
        for name, addresses in hosts.items():
            for address in addresses if isinstance(addresses, list) else [addresses]:
                yield name, text(address).strip("[]")
        return
    for entry in hosts:
        name, sign, address = entry.partition("=")
        if not sign:
            name, _, address = entry.partition(":")
        yield name, address.strip("[]")
