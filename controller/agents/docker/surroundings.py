"""The rarer fields of a live container in the words of its spec: see `translation.py`, which calls this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from controller.agents.docker.client import Json
from controller.agents.docker.images import Supplied
from controller.agents.docker.joining import observed_links, observed_mac
from resources.docker.parts import BlkioConfig, DeviceRequest
from resources.kinds.container import ContainerSpec
from resources.notation import Port, canonical_cpuset, size_text

T = TypeVar("T")

RUNTIME, IPC = "runc", "private"  # the engine's own choices, unless its settings name others


def told(declared: Any, live: T | None, default: T | None) -> T | None:
    """The live value where the spec has something to say or it is not the default, else None."""
    return live if declared is not None or live != default else None


def observed_limits(spec: ContainerSpec, host: Json) -> dict[str, Any]:
    """The fields of `LimitsObserved`."""
    swappiness = host.get("MemorySwappiness")
    return {
        "memReservation": size_text(host["MemoryReservation"]) if host.get("MemoryReservation") else None,
        "memSwappiness": None if swappiness is None or swappiness < 0 else swappiness,
        "oomKillDisable": told(spec.oomKillDisable, bool(host.get("OomKillDisable")), False),
        "oomScoreAdj": told(spec.oomScoreAdj, host.get("OomScoreAdj") or 0, 0),
        "cpuset": canonical_cpuset(host["CpusetCpus"]) if host.get("CpusetCpus") else None,
        "cpuShares": host.get("CpuShares") or None,
        "cpuPeriod": (host.get("CpuPeriod") or None) if spec.cpus is None else None,
        "cpuQuota": (host.get("CpuQuota") or None) if spec.cpus is None else None,
        "cpuRtPeriod": host.get("CpuRealtimePeriod") or None,
        "cpuRtRuntime": host.get("CpuRealtimeRuntime") or None,
        "blkioConfig": _block_devices(host),
        "storageOpt": host.get("StorageOpt") or {},
    }


def observed_surroundings(spec: ContainerSpec, live: Json, image: Supplied, names: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `SurroundingsObserved`."""
    config, host = live["Config"], live["HostConfig"]
    mode = host["NetworkMode"]
    shares = mode.startswith("container:")
    requests = host.get("DeviceRequests") or ()
    return {
        "domainname": None if shares else config.get("Domainname") or None,
        "networkMode": _shared(mode, names) if shares else None,
        "macAddress": None if shares else observed_mac(spec, live),
        "dnsSearch": tuple(host.get("DnsSearch") or ()),
        "dnsOpt": tuple(host.get("DnsOptions") or ()),
        "links": observed_links(live),
        "expose": _exposed(spec, live, image),
        "publishAll": told(spec.publishAll, bool(host.get("PublishAllPorts")), False),
        "pid": _shared(host.get("PidMode"), names),
        "ipc": told(spec.ipc, _shared(host.get("IpcMode"), names), IPC),
        "uts": host.get("UTSMode") or None,
        "usernsMode": host.get("UsernsMode") or None,
        "cgroup": host.get("CgroupnsMode") or None,
        "cgroupParent": host.get("CgroupParent") or None,
        "groupAdd": tuple(sorted({*(host.get("GroupAdd") or ())})),
        "volumesFrom": _lenders(host, names),
        "deviceCgroupRules": tuple(sorted({*(host.get("DeviceCgroupRules") or ())})),
        "deviceRequests": tuple(map(_device_request, requests)),
        "runtime": told(spec.runtime, host.get("Runtime") or None, RUNTIME),
        "platform": _platform(spec.platform, image.platform),
        "annotations": host.get("Annotations") or {},
        "stdinOpen": told(spec.stdinOpen, bool(config.get("OpenStdin")), False),
        "tty": told(spec.tty, bool(config.get("Tty")), False),
    }


def companions(live: Json) -> set[str]:
    """The ids, or names, of other containers that a live one shares something with: the engine keeps them so."""
    host = live["HostConfig"]
    modes = (host.get(field) or "" for field in ("NetworkMode", "PidMode", "IpcMode"))
    shared = {mode.partition(":")[2] for mode in modes if mode.startswith("container:")}
    return shared | {text.partition(":")[0] for text in host.get("VolumesFrom") or ()}


def _shared(mode: str | None, names: Mapping[str, str]) -> str | None:
    """With the name of the other container in place of its id, which stands only where there is none of it any more."""
    word, _, other = (mode or "").partition(":")
    if word != "container":
        return mode or None
    return f"{word}:{names.get(other) or f'{other[:12]} (gone)'}"


def _lenders(host: Json, names: Mapping[str, str]) -> tuple[str, ...]:
    parts = [text.partition(":") for text in host.get("VolumesFrom") or ()]
    found = {f"{names.get(other, other)}{':ro' if 'ro' in options.split(',') else ''}" for other, _, options in parts}
    return tuple(sorted(found))


def _exposed(spec: ContainerSpec, live: Json, image: Supplied) -> tuple[str, ...]:
    """Less what the image exposes and what is published, unless the spec exposes it, too."""
    declared = {*(spec.expose or ())}
    published = (live["HostConfig"].get("PortBindings") or {}).keys()
    supplied = (image.config.get("ExposedPorts") or {}).keys()
    found = []
    for text in live["Config"].get("ExposedPorts") or ():
        number, _, protocol = text.partition("/")
        port = Port(int(number), protocol or "tcp")
        if str(port) in declared or text not in published | supplied:
            found.append(port)
    return tuple(map(str, sorted(found)))


def _device_request(request: Json) -> DeviceRequest:
    """Alternatives among capabilities, which a spec does not know, stand as one text each."""
    alternatives = [sorted({*each}) for each in request.get("Capabilities") or ()]
    return DeviceRequest.model_construct(
        capabilities=tuple(alternatives[0]) if len(alternatives) == 1 else tuple(map(" and ".join, alternatives)),
        driver=request.get("Driver") or None,
        count=request.get("Count") or None,
        deviceIds=tuple(sorted({*(request.get("DeviceIDs") or ())})) or None,
        options=request.get("Options") or None,
    )


def _platform(declared: str | None, live: str) -> str | None:
    """The spec's own words where the image is for that platform; undeclared it is whatever the engine has chosen."""
    if declared is None:
        return None
    return declared if f"{live}/".startswith(f"{declared}/") else live


def _block_devices(host: Json) -> BlkioConfig | None:
    def each(field: str, word: str = "Rate") -> dict[str, int] | None:
        return {entry["Path"]: entry[word] for entry in host.get(field) or ()} or None

    def rates(field: str) -> dict[str, str] | None:
        return {path: size_text(rate) for path, rate in (each(field) or {}).items()} or None

    found: Json = {
        "weight": host.get("BlkioWeight") or None,
        "weightDevice": each("BlkioWeightDevice", "Weight"),
        "deviceReadBps": rates("BlkioDeviceReadBps"),
        "deviceWriteBps": rates("BlkioDeviceWriteBps"),
        "deviceReadIops": each("BlkioDeviceReadIOps"),
        "deviceWriteIops": each("BlkioDeviceWriteIOps"),
    }
    return BlkioConfig.model_construct(**found) if any(found.values()) else None
