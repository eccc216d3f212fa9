"""A network's spec in the words of the engine's API, and a live network in the words of its spec. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from controller.agents.docker.client import Json
from controller.agents.docker.marks import foreign_labels
from controller.agents.docker.surroundings import told
from resources.docker.addressing import Ipam, Pool
from resources.kinds.network import NetworkObserved, NetworkSpec

IPAM = "default"  # the engine's own driver of addresses


def network_config(spec: NetworkSpec) -> Json:
    """The body of `POST /networks/create`, less the network's name and labels."""
    pools, ipam = _pools(spec), spec.ipam or Ipam()
    found: Json = {"Driver": ipam.driver or IPAM, "Config": [_pool_config(pool) for pool in pools]}
    ipv6 = any(ip_network(pool.subnet).version == 6 for pool in pools)
    return {
        "Driver": spec.driver or "bridge",
        "IPAM": {**found, "Options": ipam.options} if ipam.options else found,
        "Internal": bool(spec.internal),
        "Attachable": spec.attachable,
        "EnableIPv6": (ipv6 if spec.enableIpv6 is None else spec.enableIpv6) or None,
        "Options": spec.options,
    }


def _pools(spec: NetworkSpec) -> Sequence[Pool]:
    if spec.ipam and spec.ipam.config:
        return spec.ipam.config
    return [Pool.model_construct(subnet=spec.subnet, gateway=spec.gateway)] if spec.subnet else []


def _pool_config(pool: Pool) -> Json:
    found = {
        "Subnet": pool.subnet,
        "Gateway": pool.gateway,
        "IPRange": pool.ipRange,
        "AuxiliaryAddresses": pool.auxAddresses,
    }
    return {name: value for name, value in found.items() if value}


def observed_network(spec: NetworkSpec, live: Json, containers: tuple[str, ...] = ()) -> NetworkObserved:
    """`containers`: names of those that are connected to it."""
    pools: list[Json] = live["IPAM"].get("Config") or []
    # Beside an IPv6 subnet the engine has one of IPv4 of its own.
    address = next((pool for pool in pools if pool.get("Subnet") == spec.subnet), pools[0] if pools else {})
    in_ipam = spec.ipam is not None and spec.ipam.config is not None
    ipv6 = bool(live.get("EnableIPv6"))
    return NetworkObserved(
        networkName=live["Name"],
        driver=told(spec.driver, live["Driver"], "bridge"),
        subnet=None if in_ipam else address.get("Subnet"),
        gateway=None if in_ipam else address.get("Gateway"),
        ipam=_ipam(spec, live["IPAM"], pools),
        enableIpv6=ipv6 if spec.enableIpv6 is not None or ipv6 is not any(map(_is_ipv6, pools)) else None,
        internal=told(spec.internal, live["Internal"], False),
        attachable=told(spec.attachable, live["Attachable"], False),
        options=live.get("Options") or {},
        labels=foreign_labels(live.get("Labels")),
        containers=containers,
    )


def _is_ipv6(pool: Json) -> bool:
    return ":" in str(pool.get("Subnet"))


def _ipam(spec: NetworkSpec, live: Json, pools: Sequence[Json]) -> Ipam | None:
    """All of it, unless `subnet` says it in the spec."""
    if spec.ipam is None and spec.subnet is not None:
        return None
    declared = spec.ipam or Ipam.model_construct()
    return Ipam.model_construct(
        driver=told(declared.driver, live.get("Driver") or IPAM, IPAM),
        options=live.get("Options") or {},
        config=_observed_pools(declared.config, pools),
    )


def _observed_pools(declared: Sequence[Pool] | None, live: Sequence[Json]) -> tuple[Pool, ...]:
    """In the order of the declared ones, less what the engine has added to them: gateways, and a subnet of the other family."""
    known = {pool.subnet: pool for pool in declared or ()}
    order = {subnet: at for at, subnet in enumerate(known)}
    families = {ip_network(subnet).version for subnet in known}
    found = [
        _observed_pool(pool, known.get(pool["Subnet"]))
        for pool in live
        if not families or ip_network(pool["Subnet"]).version in families
    ]
    return tuple(sorted(found, key=lambda pool: order.get(pool.subnet, len(order))))


def _observed_pool(live: Json, declared: Pool | None) -> Pool:
    gateway = live.get("Gateway") or None
    return Pool.model_construct(
        subnet=live["Subnet"],
        gateway=gateway if declared is None or declared.gateway is not None else None,
        ipRange=live.get("IPRange") or None,
        auxAddresses=live.get("AuxiliaryAddresses") or None,
    )
