"""A service -> the spec of its containers, as plain values. `mapping.py` makes a Container of them for each instance.

What a field is kept in stands in the table of `fields.py`; here is how.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from resources.compose.mapping.env_files import env_files, labels_of_files
from resources.compose.mapping.granted import file_mounts, inner_files
from resources.compose.mapping.marks import UNCOMPARED, container_labels
from resources.compose.mapping.mounts import mounts_of, tmpfs_of, volumes_from
from resources.compose.mapping.networking import networking_of, ports_of
from resources.compose.mapping.notes import Path
from resources.compose.mapping.plain import camel, positive, size, swap, text, texts, ulimits
from resources.compose.mapping.scene import Instance, Scene
from resources.meta import seconds

Spec = dict[str, Any]
Json = Mapping[str, Any]


def _as_it_is(value: Any) -> Any:
    return value


def _options(options: Json) -> Any:
    return {name: text(value) for name, value in options.items() if value is not None}


def _logging(logging: Json) -> Any:
    return {"driver": logging.get("driver") or "json-file", "options": _options(logging.get("options") or {}) or None}


def _devices(devices: list[Any]) -> Any:
    """`source:target:permissions`, also of the form with fields of their own."""
    return [
        each
        if isinstance(each, str)
        else ":".join(filter(None, (each.get("source"), each.get("target"), each.get("permissions"))))
        for each in devices
    ]


def _blkio(config: Json) -> Any:
    """Devices by their paths, in place of lists."""
    return {
        camel(name): {each["path"]: each.get("weight", each.get("rate")) for each in value}
        if isinstance(value, list)
        else value
        for name, value in config.items()
        if value
    }


def _device_requests(devices: Any) -> Any:
    """`all` is every graphics card."""
    if devices == "all":
        return [{"capabilities": ["gpu"], "count": -1}]
    return [_device_request({name: value for name, value in each.items() if value is not None}) for each in devices]


def _device_request(device: dict[str, Any]) -> Any:
    count = device.pop("count", None)
    found = {camel(name): value for name, value in device.items()} | ({"count": _count(count)} if count else {})
    if not count and not found.get("deviceIds"):
        found["count"] = -1
    return {"capabilities": ["gpu"], **found}


def _count(count: Any) -> int:
    return -1 if count == "all" else int(count)


# Field of a service -> field of a container, and how its value is written there.
_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "annotations": ("annotations", _options),
    "blkio_config": ("blkioConfig", _blkio),
    "cap_add": ("capAdd", texts),
    "cap_drop": ("capDrop", texts),
    "cgroup": ("cgroup", _as_it_is),
    "cgroup_parent": ("cgroupParent", _as_it_is),
    "cpu_period": ("cpuPeriod", _as_it_is),
    "cpu_quota": ("cpuQuota", positive),
    "cpu_rt_period": ("cpuRtPeriod", _as_it_is),
    "cpu_rt_runtime": ("cpuRtRuntime", _as_it_is),
    "cpu_shares": ("cpuShares", positive),
    "cpus": ("cpus", positive),
    "cpuset": ("cpuset", text),
    "device_cgroup_rules": ("deviceCgroupRules", texts),
    "devices": ("devices", _devices),
    "dns": ("dns", texts),
    "dns_opt": ("dnsOpt", texts),
    "dns_search": ("dnsSearch", texts),
    "domainname": ("domainname", text),
    "expose": ("expose", texts),
    "gpus": ("deviceRequests", _device_requests),
    "group_add": ("groupAdd", texts),
    "hostname": ("hostname", text),
    "init": ("init", _as_it_is),
    "labels": ("labels", _options),
    "logging": ("logging", _logging),
    "mac_address": ("macAddress", text),
    "mem_limit": ("memory", size),
    "mem_reservation": ("memReservation", size),
    "mem_swappiness": ("memSwappiness", int),
    "memswap_limit": ("memorySwap", swap),
    "oom_kill_disable": ("oomKillDisable", _as_it_is),
    "oom_score_adj": ("oomScoreAdj", int),
    "pids_limit": ("pidsLimit", positive),
    "platform": ("platform", text),
    "privileged": ("privileged", _as_it_is),
    "read_only": ("readOnly", _as_it_is),
    "restart": ("restart", text),
    "runtime": ("runtime", text),
    "shm_size": ("shmSize", size),
    "stdin_open": ("stdinOpen", _as_it_is),
    "stop_grace_period": ("stopGracePeriod", text),
    "stop_signal": ("stopSignal", text),
    "storage_opt": ("storageOpt", _options),
    "sysctls": ("sysctls", _options),
    "tty": ("tty", _as_it_is),
    "ulimits": ("ulimits", ulimits),
    "user": ("user", text),
    "userns_mode": ("usernsMode", text),
    "uts": ("uts", text),
    "working_dir": ("workingDir", text),
}
_PULLING = {"always": "always", "never": "never", "missing": "missing", "if_not_present": "missing"}
_SHARED = ("pid", "ipc")


def container_spec(scene: Scene, instance: Instance) -> Spec:
    """The spec of one instance. What can't be kept is noted."""
    service = scene.project.services[instance.service]
    path: Path = ("services", instance.service)
    found: Spec = {"image": scene.runs(instance.service)}
    for name, (field, convert) in _FIELDS.items():
        if service.get(name) is not None:
            found[field] = convert(service[name])
    found["securityOpt"] = _security_options(scene, service)
    found |= _words(service)
    found |= _sharing(scene, service)
    found |= _health(service.get("healthcheck"))
    found |= _deploy(scene, service, instance)
    found |= _environment(scene, service, path)
    found |= ports_of(scene, instance)
    found["volumesFrom"] = volumes_from(scene, instance) or None
    found |= networking_of(scene, instance)
    mounts = [*mounts_of(scene, instance), *file_mounts(scene, instance)]
    found |= {
        "volumes": mounts or None,
        "tmpfs": tmpfs_of(service) or None,
        "files": inner_files(scene, instance) or None,
    }
    found["labels"] = {
        **labels_of_files(scene, service, path),
        **(found.get("labels") or {}),
        **container_labels(scene.project, instance.service, instance.number),
    }
    found["pullPolicy"] = _pull_policy(service)
    found["dependsOn"] = list(dict.fromkeys(_dependencies(scene, service, instance)))
    found["ignore"] = [UNCOMPARED]
    if _completes(scene, instance.service):
        found["state"] = "completed"
    return {name: value for name, value in found.items() if value is not None}


