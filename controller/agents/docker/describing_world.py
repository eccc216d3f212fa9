"""The networks and volumes that containers use which nobody has declared, as resources: see `describing.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from controller.agents.docker import paths
from controller.agents.docker.addressing import observed_network
from controller.agents.docker.client import Engine, Json
from controller.agents.docker.marks import mark_in
from controller.agents.docker.mounting import ANONYMOUS
from controller.engine.diff import plain
from resources.docker.names import BUILT_IN_NETWORKS
from resources.kinds.container import Container
from resources.kinds.network import Network, NetworkSpec
from resources.kinds.volume import Volume
from resources.labels import label_of
from resources.meta import API_VERSION, Key, Resource

# Where the engine takes subnets from by itself, unless its settings say otherwise:
# https://docs.docker.com/engine/network/#automatic-subnet-allocation
_POOLS: tuple[Json, ...] = ({"Base": "172.16.0.0/12", "Size": 16}, {"Base": "192.168.0.0/16", "Size": 20})


@dataclass(frozen=True)
class Around:
    """What is there, by its name in the engine, with the names that its resources get. What is ours has none."""

    networks: Mapping[str, Json]
    volumes: Mapping[str, Json]
    network_names: Mapping[str, str]
    volume_names: Mapping[str, str]
    fixed: frozenset[str]  # networks in which a container has an address that it asked for
    info: Json

    @classmethod
    def of(cls, engine: Engine, lives: Sequence[Json], info: Json, owned: Mapping[str, Key]) -> Around:
        ends = [
            (name, end or {}) for live in lives for name, end in (live["NetworkSettings"].get("Networks") or {}).items()
        ]
        points = [point for live in lives for point in live.get("Mounts") or () if point["Type"] == "volume"]
        networks = sorted({name for name, _ in ends} - BUILT_IN_NETWORKS)
        volumes = sorted({point["Name"] for point in points if not ANONYMOUS.fullmatch(point["Name"])})
        answers = engine.try_each([*map(paths.network, networks), *map(paths.volume, volumes)])
        named = list(zip([*networks, *volumes], answers, strict=True))
        found = [(name, live) for name, live in named if isinstance(live, dict)]
        here = {name: live for name, live in found if "IPAM" in live}
        kept = {name: live for name, live in found if "IPAM" not in live}
        free = {name for name, live in found if not (mark_in(live.get("Labels")) or live.get("Id", name) in owned)}
        fixed = frozenset(name for name, end in ends if _asked(end))
        return cls(here, kept, _named(free & here.keys()), _named(free & kept.keys()), fixed, info)

    def of_container(self, spec: Json, live: Json) -> Json:
        """The container's `networks` and `volumes`, with the names of resources where these have the engine's."""
        found: Json = {}
        if "volumes" in spec:
            found["volumes"] = [_referring(mount, "source", self.volume_names) for mount in spec["volumes"]]
        if "networks" in spec:
            networks = [_referring(each, "name", self.network_names) for each in spec["networks"]]
            found["networks"] = _ordered(networks, live["HostConfig"]["NetworkMode"])
        return found

    def resources(self, made: Sequence[Container]) -> tuple[list[Resource], list[str]]:
        """What these containers use; and what is to be said of it."""
        networks = {name for each in made for name in (each.network_name(one) for one in each.spec.networks or ())}
        volumes = {name for each in made for name in (each.volume_name(mount) for mount in each.spec.volumes or ())}
        found: list[Resource] = []
        notes = []
        for name, live in self.networks.items():
            if name not in networks or name not in self.network_names:
                continue
            if live.get("Scope") != "local":
                notes.append(f"the network {name} is not of this machine alone, and is left as it is")
                continue
            found.append(network_resource(self.network_names[name], live, self.info, fixed=name in self.fixed))
        found += [
            volume_resource(self.volume_names[name], live)
            for name, live in self.volumes.items()
            if name in volumes and name in self.volume_names
        ]
        return found, notes


def _named(names: Iterable[str]) -> dict[str, str]:
    taken: set[str] = set()
    return {name: label_of(name, taken) for name in sorted(names)}


def _asked(endpoint: Json) -> bool:
    addresses = endpoint.get("IPAMConfig") or {}
    return bool(addresses.get("IPv4Address") or addresses.get("IPv6Address"))


def _referring(part: Json, field: str, names: Mapping[str, str]) -> Json:
    """By the name of the resource where that is the engine's as well; else as the engine has it."""
    name = part.get(field, "")
    same = part.get("external") and names.get(name) == name
    return {key: value for key, value in part.items() if not (same and key == "external")}


