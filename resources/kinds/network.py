"""Kind `Network`: a network of the Docker engine. Its agent is `controller/agents/docker/network.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from resources.docker.addressing import Address, Ipam, Subnet
from resources.docker.engines import EngineSpec, engine_of
from resources.docker.names import BUILT_IN_NETWORKS
from resources.docker.sharing import EngineName
from resources.docker.values import Labels
from resources.meta import About, Claim, Resource
from resources.rules import Rule

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


class NetworkSpec(EngineSpec):
    """A network. The engine can't change one: any change replaces it and reconnects its containers."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.subnet) || !has(self.gateway)", "cannot set the gateway without subnet: give both"),
        Rule(
            "!has(self.subnet) || !has(self.gateway) || !isCIDR(self.subnet) || !isIP(self.gateway) || "
            "cidr(self.subnet).containsIP(self.gateway)",
            "cannot use this gateway: it is not in the subnet",
        ),
        Rule(
            "!has(self.subnet) || !has(self.ipam) || !has(self.ipam.config)",
            "cannot give the subnet twice: leave it out beside ipam.config",
        ),
        Rule(
            "!has(self.networkName) || !(self.networkName in ['bridge', 'host', 'none'])",
            "cannot declare the networks bridge, host and none: every engine has them already",
        ),
    )

    networkName: EngineName | None = Field(
        default=None,
        description="Name in the engine. Unset: the resource's name, after its namespace if not the default. Containers refer "
        "to a network with one by that name, with external: true.",
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
    ipam: Ipam | None = Field(
        default=None, description="Where its addresses come from, if subnet and gateway do not say it all."
    )
    enableIpv6: bool | None = Field(
        default=None, description="Whether it has IPv6, too. Unset: where it has an IPv6 subnet."
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
        if self.subnet is not None and self.ipam is not None and self.ipam.config is not None:
            raise ValueError("cannot give the subnet twice: leave it out beside ipam.config")
        if self.networkName in BUILT_IN_NETWORKS:
            raise ValueError(f"cannot declare the network {self.networkName}: every engine has it already")
        return self


@dataclass(frozen=True)
class NetworkObserved:
    """A network as it is, in the words of its spec. `containers` are the names of those connected to it, `disconnected`
    of those that an interrupted replacement has still to reconnect; `doubles` are ids of others of ours with its name."""

    networkName: str | None = None
    driver: str | None = None
    subnet: str | None = None
    gateway: str | None = None
    ipam: Ipam | None = None
    enableIpv6: bool | None = None
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

    @property
    def network_name(self) -> str:
        """Its name in the engine."""
        return self.spec.networkName or self.world_name

    def claims(self) -> Iterable[Claim]:
        yield Claim("network name", self.network_name, place=engine_of(self))
