"""Where the addresses of a network come from: the types and parts of `resources/kinds/network.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from resources.meta import Model
from resources.notation import valid_ip
from resources.rules import WORD_MAX, Rule


def _subnet(text: str) -> str:
    try:
        if not re.search("/(0|[1-9][0-9]*)$", text):
            raise ValueError("it has no prefix length")
        valid_ip(text.partition("/")[0])
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f'cannot use the subnet "{text}": {error}; write it like 10.89.7.0/24') from None


def _address(text: str) -> str:
    try:
        return valid_ip(text)
    except ValueError as error:
        raise ValueError(f'cannot use the address "{text}": {error}') from None


Subnet = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(_subnet),
    Rule(
        "isCIDR(self) && cidr(self) == cidr(self).masked()",
        "cannot use this subnet: write it like 10.89.7.0/24, without host bits",
    ),
]
Address = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(_address),
    Rule("isIP(self)", "cannot use this: it is no IP address"),
]

POOLS_MAX = 16  # of one network, each compared with each


def _inside(name: str) -> str:
    """In CEL: the address in this field, if there is one, lies in the subnet."""
    known = f"!has(self.{name}) || !isCIDR(self.subnet) || !isIP(self.{name})"
    return f"{known} || cidr(self.subnet).containsIP(self.{name})"


class Pool(Model):
    """Addresses of a network."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(_inside("gateway"), "cannot use this gateway: it is not in the subnet"),
        Rule(
            "!has(self.ipRange) || !isCIDR(self.subnet) || !isCIDR(self.ipRange) || "
            "cidr(self.subnet).containsCIDR(self.ipRange)",
            "cannot use this ipRange: it is not in the subnet",
        ),
        Rule(
            "!has(self.auxAddresses) || !isCIDR(self.subnet) || self.auxAddresses.all(name, "
            "!isIP(self.auxAddresses[name]) || cidr(self.subnet).containsIP(self.auxAddresses[name]))",
            "cannot set these auxAddresses aside: not all of them are in the subnet",
        ),
    )

    subnet: Subnet = Field(description="Its addresses, such as 10.89.7.0/24.")
    gateway: Address | None = Field(
        default=None, description="Address of this machine in it. Unset: the first of the subnet."
    )
    ipRange: Subnet | None = Field(
        default=None, description="Part of the subnet that the engine takes addresses for containers from."
    )
    auxAddresses: Annotated[
        dict[str, Address] | None, Field(max_length=64), AfterValidator(lambda found: found or None)
    ] = Field(
        default=None, description="Addresses that other devices have, by names for them: the engine gives them to none."
    )

    @model_validator(mode="after")
    def _lies_within_itself(self) -> Self:
        for problem in _outside(self):
            raise ValueError(problem)
        return self


def _outside(pool: Pool) -> Iterator[str]:
    whole = ip_network(pool.subnet)
    if pool.gateway is not None and ip_address(pool.gateway) not in whole:
        yield f"cannot use the gateway {pool.gateway}: it is not in the subnet {pool.subnet}"
    if pool.ipRange is not None:
        part = ip_network(pool.ipRange)
        if part.version != whole.version or not (
            int(whole.network_address) <= int(part.network_address)
            and part.prefixlen >= whole.prefixlen
            and ip_address(part.broadcast_address) in whole
        ):
            yield f"cannot use the ipRange {pool.ipRange}: it is not in the subnet {pool.subnet}"
    for name, address in (pool.auxAddresses or {}).items():
        if ip_address(address) not in whole:
            yield f"cannot set aside {name} at {address}: it is not in the subnet {pool.subnet}"


class Ipam(Model):
    """Who gives out the addresses of a network, and out of what."""

    driver: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Driver that gives out addresses. Unset: default."
    )
    options: dict[str, str] | None = Field(default=None, description="Options of that driver.")
    config: Annotated[tuple[Pool, ...], Field(max_length=POOLS_MAX)] | None = Field(
        default=None, description="Subnets, one or several. Unset: the engine chooses."
    )