def _ordered(networks: list[Json], first: str) -> list[Json]:
    """With a priority where another network than the first by name is that which the container was made in."""
    if len(networks) < 2 or networks[0]["name"] == first:
        return networks
    return [{**each, "priority": 1} if each["name"] == first else each for each in networks]


def network_resource(name: str, live: Json, info: Json, *, fixed: bool) -> Network:
    """`fixed`: its subnet was somebody's choice for sure."""
    seen = observed_network(NetworkSpec(), live)
    spec: Json = {
        "driver": seen.driver,
        "enableIpv6": seen.enableIpv6,
        "internal": seen.internal,
        "attachable": seen.attachable,
        "options": seen.options,
        "labels": {each: text for each, text in (seen.labels or {}).items() if each != "com.docker.compose.version"},
        **_addresses(live, info, fixed),
    }
    return Network.model_validate(_document("Network", name, _given(spec, name, live["Name"], "networkName")))


def _addresses(live: Json, info: Json, fixed: bool) -> Json:
    """A subnet that the engine has taken out of its own is left to it again."""
    pools: list[Json] = live["IPAM"].get("Config") or []
    driver, options = live["IPAM"].get("Driver") or "default", live["IPAM"].get("Options") or {}
    plain_ipam = driver == "default" and not options
    if len(pools) == 1 and plain_ipam and not (pools[0].get("IPRange") or pools[0].get("AuxiliaryAddresses")):
        return {} if not fixed and _engines_own(pools[0], info) else _simple(pools[0])
    if len(pools) == 2 and plain_ipam and not fixed and all(_engines_own(pool, info) for pool in pools):
        return {}
    ipam = plain(observed_network(NetworkSpec(), live).ipam)
    return {"ipam": {key: value for key, value in ipam.items() if value}}


def _simple(pool: Json) -> Json:
    return {"subnet": pool["Subnet"], "gateway": pool.get("Gateway") or None}


def _engines_own(pool: Json, info: Json) -> bool:
    if not pool.get("Gateway"):
        return False  # it notes one with each that it chooses
    subnet = ip_network(pool["Subnet"])
    for own in info.get("DefaultAddressPools") or _POOLS:
        base = ip_network(own["Base"])
        if subnet.prefixlen == own["Size"] and _within(subnet, base):
            return next(iter(subnet.hosts())) == ip_network(pool["Gateway"]).network_address
    return False


def _within(part: IPv4Network | IPv6Network, whole: IPv4Network | IPv6Network) -> bool:
    if part.version != whole.version:
        return False
    return whole.network_address <= part.network_address <= whole.broadcast_address  # type: ignore[operator]


def volume_resource(name: str, live: Json) -> Volume:
    spec: Json = {
        "driver": live["Driver"] if live["Driver"] != "local" else None,
        "options": live.get("Options"),
        "labels": {
            each: text for each, text in (live.get("Labels") or {}).items() if each != "com.docker.compose.version"
        },
    }
    return Volume.model_validate(_document("Volume", name, _given(spec, name, live["Name"], "volumeName")))


def _given(spec: Json, name: str, called: str, field: str) -> Json:
    naming = {} if name == called else {field: called}
    return {**naming, **{each: value for each, value in spec.items() if value not in (None, {}, [])}}


def _document(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": {**spec, "adopt": True}}