def _words(service: Json) -> Spec:
    """An empty command is the image's, as the engine has it; an empty entrypoint is none."""
    found: Spec = {}
    if service.get("command"):
        found["command"] = texts(service["command"])
    if service.get("entrypoint") is not None:
        found["entrypoint"] = texts(service["entrypoint"])
    return found


def _security_options(scene: Scene, service: Json) -> list[str] | None:
    """A seccomp profile is looked for in the directory of the project."""
    found = []
    for option in service.get("security_opt") or ():
        name, sign, profile = re.fullmatch("([^:=]*)([:=]?)(.*)", option, re.DOTALL).groups()  # type: ignore[union-attr]
        is_path = name == "seccomp" and profile not in ("unconfined", "builtin")
        found.append(f"{name}{sign}{scene.project.directory / profile}" if is_path else option)
    return found or None


def _pull_policy(service: Json) -> str | None:
    """None where an Image brings it: see `images.py`."""
    return _PULLING.get(service.get("pull_policy") or "") if not service.get("build") else None


def _sharing(scene: Scene, service: Json) -> Spec:
    """Namespaces that it may share with another container."""
    return {name: _of_container(scene, service[name]) for name in _SHARED if service.get(name)}


def _of_container(scene: Scene, mode: str) -> str:
    """`service:web` as the container that is meant: the first of that service."""
    kind, _, name = mode.partition(":")
    instances = scene.instances.get(name) if kind == "service" else None
    return f"container:{instances[0].container}" if instances else mode


def _health(check: Json | None) -> Spec:
    if not check:
        return {}
    if check.get("disable") or check.get("test") == ["NONE"]:
        return {"healthcheck": {"disable": True}}
    spans = {
        "interval": "interval",
        "timeout": "timeout",
        "start_period": "startPeriod",
        "start_interval": "startInterval",
    }
    found = {field: text(check[name]) for name, field in spans.items() if check.get(name) is not None}
    more = {name: check[name] for name in ("test", "retries") if check.get(name)}
    return {"healthcheck": found | more}


