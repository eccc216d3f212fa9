"""The fields of a container's spec that limit it further, and those that say what it shares with the machine and others.

They are apart from `resources/kinds/container.py` for their number alone; that module puts them into its spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from resources.docker.parts import MANY_TIMES, BlkioConfig, DeviceRequest
from resources.docker.sharing import (
    CgroupRules,
    Cpuset,
    Ipc,
    Links,
    Mac,
    NetworkMode,
    Pid,
    Platform,
    VolumesFrom,
)
from resources.docker.values import Expose, Names, Size
from resources.meta import Model
from resources.rules import MANY

Micros = Annotated[int, Field(ge=1000, le=MANY_TIMES)]


class Limits(Model):
    """How much of the machine a container may use."""

    memReservation: Size | None = Field(
        default=None, description="Memory that is left to it when the machine runs short; less than memory."
    )
    memSwappiness: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="How readily its memory is swapped out, 0 to 100. Unset: as the machine."
    )
    oomKillDisable: bool | None = Field(
        default=None, description="Whether its processes wait in place of being killed when its memory is used up."
    )
    oomScoreAdj: Annotated[int, Field(ge=-1000, le=1000)] | None = Field(
        default=None, description="How soon it is killed when the machine's memory is used up, -1000 to 1000. Unset: 0."
    )
    cpuset: Cpuset | None = Field(default=None, description="CPUs that it may run on: 0-3 or 0,2.")
    cpuShares: Annotated[int, Field(ge=2, le=262144)] | None = Field(
        default=None, description="Its share of CPU time when others want it, too; an unset one weighs 1024."
    )
    cpuPeriod: Annotated[int, Field(ge=1000, le=1_000_000)] | None = Field(
        default=None, description="Period of cpuQuota in microseconds. Unset: 100000."
    )
    cpuQuota: Micros | None = Field(
        default=None, description="CPU time in each cpuPeriod, in microseconds; cpus says the same in one number."
    )
    cpuRtPeriod: Micros | None = Field(default=None, description="Period of cpuRtRuntime in microseconds.")
    cpuRtRuntime: Micros | None = Field(
        default=None,
        description="CPU time of its real-time processes in each cpuRtPeriod, in microseconds. Few kernels have this.",
    )
    blkioConfig: BlkioConfig | None = Field(default=None, description="Shares and limits of block devices.")
    storageOpt: dict[str, str] | None = Field(
        default=None, description='Options of the engine\'s storage, such as size: "10g" where its driver can do that.'
    )


class Surroundings(Model):
    """What a container shares with the machine and with other containers, and what it is given of them."""

    domainname: Annotated[str, Field(min_length=1)] | None = Field(default=None, description="Its NIS domain name.")
    networkMode: NetworkMode | None = Field(
        default=None,
        description="container:NAME shares the network of the container that has this name in the engine, in place of "
        "networks. A Container resource of that name comes first.",
    )
    macAddress: Mac | None = Field(default=None, description="MAC address in its first network.")
    dnsSearch: Annotated[tuple[str, ...], Field(max_length=MANY)] | None = Field(
        default=None, description="Domains in which short names are looked up, in order."
    )
    dnsOpt: Annotated[tuple[str, ...], Field(max_length=MANY)] | None = Field(
        default=None, description="Options of the resolver, such as ndots:2."
    )
    links: Links | None = Field(
        default=None,
        description="More names for other containers: {db: shop-db-1}, each with the container's name in the engine. A "
        "Container resource of that name comes first. On networks of one's own, aliases do the same from the other side.",
    )
    expose: Expose | None = Field(
        default=None, description="Ports that are noted on it without being published: 3000, 53/udp, 8000-8010."
    )
    publishAll: bool | None = Field(
        default=None, description="Whether every port that it or its image exposes is published on a free port."
    )
    pid: Pid | None = Field(
        default=None,
        description="Whose processes it sees: host, or container:NAME for those of the container of that name in the engine. "
        "Unset: its own.",
    )
    ipc: Ipc | None = Field(
        default=None,
        description="Whose shared memory it uses: none, private, shareable, host or container:NAME. Unset: the engine's "
        "choice, private.",
    )
    uts: Literal["host"] | None = Field(default=None, description="host: it has the machine's host name.")
    usernsMode: Literal["host"] | None = Field(
        default=None, description="host: its users are the machine's, though the engine maps those of others."
    )
    cgroup: Literal["host", "private"] | None = Field(
        default=None, description="Which control groups it sees: the machine's, or its own. Unset: the engine's choice."
    )
    cgroupParent: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Control group in which its own is made."
    )
    groupAdd: Names | None = Field(default=None, description="More groups of its user, by name or in quotes by number.")
    volumesFrom: VolumesFrom | None = Field(
        default=None,
        description="Containers, by their names in the engine, all of whose mounts it gets, too; :ro behind a name to only "
        "read. A Container resource of that name comes first.",
    )
    deviceCgroupRules: CgroupRules | None = Field(
        default=None, description='Devices it may use beyond devices: type, numbers and rights, such as "c 1:3 mr".'
    )
    deviceRequests: Annotated[tuple[DeviceRequest, ...], Field(max_length=MANY)] | None = Field(
        default=None,
        description="Devices that a driver picks, such as graphics cards: [{capabilities: [gpu], count: -1}].",
    )
    runtime: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Runtime of the engine, such as runc, nvidia or runsc. Unset: the engine's, runc."
    )
    platform: Platform | None = Field(
        default=None, description="Platform of the image, such as linux/amd64. Unset: that of the engine."
    )
    annotations: dict[str, str] | None = Field(
        default=None, description="Annotations for the runtime. Needs an engine of version 24."
    )
    stdinOpen: bool | None = Field(default=None, description="Keep its standard input open though nobody is attached.")
    tty: bool | None = Field(default=None, description="Give it a terminal.")


@dataclass(frozen=True)
class LimitsObserved:
    """See `ContainerObserved`."""

    memReservation: str | None = None
    memSwappiness: int | None = None
    oomKillDisable: bool | None = None
    oomScoreAdj: int | None = None
    cpuset: str | None = None
    cpuShares: int | None = None
    cpuPeriod: int | None = None
    cpuQuota: int | None = None
    cpuRtPeriod: int | None = None
    cpuRtRuntime: int | None = None
    blkioConfig: BlkioConfig | None = None
    storageOpt: dict[str, str] | None = None


@dataclass(frozen=True)
class SurroundingsObserved:
    """See `ContainerObserved`."""

    domainname: str | None = None
    networkMode: str | None = None
    macAddress: str | None = None
    dnsSearch: tuple[str, ...] | None = None
    dnsOpt: tuple[str, ...] | None = None
    links: dict[str, str] | None = None
    expose: tuple[str, ...] | None = None
    publishAll: bool | None = None
    pid: str | None = None
    ipc: str | None = None
    uts: str | None = None
    usernsMode: str | None = None
    cgroup: str | None = None
    cgroupParent: str | None = None
    groupAdd: tuple[str, ...] | None = None
    volumesFrom: tuple[str, ...] | None = None
    deviceCgroupRules: tuple[str, ...] | None = None
    deviceRequests: tuple[DeviceRequest, ...] | None = None
    runtime: str | None = None
    platform: str | None = None
    annotations: dict[str, str] | None = None
    stdinOpen: bool | None = None
    tty: bool | None = None
