"""Kind `Container`: a container of the Docker engine. Its agent is `controller/agents/docker/container.py`.

Fields are named as Compose names them, in camelCase. Values are brought into the canonical forms of `notation.py` when a
resource is loaded, so that what is written in two ways is one thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from resources.meta import (
    About,
    Claim,
    Duration,
    Key,
    LocalPath,
    Model,
    Resource,
    SecretRef,
    Spec,
    beside_the_manifest,
    seconds,
    world_name,
)
from resources.notation import (
    IMAGE,
    canonical_capability,
    canonical_device,
    canonical_duration,
    canonical_ports,
    canonical_security_option,
    canonical_signal,
    canonical_size,
    ports,
    valid_image,
)

EXAMPLE = """\
apiVersion: pegasus2.dev/v1
kind: Container
metadata:
  name: hello
  labels: {app: hello}
spec:
  image: busybox:1.37
  command:
    - sh
    - -c
    - echo "Hello, $WHOM." > /www/index.html && exec httpd -f -p 8080 -h /www
  env:
    WHOM: world
  ports:
    - "127.0.0.1:8080:8080"
  volumes:
    - {type: tmpfs, target: /www, size: 1m}
  restart: unless-stopped
  memory: 64m
  cpus: 0.5
  pidsLimit: 50
  readOnly: true
  capDrop: [ALL]
  init: true
  healthcheck:
    test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"]
    interval: 10s
    timeout: 3s
    startPeriod: 2s
