"""Changes a container that stays: its name, limits, restart policy, networks, and whether it runs.

The engine can change these live. It takes a limit of 0 for "not given", so a limit can be set but not taken away.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.agents.docker.client import Json, WritableEngine
from controller.agents.docker.creation import limits, restart_policy
from controller.agents.docker.failures import explained, tolerated
from controller.agents.docker.joining import endpoint_of, wanted_networks
from controller.agents.docker.making import start
from controller.agents.docker.replacement import take_name
from controller.agents.docker.stopping import halt
from resources.docker.names import LONE_NETWORKS
from resources.docker.parts import Attachment, State
from resources.kinds.container import Container, ContainerSpec
from resources.plan import Change

# Fields that can be changed live, with the limits' names in the API.
LIMITS = {
    "memory": ("Memory", "MemorySwap"),
    "memorySwap": ("Memory", "MemorySwap"),
    "memReservation": ("MemoryReservation",),
    "cpus": ("NanoCpus",),
    "cpuPeriod": ("CpuPeriod",),
    "cpuQuota": ("CpuQuota",),
    "cpuRtPeriod": ("CpuRealtimePeriod",),
    "cpuRtRuntime": ("CpuRealtimeRuntime",),
    "cpuShares": ("CpuShares",),
    "cpuset": ("CpusetCpus",),
    "pidsLimit": ("PidsLimit",),
}
CONTENTS = "contents"  # of mounted files, with which it was not started
TAG = "tag"  # what its tag names: an image that was given up
LIVE = frozenset({*LIMITS, "restart", "networks", "state", "containerName", "leftovers", TAG, CONTENTS})
# What can change about a container that has done its work without making it do it again.
SETTLED = frozenset({"containerName", "leftovers", "state", TAG, CONTENTS})


def field_of(change: Change) -> str:
    """The field of the spec that a change lies in."""
    return change.path.partition(".")[0]


def can_stay(desired: Container, observed_networks: Sequence[Attachment], changes: Sequence[Change]) -> bool:
    """Whether all of `changes` can be made without a new container."""
    fields = {field_of(change) for change in changes}
    if not fields <= LIVE:
        return False
    if desired.spec.state is State.COMPLETED and not fields <= SETTLED:
        return False
    settable = limits(desired.spec)
    if any(name not in settable for field in fields & LIMITS.keys() for name in LIMITS[field]):
        return False
    if "networks" not in fields:
        return True
    networks = {each.name for each in (*wanted_networks(desired.spec), *observed_networks)}
    return not networks & LONE_NETWORKS and _fixed(wanted_networks(desired.spec)) == _fixed(observed_networks)


def _fixed(attachments: Sequence[Attachment]) -> set[tuple[str, str | None, int | None]]:
    """What of the connections can only be said when the container is created."""
    return {(each.name, each.macAddress, each.gwPriority) for each in attachments if each.macAddress or each.gwPriority}


def adjust(
    engine: WritableEngine, container: Container, live: Json, networks: Sequence[Attachment], fields: set[str]
) -> None:
    """Makes `fields` of a live container as its spec has them. `networks`: those it is observed to be connected to."""
    name, identity = container.container_name, live["Id"]
    with explained(f"change the container {name}"):
        if "containerName" in fields:
            take_name(engine, identity, name)
        if settings := _settings(container.spec, fields):
            engine.update_container(identity, settings)
        if "networks" in fields:
            _connect(engine, container, identity, networks)
        if "state" in fields:
            _bring_to_state(engine, container, live)


def _settings(spec: ContainerSpec, fields: set[str]) -> Json:
    wanted = limits(spec)
    settings = {name: wanted[name] for field in fields & LIMITS.keys() for name in LIMITS[field]}
    if "restart" in fields:
        settings["RestartPolicy"] = restart_policy(spec.restart or "no")
    return settings


def _connect(engine: WritableEngine, container: Container, identity: str, live: Sequence[Attachment]) -> None:
    """New networks are joined before old ones are left, so that it is never without one."""
    before = {container.network_name(each): each for each in live}
    after = {container.network_name(each): each for each in wanted_networks(container.spec)}
    for network, attachment in after.items():
        if before.get(network) == attachment:
            continue
        if network in before:
            engine.disconnect_network(network, identity)
        engine.connect_network(network, identity, endpoint_of(container, attachment))
    for network in before.keys() - after.keys():
        with tolerated(404):
            engine.disconnect_network(network, identity)


def _bring_to_state(engine: WritableEngine, container: Container, live: Json) -> None:
    if container.spec.state is State.STOPPED:
        halt(engine, live)
    elif live["State"].get("Paused"):
        engine.unpause(live["Id"])
    else:
        start(engine, container, live["Id"])
