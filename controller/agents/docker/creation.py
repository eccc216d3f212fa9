"""What the engine is told to create: a container's spec in the words of its API. Pure but for reading files of the spec."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.agents.docker.client import Json
from controller.agents.docker.environment import wanted_environment
from controller.agents.docker.marks import CARRIED, FORMER_IMAGE, PREDECESSOR, PREDECESSOR_RESTART, labels_of
from controller.engine.agent import Mark, Secrets, Stalled
from resources.docker.parts import Attachment, Healthcheck, Mount, MountType
from resources.kinds.container import Container, ContainerSpec, seccomp_profile
from resources.meta import seconds
from resources.notation import ports, size


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


def create_config(container: Container, mark: Mark, secrets: Secrets, legacy: Legacy = NO_LEGACY) -> Json:
    """The body of `POST /containers/create`; fields that the spec leaves open are left to the engine and the image.

    Raises Stalled for a secret or a file that can't be read.
    """
    spec = container.spec
    environment = wanted_environment(container, secrets)
    labels = {**(spec.labels or {}), **environment.labels, **legacy.labels(), **labels_of(mark)}
    primary = spec.networks[0] if spec.networks else None
    config: Json = {
        "Image": spec.image,
        "Cmd": spec.command or None,
        "Entrypoint": [""] if spec.entrypoint == () else spec.entrypoint,
        "Env": environment.values,
        "ExposedPorts": {f"{port.inner}/{port.protocol}": {} for text in spec.ports or () for port in ports(text)},
        "Hostname": spec.hostname,
        "Healthcheck": _healthcheck(spec.healthcheck),
        "StopSignal": spec.stopSignal,
        "StopTimeout": None if spec.stopGracePeriod is None else int(seconds(spec.stopGracePeriod)),
        "User": spec.user,
        "WorkingDir": spec.workingDir,
        "Labels": labels,
        "HostConfig": _declared(_host_config(container, legacy.volumes)),
    }
    if primary:
        endpoint = {} if primary.built_in else _endpoint(primary)
        config["NetworkingConfig"] = {"EndpointsConfig": {container.network_name(primary): endpoint}}
    return _declared(config)


def _declared(config: Mapping[str, Any]) -> Json:
    return {name: value for name, value in config.items() if value is not None}


def _host_config(container: Container, carried: Mapping[str, str]) -> Json:
    spec = container.spec
    return {
        "Mounts": [_mount(container, mount, carried) for mount in spec.volumes or ()] + _carried_mounts(spec, carried),
        "Tmpfs": spec.tmpfs,
        "PortBindings": _port_bindings(spec),
        "NetworkMode": container.network_name(spec.networks[0]) if spec.networks else None,
        "ExtraHosts": None if spec.extraHosts is None else [f"{name}:{ip}" for name, ip in spec.extraHosts.items()],
        "Dns": spec.dns,
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
        "SecurityOpt": None if spec.securityOpt is None else [security_option(text) for text in spec.securityOpt],
        **limits(spec),
    }


def limits(spec: ContainerSpec) -> Json:
    """The limits that the engine can change while the container runs. Swap goes with memory: see `memorySwap`."""
    memory = None if spec.memory is None else size(spec.memory)
    swap = None if memory is None else 2 * memory
    if spec.memorySwap is not None:
        swap = -1 if spec.memorySwap == "unlimited" else size(spec.memorySwap)
    cpus = None if spec.cpus is None else round(spec.cpus * 1e9)
    return _declared({"Memory": memory, "MemorySwap": swap, "NanoCpus": cpus, "PidsLimit": spec.pidsLimit})


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


def wanted_networks(spec: ContainerSpec) -> Sequence[Attachment]:
    """Those that the spec declares, or the engine's default."""
    unset: Sequence[Attachment] = spec.unset["networks"]
    return spec.networks or unset


def endpoint_arguments(attachment: Attachment) -> dict[str, Any]:
    """For `WritableEngine.connect_network`."""
    return {
        "aliases": list(attachment.aliases or ()) or None,
        "ipv4_address": attachment.ipv4Address,
        "ipv6_address": attachment.ipv6Address,
    }


def _endpoint(attachment: Attachment) -> Json:
    addresses = _declared({"IPv4Address": attachment.ipv4Address, "IPv6Address": attachment.ipv6Address})
    return _declared({"Aliases": attachment.aliases, "IPAMConfig": addresses or None})


def _port_bindings(spec: ContainerSpec) -> Json:
    bindings: dict[str, list[Json]] = {}
    for port in (port for text in spec.ports or () for port in ports(text)):
        binding = {"HostIp": port.ip, "HostPort": str(port.host)}
        bindings.setdefault(f"{port.inner}/{port.protocol}", []).append(binding)
    return bindings


def _mount(container: Container, mount: Mount, carried: Mapping[str, str]) -> Json:
    found: Json = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.readOnly}
    match mount.type:
        case MountType.BIND:
            found["Source"] = mount.source
            if mount.propagation:
                found["BindOptions"] = {"Propagation": mount.propagation}
        case MountType.VOLUME:
            found["Source"] = container.volume_name(mount) or carried.get(mount.target, "")
        case MountType.TMPFS:
            options = {
                "SizeBytes": size(mount.size) if mount.size else None,
                "Mode": int(mount.mode, 8) if mount.mode else None,
            }
            found["TmpfsOptions"] = _declared(options)
    return found


def _carried_mounts(spec: ContainerSpec, carried: Mapping[str, str]) -> list[Json]:
    taken = {mount.target for mount in spec.volumes or ()} | {*(spec.tmpfs or ())}
    return [
        {"Type": "volume", "Source": volume, "Target": target}
        for target, volume in sorted(carried.items())
        if target not in taken
    ]


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
    }
    return _declared(
        {
            "Test": ["NONE"] if check.disable else check.test,
            "Retries": check.retries,
            **{name: round(seconds(text) * 1e9) for name, text in nanos.items() if text is not None},
        }
    )