def _deploy(scene: Scene, service: Json, instance: Instance) -> Spec:
    deploy = service.get("deploy") or {}
    limits, reserved = (((deploy.get("resources") or {}).get(name) or {}) for name in ("limits", "reservations"))
    update = deploy.get("update_config") or {}
    found: Spec = {}
    if limits.get("cpus"):
        found["cpus"] = float(limits["cpus"])
    if limits.get("memory"):
        found["memory"] = size(limits["memory"])
    if limits.get("pids"):
        found["pidsLimit"] = int(limits["pids"])
    if reserved.get("memory"):
        found["memReservation"] = size(reserved["memory"])
    if reserved.get("devices"):
        found["deviceRequests"] = _device_requests(reserved["devices"])
    if policy := deploy.get("restart_policy"):
        found["restart"] = _restart(policy)
    if update.get("order") == "start-first":
        found["strategy"] = "startFirst"
    if update.get("failure_action"):
        found["rollback"] = update["failure_action"] == "rollback"
    if update.get("monitor"):
        found["minReadySeconds"] = ceil(seconds(update["monitor"]))
    return found


def _restart(policy: Json) -> str | None:
    condition, attempts = policy.get("condition"), policy.get("max_attempts")
    known = {"none": "no", "no": "no", "any": "always", "always": "always", "unless-stopped": "unless-stopped"}
    if condition == "on-failure":
        return f"on-failure:{attempts}" if attempts else "on-failure"
    return known.get(str(condition)) if condition else None


def _environment(scene: Scene, service: Json, path: Path) -> Spec:
    values = service.get("environment") or {}
    for name in (name for name, value in values.items() if value is None):
        scene.notes.warn((*path, "environment", name), f"{name} is left out: nothing gives it a value")
    env = {name: text(value) for name, value in values.items() if value is not None}
    return {"env": env or None, "envFile": env_files(scene, service, path) or None}


def _dependencies(scene: Scene, service: Json, instance: Instance) -> Iterator[str]:
    """All instances of what the service depends on; and of its own, those that are to be updated before."""
    for name in service.get("depends_on") or {}:
        yield from (each.reference for each in scene.instances.get(name, ()))
    update = (service.get("deploy") or {}).get("update_config")
    if update:
        at_a_time = int(update.get("parallelism", 1))
        before = instance.number - at_a_time
        if at_a_time and before >= 1:
            yield scene.instances[instance.service][before - 1].reference


def _completes(scene: Scene, service: str) -> bool:
    """Whether its containers are to end: somebody waits for that, or it is declared so."""
    if service in scene.completed or service in scene.awaited:
        return True
    deploy = scene.project.services[service].get("deploy") or {}
    return str(deploy.get("mode") or "").endswith("-job")


_WRITTEN_AS = {field: name for name, (field, _) in _FIELDS.items()} | {
    "volumes": "volumes",
    "networks": "networks",
    "ports": "ports",
    "extraHosts": "extra_hosts",
    "files": "secrets",
    "securityOpt": "security_opt",
    "command": "command",
    "containerName": "container_name",
    "dependsOn": "depends_on",
    "entrypoint": "entrypoint",
    "env": "environment",
    "envFile": "env_file",
    "healthcheck": "healthcheck",
    "image": "image",
    "ipc": "ipc",
    "links": "links",
    "networkMode": "network_mode",
    "pid": "pid",
    "tmpfs": "tmpfs",
    "volumesFrom": "volumes_from",
}

_OF_AN_UPDATE = {"strategy": "order", "rollback": "failure_action", "minReadySeconds": "monitor"}


def written_as(path: Sequence[str | int]) -> Path:
    """The field of a service that a field of its container's spec comes from."""
    field = str(path[0]) if path else ""
    if field in _OF_AN_UPDATE:
        return ("deploy", "update_config", _OF_AN_UPDATE[field])
    return (_WRITTEN_AS[field],) if field in _WRITTEN_AS else ()
