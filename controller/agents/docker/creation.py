"""What the engine is told to create: a container's spec in the words of its API. Pure but for reading files of the spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.agents.docker.client import Json
from controller.agents.docker.environment import wanted_environment
from controller.agents.docker.joining import default_links, network_mode, networking
from controller.agents.docker.marks import CARRIED, FORMER_IMAGE, PREDECESSOR, PREDECESSOR_RESTART, labels_of
from controller.agents.docker.mounting import mounts
from controller.engine.agent import Mark, Secrets, Stalled
from resources.docker.parts import BlkioConfig, DeviceRequest, Healthcheck
from resources.docker.values import OPEN_SYSTEM_PATHS
from resources.kinds.container import Container, ContainerSpec, seccomp_profile
from resources.meta import seconds
from resources.notation import Port, exposed, ports, size


@dataclass(frozen=True, slots=True)
class Legacy:
    """What a container takes over from the one that it replaces, and notes of that one, in case that it has to come back."""

    predecessor: str = ""  # its id
    restart: str = ""  # its restart policy
    volumes: Mapping[str, str] = field(default_factory=dict)  # its anonymous volumes, by where they are mounted
    image: str = ""  # the id of its image, where that was another one

    def labels(self) -> dict[str, str]:
        carried = "\n".join(sorted(self.volumes))
        labels = {
            PREDECESSOR: self.predecessor,
            PREDECESSOR_RESTART: self.restart,
            CARRIED: carried,
            FORMER_IMAGE: self.image,
        }
        return {name: value for name, value in labels.items() if value}


NO_LEGACY = Legacy()


def create_config(
    container: Container, mark: Mark, secrets: Secrets, api: tuple[int, int], legacy: Legacy = NO_LEGACY
) -> Json:
    """The body of `POST /containers/create`; fields that the spec leaves open are left to the engine and the image.

    `api` is the version of the engine's API. Raises Stalled for a secret or a file that can't be read.
    """
    spec = container.spec
    environment = wanted_environment(container, secrets)
    labels = {**(spec.labels or {}), **environment.labels, **legacy.labels(), **labels_of(mark)}
    config: Json = {
        "Image": spec.image,
        "Cmd": spec.command or None,
        "Entrypoint": [""] if spec.entrypoint == () else spec.entrypoint,
        "Env": environment.values,
        "ExposedPorts": {f"{port.inner}/{port.protocol}": {} for port in (*_published(spec), *_exposed(spec))},
        "Hostname": spec.hostname,
        "Domainname": spec.domainname,
        "OpenStdin": spec.stdinOpen,
        "Tty": spec.tty,
        "Healthcheck": _healthcheck(spec.healthcheck),
        "StopSignal": spec.stopSignal,
        "StopTimeout": None if spec.stopGracePeriod is None else int(seconds(spec.stopGracePeriod)),
        "User": spec.user,
        "WorkingDir": spec.workingDir,
        "Labels": labels,
        "HostConfig": _declared(
            {
                **_host_config(container),
                **mounts(container, legacy.volumes, api),
                **_surroundings(spec),
                **limits(spec),
                **_fixed_limits(spec),
            }
        ),
        **networking(container, api),
    }
    return _declared(config)


def _declared(config: Mapping[str, Any]) -> Json:
    return {name: value for name, value in config.items() if value is not None}


def _host_config(container: Container) -> Json:
    spec = container.spec
    hosts = (spec.extraHosts or {}).items()
    return {
        "Tmpfs": spec.tmpfs,
        "PortBindings": _port_bindings(spec),
        "PublishAllPorts": spec.publishAll,
        "NetworkMode": network_mode(container),
        "Links": default_links(spec),
        "ExtraHosts": [f"{name}:{address}" for name, texts in hosts for address in texts.split(",")] or None,
        "Dns": spec.dns,
        "DnsSearch": spec.dnsSearch,
        "DnsOptions": spec.dnsOpt,
        "RestartPolicy": restart_policy(spec.restart),
        "ShmSize": None if spec.shmSize is None else size(spec.shmSize),
        "Ulimits": [
            {"Name": name, "Soft": limit.soft, "Hard": limit.hard} for name, limit in (spec.ulimits or {}).items()
        ],
        "Sysctls": spec.sysctls,
        "Devices": [_device(text) for text in spec.devices or ()],
        "LogConfig": None
        if spec.logging is None
        else {"Type": spec.logging.driver, "Config": spec.logging.options or {}},
        "ReadonlyRootfs": spec.readOnly,
        "Init": spec.init,
        "Privileged": spec.privileged,
        "CapAdd": spec.capAdd,
        "CapDrop": spec.capDrop,
        **_security(spec),
    }


def _security(spec: ContainerSpec) -> Json:
    if spec.securityOpt is None:
        return {}
    options = [security_option(text) for text in spec.securityOpt if text != OPEN_SYSTEM_PATHS]
    opened: Json = {"MaskedPaths": [], "ReadonlyPaths": []} if OPEN_SYSTEM_PATHS in spec.securityOpt else {}
    return {"SecurityOpt": options, **opened}


def _surroundings(spec: ContainerSpec) -> Json:
    return {
        "PidMode": spec.pid,
        "IpcMode": spec.ipc,
        "UTSMode": spec.uts,
        "UsernsMode": spec.usernsMode,
        "CgroupnsMode": spec.cgroup,
        "CgroupParent": spec.cgroupParent,
        "GroupAdd": spec.groupAdd,
        "VolumesFrom": spec.volumesFrom,
        "DeviceCgroupRules": spec.deviceCgroupRules,
        "DeviceRequests": None
        if spec.deviceRequests is None
        else [_device_request(each) for each in spec.deviceRequests],
        "Runtime": spec.runtime,
        "Annotations": spec.annotations,
    }


def _device_request(request: DeviceRequest) -> Json:
    return _declared(
        {
            "Driver": request.driver,
            "Count": request.count,
            "DeviceIDs": request.deviceIds,
            "Capabilities": [list(request.capabilities)],
            "Options": request.options,
        }
    )


def _fixed_limits(spec: ContainerSpec) -> Json:
    """The limits of a container that can't change while it lives."""
    return {
        "MemorySwappiness": spec.memSwappiness,
        "OomKillDisable": spec.oomKillDisable,
        "OomScoreAdj": spec.oomScoreAdj,
        "StorageOpt": spec.storageOpt,
        **({} if spec.blkioConfig is None else _block_devices(spec.blkioConfig)),
    }