"""

# Networks that every engine has; no resource declares them.
BUILT_IN_NETWORKS = frozenset({"bridge", "host", "none"})
# They take the machine's network as it is, or none: nothing can be connected beside them.
LONE_NETWORKS = frozenset({"host", "none"})

# Pegasus2's own labels, and the names it gives to the two containers of a replacement while it lasts.
OWN_LABELS = "pegasus2.dev/"
NEW_SUFFIX, OLD_SUFFIX = ".p2-new", ".p2-old"


class State(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    COMPLETED = "completed"


class PullPolicy(StrEnum):
    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


class MountType(StrEnum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


def _restart(value: Any) -> Any:
    if value is False:
        raise ValueError('cannot read restart: YAML takes an unquoted no for false; write "no" in quotes')
    return value


def _mount_source(source: str | None, info: ValidationInfo) -> str | None:
    is_path = source is not None and info.data.get("type") is MountType.BIND
    return beside_the_manifest(source, info) if is_path and source else source


def _security_options(options: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    found = []
    for option in map(canonical_security_option, options):
        name, _, profile = option.partition("=")
        if name == "seccomp" and profile not in ("unconfined", "builtin"):
            option = f"seccomp={beside_the_manifest(profile, info)}"
        found.append(option)
    return tuple(sorted(set(found)))


def _swap(text: str) -> str:
    return text if text == "unlimited" else canonical_size(text)


def _nano(cpus: float) -> float:
    """The engine counts in billionths."""
    return round(cpus, 9)


def _capabilities(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({canonical_capability(name) for name in names}))


def _devices(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({canonical_device(text) for text in texts}))


def _labels(labels: dict[str, str]) -> dict[str, str]:
    if own := [name for name in labels if name.startswith(OWN_LABELS)]:
        raise ValueError(f'cannot set the label "{own[0]}": names that begin with {OWN_LABELS} are Pegasus2\'s own')
    return labels


def _env_names(env: dict[str, Any]) -> dict[str, Any]:
    if wrong := [name for name in env if not name or "=" in name or "\0" in name]:
        raise ValueError(f'cannot use "{wrong[0]}" as the name of an environment variable')
    return env


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f'cannot use the path "{path}" in a container: write an absolute path')
    return "/" + path.strip("/")


def _tmpfs(mounts: dict[str, str]) -> dict[str, str]:
    return {_absolute(path): options for path, options in mounts.items()}


Image = Annotated[str, AfterValidator(valid_image), Field(min_length=1, json_schema_extra={"pattern": IMAGE})]
Size = Annotated[str, AfterValidator(canonical_size)]
Span = Annotated[Duration, AfterValidator(canonical_duration)]
Ports = Annotated[tuple[str, ...], AfterValidator(canonical_ports)]
Capabilities = Annotated[tuple[str, ...], AfterValidator(_capabilities)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]
InnerPath = Annotated[str, AfterValidator(_absolute)]
IPv4 = Annotated[str, AfterValidator(lambda text: str(IPv4Address(text)))]
IPv6 = Annotated[str, AfterValidator(lambda text: str(IPv6Address(text)))]
Names = Annotated[tuple[str, ...], AfterValidator(lambda names: tuple(sorted(set(names))))]


class Mount(Model):
    """Something of the machine that the container sees at `target`."""

    type: MountType = Field(description="bind: a path of this machine; volume: a named volume; tmpfs: memory.")
    source: Annotated[str | None, AfterValidator(_mount_source)] = Field(
        default=None,
        description="bind: the path, where a relative one starts at the directory of the manifest. volume: the name of a "
        "Volume resource of the same namespace; without one the engine makes a volume of its own for this container.",
    )
    target: InnerPath = Field(description="Absolute path in the container.")
    readOnly: bool = Field(default=False, description="Whether the container can only read it.")
    external: bool = Field(
        default=False, description="The volume is none of Pegasus2's: source is its name in the engine, as it is."
    )
    propagation: Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"] | None = Field(
        default=None, description="bind: how mounts made below the path later are shared. Unset: rprivate."
    )
    size: Size | None = Field(default=None, description="tmpfs: how much it holds, such as 64m. Unset: no limit.")
    mode: Annotated[str, Field(pattern="^[0-7]{3,4}$")] | None = Field(
        default=None, description='tmpfs: permissions of its root in octal, in quotes: "1777".'
    )

    @model_validator(mode="after")
    def _fits_the_type(self) -> Self:
        fitting = {
            MountType.BIND: ("source", "propagation"),
            MountType.VOLUME: ("source", "external"),
            MountType.TMPFS: ("size", "mode"),
        }[self.type]
        options = ("source", "propagation", "external", "size", "mode")
        if wrong := [name for name in options if name not in fitting and getattr(self, name)]:
            raise ValueError(f"cannot use {', '.join(wrong)} with type: {self.type}")
        if not self.source and (self.type is MountType.BIND or self.external):
            raise ValueError("cannot mount without source: say which path or volume")
        return self


class Attachment(Model):
    """A network that the container is connected to."""

    name: str = Field(
        min_length=1,
        description="Name of a Network resource of the same namespace, or one of the engine's own: bridge, host, none.",
    )
    external: bool = Field(
        default=False, description="The network is none of Pegasus2's: name is its name in the engine, as it is."
    )
    aliases: Names | None = Field(
        default=None, description="More names by which other containers of this network find it."
    )
    ipv4Address: IPv4 | None = Field(default=None, description="A fixed IPv4 address out of the network's subnet.")
    ipv6Address: IPv6 | None = Field(default=None, description="A fixed IPv6 address out of the network's subnet.")

    @property
    def built_in(self) -> bool:
        return self.name in BUILT_IN_NETWORKS

    @model_validator(mode="after")
    def _can_be_connected(self) -> Self:
        if ":" in self.name:
            raise ValueError(f'cannot connect to "{self.name}": give the name of a network')
        if self.built_in and (self.aliases or self.ipv4Address or self.ipv6Address):
            raise ValueError(
                f'cannot give aliases or addresses on the network "{self.name}": declare a Network for them'
            )
        return self


class Healthcheck(Model):
    """How the engine finds out whether the container works. What is not written is as the image says."""

    test: Annotated[tuple[str, ...], Field(min_length=2)] | None = Field(
        default=None, description='The probe: ["CMD", program, arguments…] or ["CMD-SHELL", shell command].'
    )
    interval: Span | None = Field(default=None, description="Time between probes. Unset: 30s.")
    timeout: Span | None = Field(default=None, description="A probe that takes longer has failed. Unset: 30s.")
    startPeriod: Span | None = Field(
        default=None, description="Failures within this time after the start do not count. Unset: 0s."
    )
    retries: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Failures in a row that make the container unhealthy. Unset: 3."
    )
    disable: bool | None = Field(default=None, description="Switch off the healthcheck that the image brings.")

    @model_validator(mode="after")
    def _says_what_to_do(self) -> Self:
        if self.disable and self.test:
            raise ValueError("cannot both disable the healthcheck and give its test")
        if self.test and self.test[0] not in ("CMD", "CMD-SHELL"):
            raise ValueError(f'cannot run the test "{self.test[0]}": the first word is CMD or CMD-SHELL')
        return self


class Ulimit(Model):
    """A limit of the kernel on the container's processes; -1 is none."""

    soft: int = Field(ge=-1, description="The limit in force.")
    hard: int = Field(ge=-1, description="How far a process may raise its own.")


