"""The networks of a container: those of a spec in the words of the engine's API, and those of a live one in the spec's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.agents.docker.client import Json
from resources.docker.names import BUILT_IN_NETWORKS
from resources.docker.parts import Attachment
from resources.kinds.container import Container, ContainerSpec

# The API from which on each network of a container can have a MAC address of its own.
MAC_EACH = (1, 44)
DEFAULT = "bridge"  # the network of a container that asks for none


def wanted_networks(spec: ContainerSpec) -> Sequence[Attachment]:
    """Those that the spec declares, or the engine's default, in the order in which they are connected."""
    unset: Sequence[Attachment] = spec.unset["networks"]
    return sorted(spec.networks or unset, key=lambda each: (-(each.priority or 0), each.name))


def network_mode(container: Container) -> str | None:
    """What a new container is connected to at once."""
    spec = container.spec
    if spec.networkMode:
        return spec.networkMode
    return container.network_name(wanted_networks(spec)[0]) if spec.networks else None


def networking(container: Container, api: tuple[int, int]) -> Json:
    """The fields of a new container about its first network; the others are connected afterwards."""
    spec = container.spec
    if spec.networkMode:
        return {}
    first = wanted_networks(spec)[0]
    mac = spec.macAddress or first.macAddress
    endpoint = {} if first.built_in else _endpoint(first) | _given(Links=_links(spec, first))
    found: Json = {"MacAddress": mac} if mac and api < MAC_EACH else {}
    if mac and api >= MAC_EACH:
        endpoint["MacAddress"] = mac
    if spec.networks or endpoint:
        found["NetworkingConfig"] = {"EndpointsConfig": {container.network_name(first): endpoint}}
    return found


def default_links(spec: ContainerSpec) -> list[str] | None:
    """Links by way of the engine's default bridge, which are of the container; elsewhere they are of each network."""
    if spec.links is None or not wanted_networks(spec)[0].built_in:
        return None
    return [f"{name}:{alias}" for alias, name in spec.links.items()]


def endpoint_of(container: Container, attachment: Attachment) -> Json:
    """For `WritableEngine.connect_network`."""
    return _endpoint(attachment) | _given(Links=_links(container.spec, attachment), MacAddress=attachment.macAddress)


def _links(spec: ContainerSpec, attachment: Attachment) -> list[str] | None:
    """Those that are of each network; by way of the engine's default bridge they are of the container."""
    if not spec.links or attachment.built_in:
        return None
    return [f"{name}:{alias}" for alias, name in spec.links.items()]


def _endpoint(attachment: Attachment) -> Json:
    addresses = _given(
        IPv4Address=attachment.ipv4Address,
        IPv6Address=attachment.ipv6Address,
        LinkLocalIPs=attachment.linkLocalIps or None,
    )
    return _given(
        Aliases=attachment.aliases,
        IPAMConfig=addresses or None,
        DriverOpts=attachment.driverOpts or None,
        GwPriority=attachment.gwPriority,
    )


def _given(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def observed_networks(container: Container, live: Json) -> tuple[Attachment, ...] | None:
    """None where the container shares those of another one."""
    if live["HostConfig"]["NetworkMode"].startswith("container:"):
        return None
    declared = {container.network_name(each): each for each in container.spec.networks or ()}
    endpoints = live["NetworkSettings"].get("Networks") or {}
    found = [_attachment(container, live, name, end or {}, declared.get(name)) for name, end in endpoints.items()]
    return tuple(sorted(found, key=lambda each: each.name))


def _attachment(container: Container, live: Json, name: str, endpoint: Json, declared: Attachment | None) -> Attachment:
    addresses = endpoint.get("IPAMConfig") or {}
    known = declared or Attachment.model_construct(name=name, external=name not in BUILT_IN_NETWORKS)
    # Engines before API 1.44 add the short id of the container, and its host name, to its aliases.
    added = {live["Id"][:12], live["Config"].get("Hostname")} - {*(known.aliases or ())}
    aliases = tuple(sorted({*(endpoint.get("Aliases") or ())} - added))
    local, gateway = tuple(sorted(addresses.get("LinkLocalIPs") or ())), endpoint.get("GwPriority")
    return Attachment.model_construct(
        name=known.name,
        external=known.external,
        aliases=aliases if aliases or known.aliases is not None else None,
        ipv4Address=addresses.get("IPv4Address") or None,
        ipv6Address=addresses.get("IPv6Address") or None,
        linkLocalIps=local if local or known.linkLocalIps is not None else None,
        macAddress=_mac(container, live, name, endpoint, known),
        driverOpts=endpoint.get("DriverOpts") or (known.driverOpts if not known.driverOpts else None),
        priority=known.priority,  # has had its effect when the container was made
        gwPriority=gateway if gateway or known.gwPriority is not None else None,
    )


def _mac(container: Container, live: Json, name: str, endpoint: Json, known: Attachment) -> str | None:
    """In the first network the one that was asked for, where the engine tells; else, where the spec has one, that in use."""
    asked = live["Config"].get("MacAddress") if _is_first(name, live) else None
    if container.spec.networks is None or container.spec.macAddress is not None:
        return None  # it stands at the container
    return _lower(asked or (known.macAddress and endpoint.get("MacAddress")))


def observed_mac(spec: ContainerSpec, live: Json) -> str | None:
    """That of the whole container, unless the spec has networks to write it at."""
    if spec.networks is not None and spec.macAddress is None:
        return None
    endpoints = (live["NetworkSettings"].get("Networks") or {}).items()
    in_use = next(((end or {}).get("MacAddress") for name, end in endpoints if _is_first(name, live)), None)
    return _lower(live["Config"].get("MacAddress") or (spec.macAddress and in_use))


def _is_first(name: str, live: Json) -> bool:
    mode = live["HostConfig"]["NetworkMode"]
    return name == (DEFAULT if mode == "default" else mode)


def _lower(mac: str | None) -> str | None:
    return mac.lower() if mac else None


def observed_links(live: Json) -> dict[str, str]:
    """Names for other containers, with those containers' names."""
    endpoints: Mapping[str, Json | None] = live["NetworkSettings"].get("Networks") or {}
    texts = [text for end in endpoints.values() for text in (end or {}).get("Links") or ()]
    pairs = [text.partition(":") for text in (*texts, *(live["HostConfig"].get("Links") or ()))]
    return {(alias or name).rpartition("/")[2]: name.removeprefix("/") for name, _, alias in pairs}