def _block_devices(config: BlkioConfig) -> Json:
    def each(of: Mapping[str, int] | None, word: str = "Rate") -> list[Json]:
        return [{"Path": path, word: value} for path, value in sorted((of or {}).items())]

    def rates(of: Mapping[str, str] | None) -> list[Json]:
        return each({path: size(text) for path, text in (of or {}).items()})

    return {
        "BlkioWeight": config.weight,
        "BlkioWeightDevice": each(config.weightDevice, "Weight"),
        "BlkioDeviceReadBps": rates(config.deviceReadBps),
        "BlkioDeviceWriteBps": rates(config.deviceWriteBps),
        "BlkioDeviceReadIOps": each(config.deviceReadIops),
        "BlkioDeviceWriteIOps": each(config.deviceWriteIops),
    }


def limits(spec: ContainerSpec) -> Json:
    """The limits that the engine can change while the container runs. Swap goes with memory: see `memorySwap`."""
    memory = None if spec.memory is None else size(spec.memory)
    swap = None if memory is None else 2 * memory
    if spec.memorySwap is not None:
        swap = -1 if spec.memorySwap == "unlimited" else size(spec.memorySwap)
    cpus = None if spec.cpus is None else round(spec.cpus * 1e9)
    return _declared(
        {
            "Memory": memory,
            "MemorySwap": swap,
            "MemoryReservation": None if spec.memReservation is None else size(spec.memReservation),
            "NanoCpus": cpus,
            "CpuPeriod": spec.cpuPeriod,
            "CpuQuota": spec.cpuQuota,
            "CpuRealtimePeriod": spec.cpuRtPeriod,
            "CpuRealtimeRuntime": spec.cpuRtRuntime,
            "CpuShares": spec.cpuShares,
            "CpusetCpus": spec.cpuset,
            "PidsLimit": spec.pidsLimit,
        }
    )


def restart_policy(restart: str | None) -> Json | None:
    if restart is None:
        return None
    name, _, count = restart.partition(":")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def security_option(option: str) -> str:
    """The option with a seccomp profile's content in place of its path, which is how the engine takes it."""
    profile = seccomp_profile(option)
    if not profile:
        return option
    try:
        content = json.loads(Path(profile).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Stalled("ProfileUnreadable", f"cannot read the seccomp profile {profile}: {error}") from None
    return f"seccomp={json.dumps(content, separators=(',', ':'))}"


def _published(spec: ContainerSpec) -> list[Port]:
    return [port for text in spec.ports or () for port in ports(text)]


def _exposed(spec: ContainerSpec) -> list[Port]:
    return [port for text in spec.expose or () for port in exposed(text)]


def _port_bindings(spec: ContainerSpec) -> Json:
    bindings: dict[str, list[Json]] = {}
    for port in _published(spec):
        host = f"{port.host}-{port.last}" if port.last else str(port.host or "")
        binding = {"HostIp": port.ip, "HostPort": host}
        bindings.setdefault(f"{port.inner}/{port.protocol}", []).append(binding)
    return bindings


def _device(text: str) -> Json:
    source, target, permissions = text.split(":")
    return {"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": permissions}


def _healthcheck(check: Healthcheck | None) -> Json | None:
    if check is None:
        return None
    nanos = {
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.startPeriod,
        "StartInterval": check.startInterval,
    }
    return _declared(
        {
            "Test": ["NONE"] if check.disable else check.test,
            "Retries": check.retries,
            **{name: round(seconds(text) * 1e9) for name, text in nanos.items() if text is not None},
        }
    )