class Logging(Model):
    """Where the engine puts what the container prints."""

    driver: str = Field(
        min_length=1, description="json-file, local, journald, syslog, none or another of the engine's."
    )
    options: dict[str, str] | None = Field(default=None, description='Options of the driver, such as max-size: "10m".')


# Their order says nothing, and the engine does not keep it.
Mounts = Annotated[tuple[Mount, ...], AfterValidator(lambda mounts: tuple(sorted(mounts, key=lambda m: m.target)))]
Attachments = Annotated[tuple[Attachment, ...], AfterValidator(lambda all: tuple(sorted(all, key=lambda a: a.name)))]


class ContainerSpec(Spec):
    """A container. A field that is not written is neither set nor compared; one that is dropped goes back to its default."""

    unset: ClassVar[dict[str, Any]] = {
        "restart": "no",
        "shmSize": "64m",
        "networks": (Attachment.model_construct(name="bridge"),),
    }

    image: Image = Field(
        description="Image by name and tag (nginx:1.27) or digest (nginx@sha256:…). A container whose tag has come to name "
        "another image on this machine is replaced."
    )
    pullPolicy: PullPolicy = Field(
        default=PullPolicy.MISSING,
        description="When to pull the image: missing (only when it is not here), always (before each creation), never.",
    )
    containerName: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")] | None = Field(
        default=None,
        description="Name in the engine. Unset: the resource's name, after its namespace if not the default.",
    )
    state: State = Field(
        default=State.RUNNING,
        description="running, stopped, or completed: it runs once, is Ready when it has ended with exit code 0, and runs "
        "again when its spec changes or the container is removed.",
    )
    minReadySeconds: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Seconds that it must have been running before it counts as Ready."
    )
    command: tuple[str, ...] | None = Field(default=None, description="Command and arguments, in place of the image's.")
    entrypoint: tuple[str, ...] | None = Field(
        default=None, description="Entrypoint in place of the image's; an empty list takes that away."
    )
    env: Annotated[dict[str, str], AfterValidator(_env_names)] | None = Field(
        default=None, description="Environment variables. They win over envFile."
    )
    secretEnv: Annotated[dict[str, SecretRef], AfterValidator(_env_names)] | None = Field(
        default=None, description="Environment variables whose values are secrets, each with where it is found."
    )
    envFile: tuple[LocalPath, ...] | None = Field(
        default=None,
        description="Files with NAME=value lines, the value plain or in quotes; later files win. Changing one replaces the "
        "container. Relative paths start at the directory of the manifest.",
    )
    ports: Ports | None = Field(
        default=None,
        description="Published ports: [ip:]host:container[/udp], such as 8080:80, 127.0.0.1:53:53/udp, 8000-8010:80-90.",
    )
    volumes: Mounts | None = Field(default=None, description="Paths, volumes and tmpfs that are mounted.")
    tmpfs: Annotated[dict[str, str], AfterValidator(_tmpfs)] | None = Field(
        default=None, description='Paths with a tmpfs each, with its mount options: {/run: "size=16m,mode=755"}.'
    )
    networks: Annotated[Attachments, Field(min_length=1)] | None = Field(
        default=None, description="Networks it is connected to. Unset: the engine's default bridge."
    )
    hostname: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Its own host name. Unset: the container's short id."
    )
    extraHosts: dict[str, str] | None = Field(
        default=None, description="Entries for /etc/hosts: name to address; host-gateway is this machine."
    )
    dns: tuple[str, ...] | None = Field(default=None, description="Name servers, in the order they are asked.")
    restart: (
        Annotated[
            str, BeforeValidator(_restart), Field(pattern=r"^(no|always|unless-stopped|on-failure(:[1-9][0-9]*)?)$")
        ]
        | None
    ) = Field(
        default=None,
        description='When the engine restarts it: "no" (in quotes), always, unless-stopped, on-failure or on-failure:5.',
    )
    healthcheck: Healthcheck | None = Field(default=None, description="How to find out whether it works.")
    stopSignal: Annotated[str, AfterValidator(canonical_signal)] | None = Field(
        default=None, description="Signal that asks it to stop. Unset: the image's, else SIGTERM."
    )
    stopGracePeriod: Span | None = Field(
        default=None, description="Time to stop in, in whole seconds, before it is killed. Unset: 10s."
    )
    memory: Size | None = Field(
        default=None, description="Memory limit, such as 512m or 1Gi; units are powers of 1024."
    )
    memorySwap: Annotated[str, AfterValidator(_swap)] | None = Field(
        default=None, description="Limit of memory and swap together, or unlimited. Unset: twice the memory."
    )
    cpus: Annotated[float, Field(gt=0), AfterValidator(_nano)] | None = Field(
        default=None, description="How many CPUs' worth of time it may use: 0.5, 2."
    )
    pidsLimit: Annotated[int, Field(ge=1)] | None = Field(default=None, description="How many processes it may have.")
    shmSize: Size | None = Field(default=None, description="Size of /dev/shm. Unset: 64m.")
    ulimits: dict[str, Ulimit] | None = Field(default=None, description="Limits of the kernel by name, such as nofile.")
    sysctls: dict[str, str] | None = Field(default=None, description="Kernel settings of its namespaces.")
    devices: Annotated[tuple[str, ...], AfterValidator(_devices)] | None = Field(
        default=None, description="Devices of the machine: /dev/host[:/dev/inside][:rwm]."
    )
    user: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description='User, or user:group, by name or in quotes by number: "1000:1000".'
    )
    workingDir: InnerPath | None = Field(default=None, description="Directory that the command starts in.")
    labels: Labels | None = Field(default=None, description="Labels on the container.")
    logging: Logging | None = Field(default=None, description="Log driver and its options. Unset: the engine's.")
    readOnly: bool | None = Field(default=None, description="Whether its root file system is read-only.")
    init: bool | None = Field(
        default=None,
        description="Run a small init that passes signals on and reaps processes. Unset: the engine's choice.",
    )
    privileged: bool | None = Field(default=None, description="Give it all rights on the machine.")
    capAdd: Capabilities | None = Field(default=None, description="Capabilities beyond the usual: NET_ADMIN, ALL.")
    capDrop: Capabilities | None = Field(default=None, description="Capabilities to do without: ALL, CHOWN.")
    securityOpt: Annotated[tuple[str, ...], AfterValidator(_security_options)] | None = Field(
        default=None,
        description="Security options: no-new-privileges, apparmor=profile, label=…, seccomp=unconfined or seccomp= and the "
        "path of a profile.",
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for problem in _contradictions(self):
            raise ValueError(problem)
        return self


def _contradictions(spec: ContainerSpec) -> Iterator[str]:
    if spec.command == () and not spec.entrypoint:
        yield "cannot take away the image's command alone: give the entrypoint, too"
    if twice := (spec.env or {}).keys() & (spec.secretEnv or {}).keys():
        yield f"cannot set {min(twice)} both in env and in secretEnv"
    if spec.memorySwap is not None and spec.memory is None:
        yield "cannot limit memorySwap without memory: give both"
    if spec.stopGracePeriod is not None and seconds(spec.stopGracePeriod) % 1:
        yield f"cannot wait {spec.stopGracePeriod} for the stop: give whole seconds"
    if spec.state is State.COMPLETED and spec.restart in ("always", "unless-stopped"):
        yield f'cannot complete with restart: {spec.restart}: use on-failure or "no"'
    if spec.containerName and spec.containerName.endswith((NEW_SUFFIX, OLD_SUFFIX)):
        yield f"cannot use the name {spec.containerName}: Pegasus2 names containers so while it replaces them"
    targets = [mount.target for mount in spec.volumes or ()] + [*(spec.tmpfs or ())]
    if twice := {target for target in targets if targets.count(target) > 1}:
        yield f"cannot mount two things at {min(twice)}"
    names = [attachment.name for attachment in spec.networks or ()]
    if twice := {name for name in names if names.count(name) > 1}:
        yield f"cannot connect twice to the network {min(twice)}"
    if len(names) > 1 and (lone := LONE_NETWORKS.intersection(names)):
        yield f"cannot combine the network {min(lone)} with others"


@dataclass(frozen=True)
class ContainerObserved:
    """A container as it is, in the words of its spec: see there. What the image or the engine supplied is None, unless declared.

    In `secretEnv` a value that is as it should be is its reference, any other a digest. `leftovers` are the containers
    that an interrupted replacement left beside this one.
    """

    image: str | None = None
    pullPolicy: str | None = None
    containerName: str | None = None
    state: str | None = None
    minReadySeconds: int | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: dict[str, str] | None = field(default=None, repr=False)  # of strangers' containers it may hold secrets
    secretEnv: dict[str, SecretRef | str] | None = None
    envFile: tuple[str, ...] | None = None
    ports: tuple[str, ...] | None = None
    volumes: tuple[Mount, ...] | None = None
    tmpfs: dict[str, str] | None = None
    networks: tuple[Attachment, ...] | None = None
    hostname: str | None = None
    extraHosts: dict[str, str] | None = None
    dns: tuple[str, ...] | None = None
    restart: str | None = None
    healthcheck: Healthcheck | None = None
    stopSignal: str | None = None
    stopGracePeriod: str | None = None
    memory: str | None = None
    memorySwap: str | None = None
    cpus: float | None = None
    pidsLimit: int | None = None
    shmSize: str | None = None
    ulimits: dict[str, Ulimit] | None = None
    sysctls: dict[str, str] | None = None
    devices: tuple[str, ...] | None = None
    user: str | None = None
    workingDir: str | None = None
    labels: dict[str, str] | None = None
    logging: Logging | None = None
    readOnly: bool | None = None
    init: bool | None = None
    privileged: bool | None = None
    capAdd: tuple[str, ...] | None = None
    capDrop: tuple[str, ...] | None = None
    securityOpt: tuple[str, ...] | None = None
    leftovers: tuple[str, ...] = ()


class Container(Resource):
    """A container of the Docker engine."""

    about: ClassVar[About] = About(
        plural="containers",
        short=("co",),
        columns=(("Image", "spec.image"), ("Ports", "spec.ports"), ("State", "spec.state")),
    )

    kind: Literal["Container"]
    spec: ContainerSpec

    @property
    def container_name(self) -> str:
        """Its name in the engine."""
        return self.spec.containerName or self.world_name

    def network_name(self, attachment: Attachment) -> str:
        """The name in the engine of a network that this container refers to."""
        verbatim = attachment.external or attachment.built_in
        return attachment.name if verbatim else world_name(self.metadata.namespace, attachment.name)

    def volume_name(self, mount: Mount) -> str:
        """The name in the engine of a volume that this container refers to; empty for an anonymous one."""
        if not mount.source:
            return ""
        return mount.source if mount.external else world_name(self.metadata.namespace, mount.source)

    def claims(self) -> Iterable[Claim]:
        yield Claim("container name", self.container_name)
        published = {port for text in self.spec.ports or () for port in ports(text)}
        for port in sorted(published):
            everywhere = port.ip in ("", "0.0.0.0", "::")
            yield Claim("host port", f"{port.host}/{port.protocol}", "*" if everywhere else port.ip)

    def references(self) -> Iterable[Key]:
        namespace = self.metadata.namespace
        for attachment in self.spec.networks or ():
            if not (attachment.external or attachment.built_in):
                yield Key("Network", namespace, attachment.name)
        for mount in self.spec.volumes or ():
            if mount.type is MountType.VOLUME and mount.source and not mount.external:
                yield Key("Volume", namespace, mount.source)

    def inputs(self) -> Iterable[Path]:
        for path in self.spec.envFile or ():
            yield Path(path)
        for option in self.spec.securityOpt or ():
            if profile := seccomp_profile(option):
                yield Path(profile)


def seccomp_profile(option: str) -> str:
    """The path of the profile in a security option, or an empty text."""
    found = re.fullmatch("seccomp=(/.+)", option)
    return found[1] if found else ""
