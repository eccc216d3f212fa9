"""Kind `Network`: a network of the Docker engine. Its agent is `controller/agents/docker/network.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from resources.docker.engines import EngineSpec, engine_of
from resources.docker.names import BUILT_IN_NETWORKS
from resources.docker.values import Labels
from resources.meta import About, Claim, Resource
from resources.notation import valid_ip
from resources.rules import WORD_MAX, Rule

EXAMPLE = """\
apiVersion: pegasus2.dev/v1
kind: Network
metadata:
  name: backend
spec:
  driver: bridge
  subnet: 10.89.7.0/24
  gateway: 10.89.7.1
  internal: true
  labels: {tier: data}
"""


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


class NetworkSpec(EngineSpec):
    """A network. The engine can't change one: any change replaces it and reconnects its containers."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.subnet) || !has(self.gateway)", "cannot set the gateway without subnet: give both"),
        Rule(
            "!has(self.subnet) || !has(self.gateway) || !isCIDR(self.subnet) || !isIP(self.gateway) || "
            "cidr(self.subnet).containsIP(self.gateway)",
            "cannot use this gateway: it is not in the subnet",
        ),
    )

    driver: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="bridge, macvlan, ipvlan or another driver of the engine. Unset: bridge."
    )
    subnet: Subnet | None = Field(
        default=None, description="Its addresses, such as 10.89.7.0/24. Unset: the engine chooses."
    )
    gateway: Address | None = Field(
        default=None, description="Address of this machine in it. Unset: the first of the subnet."
    )
    internal: bool | None = Field(default=None, description="Whether it has no way out of this machine.")
    attachable: bool | None = Field(
        default=None, description="Whether containers outside of a swarm's services may join (overlay networks)."
    )
    options: dict[str, str] | None = Field(
        default=None, description='Options of the driver, such as com.docker.network.driver.mtu: "1400".'
    )
    labels: Labels | None = Field(default=None, description="Labels on the network.")

    @model_validator(mode="after")
    def _gateway_lies_in_the_subnet(self) -> Self:
        if self.gateway is not None:
            if self.subnet is None:
                raise ValueError("cannot set the gateway without subnet: give both")
            if ip_address(self.gateway) not in ip_network(self.subnet):
                raise ValueError(f"cannot use the gateway {self.gateway}: it is not in the subnet {self.subnet}")
        return self


@dataclass(frozen=True)
class NetworkObserved:
    """A network as it is, in the words of its spec. `containers` are the names of those connected to it, `disconnected`
    of those that an interrupted replacement has still to reconnect; `doubles` are ids of others of ours with its name."""

    driver: str | None = None
    subnet: str | None = None
    gateway: str | None = None
    internal: bool | None = None
    attachable: bool | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    containers: tuple[str, ...] = ()
    disconnected: tuple[str, ...] = ()
    doubles: tuple[str, ...] = ()


class Network(Resource):
    """A network of the Docker engine."""

    about: ClassVar[About] = About(
        plural="networks",
        short=("net",),
        columns=(("Driver", "spec.driver"), ("Subnet", "spec.subnet")),
    )

    # In every namespace: containers that name it mean that of the engine.
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(self.metadata.name in ['bridge', 'host', 'none'])",
            "cannot declare the networks bridge, host and none: every engine has them already",
        ),
    )

    kind: Literal["Network"]
    spec: NetworkSpec

    @model_validator(mode="after")
    def _is_not_built_in(self) -> Self:
        if self.metadata.name in BUILT_IN_NETWORKS:
            raise ValueError(f"cannot declare the network {self.metadata.name}: every engine has it already")
        return self

    def claims(self) -> Iterable[Claim]:
        yield Claim("network name", self.world_name, place=engine_of(self))
