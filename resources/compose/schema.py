"""Every field of a Compose file: what it may be, and how two files' words on it are merged. `files.py` reads by `FILE`.

The fields are those of the Compose Specification (https://github.com/compose-spec/compose-spec), newer ones than a given
Docker Compose knows among them. Names that begin with `x-` may stand anywhere, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resources.compose import mounts, short
from resources.compose import ports as port_forms
from resources.compose.nodes import NOWHERE, Fields, fields
from resources.compose.shapes import Number, Shape, Text, Truth
from resources.compose.structures import Listed, Named, Object

NAMES = r"^[a-zA-Z0-9._-]+$"


def _logging(base: Fields, other: Fields) -> Fields | None:
    """Options go with their driver: they are merged only where both files mean the same one."""
    drivers = base.get("driver"), other.get("driver")
    return None if drivers[0] == drivers[1] or None in drivers else other


def _started() -> Fields:
    return fields(NOWHERE, condition="service_started", required=True)


def _mounted(base: str) -> Callable[[Any], Any]:
    return lambda value: value.get("target") or f"{base}/{value.get('source')}"


def _once(shape: Shape | None = None, **how: Any) -> Listed:
    """A list in which nothing is said twice."""
    return Listed(shape or text, key=str, **how)


def _pairs(alone: Any = "") -> Named:
    """`NAME: value`, or a list of `NAME=value`. `alone`: the value of a name without one."""
    return Named(Text(numbers=True, truths=True, optional=True, keep=True), split="=", alone=alone)


text, number, truth = Text(), Number(), Truth()
flag, count = Truth(keep=True), Number(keep=True)  # whose false and 0 mean something else than their absence
fraction = Number(whole=False)
duration = Text(then=short.time, keep=True)
memory = Text(then=short.memory, numbers=True)
local_path = Text(then=short.local_path)
compose_file = Text(then=short.compose_file)
scalar = Text(numbers=True)
texts = Listed(text)
one_or_more = Listed(text, whole=short.one)
options = Named(Text(numbers=True, truths=True, optional=True, keep=True))
labels, environment = _pairs(), _pairs(alone=None)
command = Listed(text, whole=short.command, optional=True, merges=False, keep=True)
hosts = Listed(Text(then=short.host), key=str, mapping="=")
limit = Object({"soft": count, "hard": count}, required=("soft", "hard"), scalar=count)
ulimits = Named(limit, names=r"^[a-z]+$")

mount_of_file = Object(
    {"source": text, "target": text, "uid": scalar, "gid": scalar, "mode": Number(base=8, keep=True)},
    required=("source",),
    short=short.source,
)

build = Object(
    {
        "context": Text(then=short.context_path),
        "dockerfile": text,
        "dockerfile_inline": text,
        "args": _pairs(alone=None),
        "ssh": Listed(Text(then=short.ssh), key=lambda value: value.partition("=")[0], mapping="="),
        "labels": labels,
        "cache_from": texts,
        "cache_to": texts,
        "no_cache": truth,
        "no_cache_filter": one_or_more,
        "additional_contexts": Named(Text(then=short.context_path), split="="),
        "network": text,
        "provenance": Text(truths=True),
        "sbom": Text(truths=True),
        "pull": truth,
        "target": text,
        "shm_size": memory,
        "extra_hosts": hosts,
        "isolation": text,
        "privileged": truth,
        "entitlements": texts,
        "secrets": Listed(mount_of_file, key=_mounted("/run/secrets")),
        "tags": _once(),
        "ulimits": ulimits,
        "platforms": _once(),
    },
    short=short.context,
)

_rate = Listed(Object({"path": text, "rate": memory}, required=("path",)))
blkio_config = Object(
    {
        "device_read_bps": _rate,
        "device_read_iops": _rate,
        "device_write_bps": _rate,
        "device_write_iops": _rate,
        "weight": number,
        "weight_device": Listed(Object({"path": text, "weight": number}, required=("path",))),
    }
)

_gpu = {
    "capabilities": texts,
    "count": Number(words={"all": -1}),
    "device_ids": texts,
    "driver": text,
    "options": _pairs(),
}
device_request = Object(_gpu, required=("capabilities",), check=short.check_request)
gpus = Listed(Object(_gpu, check=short.check_request), whole=short.all_gpus)

_rollout = Object(
    {
        "parallelism": count,
        "delay": duration,
        "failure_action": text,
        "monitor": duration,
        "max_failure_ratio": fraction,
        "order": Text(choices=("start-first", "stop-first")),
    }
)
_generic = Object({"discrete_resource_spec": Object({"kind": text, "value": fraction})})
deploy = Object(
    {
        "mode": text,
        "endpoint_mode": text,
        "replicas": count,
        "labels": labels,
        "update_config": _rollout,
        "rollback_config": _rollout,
        "resources": Object(
            {
                "limits": Object({"cpus": fraction, "memory": memory, "pids": number}),
                "reservations": Object(
                    {
                        "cpus": fraction,
                        "memory": memory,
                        "generic_resources": Listed(_generic),
                        "devices": Listed(device_request),
                    }
                ),
            },
            keep=False,
        ),
        "restart_policy": Object({"condition": text, "delay": duration, "max_attempts": count, "window": duration}),
        "placement": Object(
            {"constraints": texts, "preferences": Listed(Object({"spread": text})), "max_replicas_per_node": number},
            keep=False,
        ),
    },
    optional=True,
)

_hook: dict[str, Shape] = {
    "command": command,
    "user": text,
    "privileged": truth,
    "working_dir": text,
    "environment": environment,
}
hooks = Listed(Object(_hook, required=("command",)))
start_hooks = Listed(Object({**_hook, "image": text, "per_replica": truth}))
watch = Object(
    {
        "path": local_path,
        "action": Text(choices=("rebuild", "sync", "restart", "sync+restart", "sync+exec")),
        "target": text,
        "ignore": one_or_more,
        "include": one_or_more,
        "exec": Object(_hook, required=("command",)),
        "initial_sync": truth,
    },
    required=("path", "action"),
)

healthcheck = Object(
    {
        "test": Listed(text, whole=short.health_test, merges=False),
        "interval": duration,
        "timeout": duration,
        "start_period": duration,
        "start_interval": duration,
        "retries": count,
        "disable": truth,
    },
    check=short.check_health,
)

port = Object(
    {
        "name": text,
        "mode": text,
        "host_ip": text,
        "target": Number(low=1, high=65535),
        "published": scalar,
        "protocol": text,
        "app_protocol": text,
    },
    required=("target",),
    check=port_forms.check_port,
)
ports = Listed(
    port,
    many=port_forms.ports,
    key=lambda value: tuple(str(value.get(name)) for name in ("host_ip", "published", "target", "protocol")),
)

volume_mount = Object(
    {
        "type": Text(choices=("bind", "volume", "tmpfs", "cluster", "npipe", "image")),
        "source": text,
        "target": text,
        "read_only": truth,
        "consistency": text,
        "bind": Object(
            {
                "propagation": text,
                "create_host_path": truth,
                "recursive": Text(choices=("enabled", "disabled", "writable", "readonly")),
                "selinux": Text(choices=("z", "Z")),
            }
        ),
        "volume": Object({"labels": labels, "nocopy": truth, "subpath": text}),
        "tmpfs": Object({"size": memory, "mode": Number(base=8)}),
        "image": Object({"subpath": text}),
    },
    required=("type", "target"),
    short=mounts.volume,
    check=mounts.check_volume,
)

service_network = Object(
    {
        "aliases": _once(),
        "interface_name": text,
        "ipv4_address": text,
        "ipv6_address": text,
        "link_local_ips": _once(),
        "mac_address": text,
        "driver_opts": options,
        "priority": number,
        "gw_priority": number,
    },
    optional=True,
)
dependency = Object(
    {
        "condition": Text(choices=("service_started", "service_healthy", "service_completed_successfully")),
        "restart": truth,
        "required": flag,
    },
    required=("condition",),
)
env_files = Listed(
    Object({"path": local_path, "format": text, "required": flag}, required=("path",), short=short.env_file),
    key=lambda value: value.get("path"),
    whole=short.one_env_file,
)
device = Object({"source": text, "target": text, "permissions": text}, required=("source",), short=mounts.device)

service = Object(
    {
        "annotations": labels,
        "attach": flag,
        "build": build,
        "blkio_config": blkio_config,
        "cap_add": _once(),
        "cap_drop": _once(),
        "cgroup": Text(choices=("host", "private")),
        "cgroup_parent": text,
        "command": command,
        "configs": Listed(mount_of_file, key=_mounted("")),
        "container_name": Text(pattern=r"^$|[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
        "cpu_count": Number(low=0),
        "cpu_percent": Number(whole=False, low=0, high=100),
        "cpu_period": Text(numbers=True, then=short.microseconds),
        "cpu_quota": number,
        "cpu_rt_period": Text(numbers=True, then=short.microseconds),
        "cpu_rt_runtime": Text(numbers=True, then=short.microseconds),
        "cpu_shares": number,
        "cpus": fraction,
        "cpuset": text,
        "credential_spec": Object({"config": text, "file": text, "registry": text}),
        "depends_on": Named(dependency, names=NAMES, listed=_started),
        "deploy": deploy,
        "develop": Object({"watch": Listed(watch)}, optional=True),
        "device_cgroup_rules": _once(),
        "devices": Listed(device, key=lambda value: value.get("target") or value.get("source")),
        "dns": _once(Text(then=short.anything), whole=short.one_or_none),
        "dns_opt": _once(),
        "dns_search": _once(whole=short.one),
        "domainname": text,
        "entrypoint": command,
        "env_file": env_files,
        "environment": environment,
        "expose": _once(scalar),
        "extends": Object({"service": text, "file": compose_file}, required=("service",), short=short.extended),
        "external_links": _once(),
        "extra_hosts": hosts,
        "gpus": gpus,
        "group_add": _once(scalar),
        "healthcheck": healthcheck,
        "hostname": text,
        "image": text,
        "init": flag,
        "ipc": text,
        "isolation": text,
        "label_file": Listed(local_path, key=str, whole=short.one_path),
        "labels": labels,
        "links": _once(),
        "logging": Object({"driver": text, "options": options}, merge=_logging),
        "mac_address": text,
        "mem_limit": memory,
        "mem_reservation": memory,
        "mem_swappiness": Text(numbers=True, then=short.swappiness),
        "memswap_limit": memory,
        "models": Named(
            Object({"endpoint_var": text, "model_var": text}, optional=True), names=NAMES, listed=lambda: None
        ),
        "network_mode": text,
        "networks": Named(service_network, names=NAMES, listed=lambda: None),
        "oom_kill_disable": truth,
        "oom_score_adj": Number(low=-1000, high=1000),
        "pid": Text(optional=True),
        "pids_limit": number,
        "platform": text,
        "ports": ports,
        "post_start": hooks,
        "pre_start": start_hooks,
        "pre_stop": hooks,
        "privileged": truth,
        "profiles": _once(),
        "provider": Object({"type": text, "options": Named(Shape())}, required=("type",)),
        "pull_policy": Text(
            pattern=r"^(always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+)$",
            like="write always, missing, never, build, daily, weekly, or every_12h with a time of yours",
        ),
        "pull_refresh_after": duration,
        "read_only": truth,
        "restart": text,
        "runtime": text,
        "scale": count,
        "secrets": Listed(mount_of_file, key=_mounted("/run/secrets")),
        "security_opt": _once(),
        "shm_size": memory,
        "stdin_open": truth,
        "stop_grace_period": duration,
        "stop_signal": text,
        "storage_opt": options,
        "sysctls": labels,
        "tmpfs": Listed(text, key=lambda value: value.partition(":")[0], whole=short.one),
        "tty": truth,
        "ulimits": ulimits,
        "use_api_socket": truth,
        "user": text,
        "userns_mode": text,
        "uts": text,
        "volumes": Listed(volume_mount, key=lambda value: value.get("target")),
        "volumes_from": _once(),
        "working_dir": text,
    }
)

_external = Object({"name": text}, scalar=truth)
_pool = Object({"subnet": text, "ip_range": text, "gateway": text, "aux_addresses": Named(text)})
network = Object(
    {
        "name": text,
        "driver": text,
        "driver_opts": options,
        "ipam": Object(
            {
                "driver": text,
                "config": Listed(_pool, key=lambda value: value.get("subnet"), merges_items=True),
                "options": options,
            },
            keep=False,
        ),
        "external": _external,
        "internal": truth,
        "enable_ipv4": flag,
        "enable_ipv6": flag,
        "attachable": truth,
        "labels": labels,
    },
    optional=True,
    check=short.external,
)
volume = Object(
    {"name": text, "driver": text, "driver_opts": options, "external": _external, "labels": labels},
    optional=True,
    check=short.external,
)
_file: dict[str, Shape] = {
    "name": text,
    "environment": text,
    "file": local_path,
    "external": _external,
    "labels": labels,
    "template_driver": text,
}
config = Object({**_file, "content": text}, check=short.external)
secret = Object({**_file, "driver": text, "driver_opts": options}, check=short.external)
model = Object({"name": text, "model": text, "context_size": number, "runtime_flags": texts}, required=("model",))
include = Object(
    {
        "path": Listed(compose_file, whole=short.one_compose_file),
        "env_file": Listed(local_path, whole=short.one_path),
        "project_directory": local_path,
    },
    short=short.included,
    required=("path",),
)

FILE = Object(
    {
        "name": text,
        "version": scalar,
        "include": Listed(include),
        "services": Named(service, names=NAMES),
        "networks": Named(network, names=NAMES),
        "volumes": Named(volume, names=NAMES),
        "configs": Named(config, names=NAMES),
        "secrets": Named(secret, names=NAMES),
        "models": Named(model, names=NAMES),
    }
)
