"""Every field of the Compose Specification, and what becomes of it here. The mapping, the docs and their tests go by this table.

A field is named by its path, `*` standing for any name or place in a list. One that nothing stands below covers all that is
written below it. https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class How(Enum):
    """What becomes of a field."""

    KEPT = "kept"  # in the field of a resource that `text` names
    READ = "read"  # it has said all that it can when the files are read
    NOTED = "left out"  # with a warning: on one machine it changes nothing; `text` says why
    REFUSED = "refused"  # an error; `text` says why


@dataclass(frozen=True, slots=True)
class Field:
    how: How
    text: str


def _kept(text: str) -> Field:
    return Field(How.KEPT, text)


def _read(text: str) -> Field:
    return Field(How.READ, text)


def _noted(text: str) -> Field:
    return Field(How.NOTED, text)


def _refused(text: str) -> Field:
    return Field(How.REFUSED, text)


_WINDOWS = "only engines on Windows have it"
_SWARM = "only a swarm of several machines has a use for it"

_PROJECT = {
    "version": _read("without a meaning, as in Docker Compose"),
    "name": _read("the project's name: of containers, networks, volumes and labels"),
    "include": _read("the files are read, too"),
    "services": _kept("Container, Image"),
    "networks": _kept("Network"),
    "volumes": _kept("Volume"),
    "configs": _kept("mounts of the containers that use them"),
    "secrets": _kept("mounts of the containers that use them"),
    "models": _refused("nothing here runs models: run a model server as a service"),
}

_SERVICE = {
    "annotations": _kept("Container.annotations"),
    "attach": _noted("it is about what docker compose up shows"),
    "blkio_config": _kept("Container.blkioConfig"),
    "build": _kept("Image.build"),
    "cap_add": _kept("Container.capAdd"),
    "cap_drop": _kept("Container.capDrop"),
    "cgroup": _kept("Container.cgroup"),
    "cgroup_parent": _kept("Container.cgroupParent"),
    "command": _kept("Container.command"),
    "configs": _kept("Container.volumes, read-only, or Container.files"),
    "configs.*.source": _kept("which of the project's configs"),
    "configs.*.target": _kept("Container.volumes.target"),
    "configs.*.uid": _kept("Container.files.uid; a file that is mounted stays as it is, with a warning"),
    "configs.*.gid": _kept("Container.files.gid; a file that is mounted stays as it is, with a warning"),
    "configs.*.mode": _kept("Container.files.mode; a file that is mounted stays as it is, with a warning"),
    "container_name": _kept("Container.containerName"),
    "cpu_count": _refused(_WINDOWS),
    "cpu_percent": _refused(_WINDOWS),
    "cpu_period": _kept("Container.cpuPeriod"),
    "cpu_quota": _kept("Container.cpuQuota"),
    "cpu_rt_period": _kept("Container.cpuRtPeriod"),
    "cpu_rt_runtime": _kept("Container.cpuRtRuntime"),
    "cpu_shares": _kept("Container.cpuShares"),
    "cpus": _kept("Container.cpus"),
    "cpuset": _kept("Container.cpuset"),
    "credential_spec": _refused(_WINDOWS),
    "depends_on": _kept(
        "Container.dependsOn: the dependency is Ready first, which is healthy where it has a healthcheck"
    ),
    "depends_on.*.condition": _kept("service_completed_successfully makes the dependency state: completed"),
    "depends_on.*.required": _kept("false: a service that is not enabled is not waited for"),
    "depends_on.*.restart": _noted(
        "a container that others depend on is replaced alone; one that shares its network or processes goes with it"
    ),
    "develop": _noted("it is for docker compose watch"),
    "device_cgroup_rules": _kept("Container.deviceCgroupRules"),
    "devices": _kept("Container.devices"),
    "dns": _kept("Container.dns"),
    "dns_opt": _kept("Container.dnsOpt"),
    "dns_search": _kept("Container.dnsSearch"),
    "domainname": _kept("Container.domainname"),
    "entrypoint": _kept("Container.entrypoint"),
    "env_file": _kept("Container.envFile"),
    "env_file.*.path": _kept("Container.envFile"),
    "env_file.*.required": _kept("false: left out where it is not there"),
    "env_file.*.format": _kept("Container.envFile: refused where a container would read the file otherwise"),
    "environment": _kept("Container.env"),
    "expose": _kept("Container.expose"),
    "extends": _read("merged before"),
    "external_links": _kept("Container.links"),
    "extra_hosts": _kept("Container.extraHosts"),
    "gpus": _kept("Container.deviceRequests"),
    "group_add": _kept("Container.groupAdd"),
    "healthcheck": _kept("Container.healthcheck"),
    "healthcheck.disable": _kept("Container.healthcheck.disable"),
    "healthcheck.interval": _kept("Container.healthcheck.interval"),
    "healthcheck.retries": _kept("Container.healthcheck.retries"),
    "healthcheck.start_interval": _kept("Container.healthcheck.startInterval"),
    "healthcheck.start_period": _kept("Container.healthcheck.startPeriod"),
    "healthcheck.test": _kept("Container.healthcheck.test"),
    "healthcheck.timeout": _kept("Container.healthcheck.timeout"),
    "hostname": _kept("Container.hostname"),
    "image": _kept("Container.image; beside build, Image.image"),
    "init": _kept("Container.init"),
    "ipc": _kept("Container.ipc"),
    "isolation": _refused(_WINDOWS),
    "label_file": _kept("Container.labels"),
    "labels": _kept("Container.labels"),
    "links": _kept("Container.links, and Container.dependsOn"),
    "logging": _kept("Container.logging"),
    "logging.driver": _kept("Container.logging.driver"),
    "logging.options": _kept("Container.logging.options"),
    "mac_address": _kept("Container.macAddress"),
    "mem_limit": _kept("Container.memory"),
    "mem_reservation": _kept("Container.memReservation"),
    "mem_swappiness": _kept("Container.memSwappiness"),
    "memswap_limit": _kept("Container.memorySwap"),
    "models": _refused("nothing here runs models: run a model server as a service"),
    "network_mode": _kept("Container.networkMode; host and none: Container.networks"),
    "networks": _kept("Container.networks"),
    "networks.*.aliases": _kept("Container.networks.aliases, with the names of service and container"),
    "networks.*.driver_opts": _kept("Container.networks.driverOpts"),
    "networks.*.gw_priority": _kept("Container.networks.gwPriority"),
    "networks.*.interface_name": _refused("no engine that Pegasus2 is tested with has it"),
    "networks.*.ipv4_address": _kept("Container.networks.ipv4Address"),
    "networks.*.ipv6_address": _kept("Container.networks.ipv6Address"),
    "networks.*.link_local_ips": _kept("Container.networks.linkLocalIps"),
    "networks.*.mac_address": _kept("Container.networks.macAddress"),
    "networks.*.priority": _kept("Container.networks.priority"),
    "oom_kill_disable": _kept("Container.oomKillDisable"),
    "oom_score_adj": _kept("Container.oomScoreAdj"),
    "pid": _kept("Container.pid"),
    "pids_limit": _kept("Container.pidsLimit"),
    "platform": _kept("Container.platform, Image.platform"),
    "ports": _kept("Container.ports"),
    "ports.*.app_protocol": _noted("it is a note for other programs"),
    "ports.*.host_ip": _kept("Container.ports"),
    "ports.*.mode": _read("without a swarm both modes are one"),
    "ports.*.name": _noted("it is a note for people"),
    "ports.*.protocol": _kept("Container.ports"),
    "ports.*.published": _kept("Container.ports"),
    "ports.*.target": _kept("Container.ports"),
    "post_start": _refused("nothing is run in a container after its start: make it part of its command"),
    "pre_start": _refused("no containers are run before it: make a service of it that others depend on"),
    "pre_stop": _refused("nothing is run in a container before its stop: have its command handle the stop signal"),
    "privileged": _kept("Container.privileged"),
    "profiles": _read("services of other profiles are left out"),
    "provider": _refused("no programs are run in place of containers"),
    "pull_policy": _kept(
        "Container.pullPolicy; daily, weekly and every_…: an Image with updatePolicy: tag and interval"
    ),
    "pull_refresh_after": _kept("the interval of an Image with updatePolicy: tag"),
    "read_only": _kept("Container.readOnly"),
    "restart": _kept("Container.restart"),
    "runtime": _kept("Container.runtime"),
    "scale": _kept("so many Containers"),
    "secrets": _kept("Container.volumes, read-only, or Container.files"),
    "secrets.*.source": _kept("which of the project's secrets"),
    "secrets.*.target": _kept("Container.volumes.target"),
    "secrets.*.uid": _kept("Container.files.uid; a file that is mounted stays as it is, with a warning"),
    "secrets.*.gid": _kept("Container.files.gid; a file that is mounted stays as it is, with a warning"),
    "secrets.*.mode": _kept("Container.files.mode; a file that is mounted stays as it is, with a warning"),
    "security_opt": _kept("Container.securityOpt"),
    "shm_size": _kept("Container.shmSize"),
    "stdin_open": _kept("Container.stdinOpen"),
    "stop_grace_period": _kept("Container.stopGracePeriod"),
    "stop_signal": _kept("Container.stopSignal"),
    "storage_opt": _kept("Container.storageOpt"),
    "sysctls": _kept("Container.sysctls"),
    "tmpfs": _kept("Container.tmpfs"),
    "tty": _kept("Container.tty"),
    "ulimits": _kept("Container.ulimits"),
    "use_api_socket": _refused("mount /var/run/docker.sock, if the container may have all rights on the machine"),
    "user": _kept("Container.user"),
    "userns_mode": _kept("Container.usernsMode"),
    "uts": _kept("Container.uts"),
    "volumes": _kept("Container.volumes"),
    "volumes.*.bind.create_host_path": _kept("Container.volumes.createHostPath"),
    "volumes.*.bind.propagation": _kept("Container.volumes.propagation"),
    "volumes.*.bind.recursive": _kept("Container.volumes.recursive"),
    "volumes.*.bind.selinux": _kept("Container.volumes.selinux"),
    "volumes.*.consistency": _noted("it is for engines in a virtual machine"),
    "volumes.*.image": _refused("no engine that Pegasus2 is tested with mounts images"),
    "volumes.*.read_only": _kept(
        "Container.volumes.readOnly; of a file of the project's directory, Container.volumes.onChange: restart"
    ),
    "volumes.*.source": _kept("Container.volumes.source"),
    "volumes.*.target": _kept("Container.volumes.target"),
    "volumes.*.tmpfs.mode": _kept("Container.volumes.mode"),
    "volumes.*.tmpfs.size": _kept("Container.volumes.size"),
    "volumes.*.type": _kept("Container.volumes.type; npipe, cluster and image are refused"),
    "volumes.*.volume.labels": _refused("name the volume below volumes:, and give it labels there"),
    "volumes.*.volume.nocopy": _kept("Container.volumes.nocopy"),
    "volumes.*.volume.subpath": _kept("Container.volumes.subpath"),
    "volumes_from": _kept("Container.volumesFrom"),
    "working_dir": _kept("Container.workingDir"),
}

_DEPLOY = {
    "endpoint_mode": _noted(_SWARM),
    "labels": _noted("they are for a service of a swarm; those of its containers stand in labels"),
    "mode": _kept("replicated-job and global-job: Container.state: completed; global: one Container"),
    "placement": _noted(_SWARM),
    "replicas": _kept("so many Containers"),
    "resources.limits.cpus": _kept("Container.cpus"),
    "resources.limits.memory": _kept("Container.memory"),
    "resources.limits.pids": _kept("Container.pidsLimit"),
    "resources.reservations.cpus": _noted(_SWARM),
    "resources.reservations.memory": _kept("Container.memReservation"),
    "resources.reservations.generic_resources": _noted(_SWARM),
    "resources.reservations.devices": _kept("Container.deviceRequests"),
    "restart_policy.condition": _kept("Container.restart"),
    "restart_policy.max_attempts": _kept("Container.restart"),
    "restart_policy.delay": _noted("the engine waits by its own rules, longer each time"),
    "restart_policy.window": _noted("the engine counts by its own rules"),
    "rollback_config": _noted("a rollback goes the way of an update"),
    "update_config.delay": _noted("the next one waits until the one before is Ready"),
    "update_config.failure_action": _kept("Container.rollback: rollback is true, pause and continue are false"),
    "update_config.max_failure_ratio": _noted("the first that does not become Ready stops the others"),
    "update_config.monitor": _kept("Container.minReadySeconds"),
    "update_config.order": _kept("Container.strategy: startFirst or recreate"),
    "update_config.parallelism": _kept("Container.dependsOn: so many instances at a time"),
}

_BUILD = {
    "additional_contexts": _refused("a build has one context here: copy what it needs into that"),
    "args": _kept("Image.build.args"),
    "cache_from": _kept("Image.build.cacheFrom"),
    "cache_to": _noted("the engine keeps its own cache"),
    "context": _kept("Image.build.context"),
    "dockerfile": _kept("Image.build.dockerfile"),
    "dockerfile_inline": _kept("Image.build.dockerfileInline"),
    "entitlements": _refused("builds have no rights on the machine"),
    "extra_hosts": _kept("Image.build.extraHosts"),
    "isolation": _refused(_WINDOWS),
    "labels": _kept("Image.build.labels"),
    "network": _kept("Image.build.network"),
    "no_cache_filter": _refused("a build uses its cache or does not: give no_cache"),
    "no_cache": _kept("Image.build.noCache"),
    "platforms": _kept("Image.platform; of several the engine's own alone is built"),
    "privileged": _refused("builds have no rights on the machine"),
    "provenance": _noted("an engine's images have none"),
    "pull": _kept("Image.build.pull"),
    "sbom": _noted("an engine's images have none"),
    "secrets": _kept("Image.build.secrets"),
    "secrets.*.source": _kept("which of the project's secrets"),
    "secrets.*.target": _kept("the id"),
    "secrets.*.uid": _noted("the Dockerfile says how it is mounted"),
    "secrets.*.gid": _noted("the Dockerfile says how it is mounted"),
    "secrets.*.mode": _noted("the Dockerfile says how it is mounted"),
    "shm_size": _kept("Image.build.shmSize"),
    "ssh": _refused("no agent is passed on: give the key as one of secrets"),
    "tags": _kept("Image.build.tags"),
    "target": _kept("Image.build.target"),
    "ulimits": _kept("Image.build.ulimits"),
}

_NETWORK = {
    "attachable": _kept("Network.attachable"),
    "driver": _kept("Network.driver"),
    "driver_opts": _kept("Network.options"),
    "enable_ipv4": _refused("no engine that Pegasus2 is tested with can do without"),
    "enable_ipv6": _kept("Network.enableIpv6"),
    "external": _kept("Container.networks.external: the network has to be there"),
    "internal": _kept("Network.internal"),
    "ipam.driver": _kept("Network.ipam.driver"),
    "ipam.options": _kept("Network.ipam.options"),
    "ipam.config.*.aux_addresses": _kept("Network.ipam.config.auxAddresses"),
    "ipam.config.*.gateway": _kept("Network.ipam.config.gateway"),
    "ipam.config.*.ip_range": _kept("Network.ipam.config.ipRange"),
    "ipam.config.*.subnet": _kept("Network.ipam.config.subnet; one alone: Network.subnet"),
    "labels": _kept("Network.labels"),
    "name": _kept("Network.networkName"),
}

_VOLUME = {
    "driver": _kept("Volume.driver"),
    "driver_opts": _kept("Volume.options"),
    "external": _kept("Container.volumes.external: the volume has to be there"),
    "labels": _kept("Volume.labels"),
    "name": _kept("Volume.volumeName"),
}

_CONFIG = {
    "content": _kept("Container.files.content"),
    "environment": _kept("Container.files.secret: an environment variable of the controller"),
    "external": _refused("only a swarm keeps configs: name a file"),
    "file": _kept("Container.volumes.source"),
    "labels": _noted("only a swarm keeps configs, and labels on them"),
    "name": _read("only a swarm keeps configs by name"),
    "template_driver": _refused("only a swarm fills in templates: a File can do so"),
}

_SECRET = {
    "driver": _refused("only a swarm has drivers for secrets"),
    "driver_opts": _refused("only a swarm has drivers for secrets"),
    "environment": _kept("Container.files.secret: an environment variable of the controller"),
    "external": _refused("only a swarm keeps secrets: name a file, or a variable of the environment"),
    "file": _kept("Container.volumes.source"),
    "labels": _noted("only a swarm keeps secrets, and labels on them"),
    "name": _read("only a swarm keeps secrets by name"),
    "template_driver": _refused("only a swarm fills in templates"),
}


def _below(prefix: str, fields: Mapping[str, Field]) -> dict[str, Field]:
    return {f"{prefix}.{name}": field for name, field in fields.items()}


FIELDS: Mapping[str, Field] = {
    **_PROJECT,
    **_below("services.*", _SERVICE),
    **_below("services.*.deploy", _DEPLOY),
    **_below("services.*.build", _BUILD),
    **_below("networks.*", _NETWORK),
    **_below("volumes.*", _VOLUME),
    **_below("configs.*", _CONFIG),
    **_below("secrets.*", _SECRET),
}

# Paths that something stands below: what is written there is looked at field by field.
WITHIN = frozenset(path[:at] for path in FIELDS for at, sign in enumerate(path) if sign == ".")
