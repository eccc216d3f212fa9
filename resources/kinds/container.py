"""Kind `Container`: a container of the Docker engine. Its agent is `controller/agents/docker/container.py`.

Fields are named as Compose names them, in camelCase. Values are brought into the canonical forms of `notation.py` when a
resource is loaded, so that what is written in two ways is one thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from resources.docker import beside
from resources.docker.engines import EngineSpec, engine_of, engines_apart
from resources.docker.limits import Limits, LimitsObserved, Surroundings, SurroundingsObserved
from resources.docker.names import LONE_NETWORKS, NEW_SUFFIX, OLD_SUFFIX
from resources.docker.parts import (
    MANY_TIMES,
    Attachment,
    Attachments,
    Count,
    Healthcheck,
    Logging,
    Mount,
    Mounts,
    MountType,
    Outdated,
    PullPolicy,
    State,
    Strategy,
    Ulimits,
)
from resources.docker.placing import InnerFile, InnerFiles
from resources.docker.sharing import Hosts
from resources.docker.values import (
    ENV_NAMES,
    Capabilities,
    Cpus,
    Devices,
    EnvNames,
    Image,
    InnerPath,
    Labels,
    Ports,
    Restart,
    SecurityOptions,
    Servers,
    Signal,
    Size,
    Swap,
    Tmpfs,
    WholeSpan,
)
from resources.meta import (
    DURATION,
    About,
    Claim,
    Duration,
    Key,
    LocalPath,
    Resource,
    SecretRef,
    Tree,
    seconds,
    world_name,
)
from resources.notation import canonical_image, ports
from resources.rules import MANY, TEXT_MAX, Rule

# What belongs to the network that a container has for itself, and can't be set of another one's.
NETWORK_FIELDS = (
    *("networks", "ports", "hostname", "domainname", "dns", "extraHosts"),
    *("macAddress", "links", "expose", "publishAll"),
)
READY_WITHIN = 300.0  # seconds, where readyTimeout is unset

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


class Basics(EngineSpec):
    """What most containers say. The rest is in `resources/docker/limits.py`."""

    image: Image = Field(
        description="Image by name and tag (nginx:1.27) or digest (nginx@sha256:…). A container whose tag has come to name "
        "another image on this machine is replaced."
    )
    pullPolicy: PullPolicy = Field(
        default=PullPolicy.MISSING,
        description="When to pull the image: missing (only when it is not here), always (before each creation), never.",
    )
    containerName: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$", max_length=TEXT_MAX)] | None = Field(
        default=None,
        description="Name in the engine. Unset: the resource's name, after its namespace if not the default.",
    )
    state: State = Field(
        default=State.RUNNING,
        description="running, stopped, or completed: it runs once, is Ready when it has ended with exit code 0, and runs "
        "again when its spec changes or the container is removed.",
    )
    strategy: Strategy | None = Field(
        default=None,
        description="How a new container takes the place of the old one. recreate: the old one stops, then the new one starts. "
        "startFirst: the new one is started beside it, and the old one stops when that is Ready; until then both run. "
        "Unset: recreate.",
    )
    minReadySeconds: Annotated[int, Field(ge=0, le=MANY_TIMES)] | None = Field(
        default=None, description="Seconds that it must have been running before it counts as Ready."
    )
    readyTimeout: Duration | None = Field(
        default=None,
        description="Time in which it must be Ready after an edit, counted from the change. Unset: 5m, after "
        "minReadySeconds or the healthcheck's startPeriod; of one that is to complete: no limit.",
    )
    rollback: bool | None = Field(
        default=None,
        description="Whether an edit that does not become Ready in time is taken back, until the next edit. Unset: yes, where "
        "nothing but tmpfs is mounted for writing (an older program must not meet data that a newer one has changed) and it "
        "is not to complete.",
    )
    command: tuple[str, ...] | None = Field(default=None, description="Command and arguments, in place of the image's.")
    entrypoint: tuple[str, ...] | None = Field(
        default=None, description="Entrypoint in place of the image's; an empty list takes that away."
    )
    env: Annotated[dict[str, str], Field(max_length=MANY), EnvNames, ENV_NAMES] | None = Field(
        default=None, description="Environment variables. They win over envFile."
    )
    secretEnv: Annotated[dict[str, SecretRef], Field(max_length=MANY), EnvNames, ENV_NAMES] | None = Field(
        default=None, description="Environment variables whose values are secrets, each with where it is found."
    )
    envFile: Annotated[tuple[LocalPath, ...], Field(max_length=MANY)] | None = Field(
        default=None,
        description="Files with NAME=value lines, the value plain or in quotes, with a comment after a space and #; later files "
        "win. Changing one replaces the container. Relative paths start at the directory of the manifest.",
    )
    ports: Ports | None = Field(
        default=None,
        description="Published ports: [ip:]host:container[/udp], such as 8080:80, 127.0.0.1:53:53/udp, 8000-8010:80-90. The "
        "container's port alone (80, 127.0.0.1::80) is published on a free port, 8000-8010:80 on a free one of these.",
    )
    volumes: Mounts | None = Field(default=None, description="Paths, volumes and tmpfs that are mounted.")
    files: InnerFiles | None = Field(
        default=None,
        description="Files that are put into the container when it is made, by their paths in it: {/etc/motd: {content: Hello}}.",
    )
    tmpfs: Tmpfs | None = Field(
        default=None, description='Paths with a tmpfs each, with its mount options: {/run: "size=16m,mode=755"}.'
    )
    networks: Attachments | None = Field(
        default=None, description="Networks it is connected to. Unset: the engine's default bridge."
    )
    hostname: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Its own host name. Unset: the container's short id."
    )
    extraHosts: Hosts | None = Field(
        default=None,
        description="Entries for /etc/hosts: name to address, or to several with commas between them; host-gateway is this "
        "machine.",
    )
    dns: Servers | None = Field(default=None, description="Name servers, in the order they are asked.")
    restart: Restart | None = Field(
        default=None,
        description='When the engine restarts it: "no" (in quotes), always, unless-stopped, on-failure or on-failure:5.',
    )
    healthcheck: Healthcheck | None = Field(default=None, description="How to find out whether it works.")
    stopSignal: Signal | None = Field(
        default=None, description="Signal that asks it to stop. Unset: the image's, else SIGTERM."
    )
    stopGracePeriod: WholeSpan | None = Field(
        default=None,
        description="Time to stop in before it is killed; a part of a second counts as a whole one, for the engine knows no "
        "less. Unset: 10s.",
    )
    memory: Size | None = Field(
        default=None, description="Memory limit, such as 512m or 1Gi; units are powers of 1024."
    )
    memorySwap: Swap | None = Field(
        default=None, description="Limit of memory and swap together, or unlimited. Unset: twice the memory."
    )
    cpus: Cpus | None = Field(default=None, description="How many CPUs' worth of time it may use: 0.5, 2.")
    pidsLimit: Count | None = Field(default=None, description="How many processes it may have.")
    shmSize: Size | None = Field(default=None, description="Size of /dev/shm. Unset: 64m.")
    ulimits: Ulimits | None = Field(default=None, description="Limits of the kernel by name, such as nofile.")
    sysctls: dict[str, str] | None = Field(default=None, description="Kernel settings of its namespaces.")
    devices: Devices | None = Field(default=None, description="Devices of the machine: /dev/host[:/dev/inside][:rwm].")
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
    securityOpt: SecurityOptions | None = Field(
        default=None,
        description="Security options: no-new-privileges, apparmor=profile, label=…, seccomp=unconfined or seccomp= and the "
        "path of a profile, systempaths=unconfined.",
    )


class ContainerSpec(Surroundings, Limits, Basics):
    """A container. A field that is not written is neither set nor compared; one that is dropped goes back to its default."""

    unset: ClassVar[dict[str, Any]] = {
        "restart": "no",
        "shmSize": "64m",
        "networks": (Attachment.model_construct(name="bridge"),),
    }

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.command) || size(self.command) > 0 || (has(self.entrypoint) && size(self.entrypoint) > 0)",
            "cannot take away the image's command alone: give the entrypoint, too",
        ),
        Rule(
            "!has(self.env) || !has(self.secretEnv) || self.env.all(name, !(name in self.secretEnv))",
            "cannot set a variable both in env and in secretEnv",
        ),
        Rule("has(self.memory) || !has(self.memorySwap)", "cannot limit memorySwap without memory: give both"),
        Rule(
            f"!has(self.readyTimeout) || !self.readyTimeout.matches(r'{DURATION}') || "
            "timestamp(0) + duration(self.readyTimeout) > timestamp(has(self.minReadySeconds) ? self.minReadySeconds : 0)",
            "cannot be Ready in so short a time: give readyTimeout more than minReadySeconds",
        ),
        Rule(
            "self.state != 'completed' || !has(self.restart) || !(self.restart in ['always', 'unless-stopped'])",
            'cannot complete with restart: always or unless-stopped: use on-failure or "no"',
        ),
        Rule(
            "!has(self.containerName) || !self.containerName.matches(r'\\.p2-(new|old)$')",
            "cannot use this containerName: Pegasus2 names containers so while it replaces them",
        ),
        Rule(
            f"!has(self.networkMode) || !({' || '.join(f'has(self.{name})' for name in NETWORK_FIELDS)})",
            f"cannot have {', '.join(NETWORK_FIELDS)} of its own beside networkMode: they are the other container's",
        ),
        Rule(
            "!has(self.cpus) || !(has(self.cpuQuota) || has(self.cpuPeriod))",
            "cannot set cpus beside cpuQuota and cpuPeriod: they say the same",
        ),
        Rule("!has(self.uts) || !has(self.hostname)", "cannot have a hostname of its own with uts: host"),
        Rule(
            "!has(self.macAddress) || !has(self.networks) || !self.networks.exists(each, has(each.macAddress))",
            "cannot set macAddress both of the container and in networks: write it in networks",
        ),
        *beside.RULES,
        # That no two entries have the very same target or name is in the type of these lists.
        Rule(
            "!has(self.volumes) || [self.volumes.map(each, each.target)]"
            ".all(targets, targets.all(target, !((target + '/') in targets)))",
            "cannot mount two things at one path",
        ),
        Rule(
            "!has(self.volumes) || !has(self.tmpfs) || self.volumes.all(each, !(each.target in self.tmpfs || "
            "(each.target + '/') in self.tmpfs || (each.target.endsWith('/') && "
            "each.target.substring(0, size(each.target) - 1) in self.tmpfs)))",
            "cannot mount two things at one path",
        ),
        Rule(
            "!has(self.networks) || size(self.networks) < 2 || !self.networks.exists(each, each.name in ['host', 'none'])",
            "cannot combine the networks host and none with others",
        ),
    )

    def companions(self) -> set[str]:
        """The names in the engine of other containers that this one needs."""
        shared = (mode.partition(":")[2] for mode in (self.networkMode, self.pid, self.ipc) if mode)
        lenders = (name.removesuffix(":ro") for name in self.volumesFrom or ())
        return {name for name in (*shared, *lenders, *(self.links or {}).values()) if name}

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
    if spec.readyTimeout is not None and seconds(spec.readyTimeout) <= (spec.minReadySeconds or 0):
        yield f"cannot be Ready within {spec.readyTimeout}: give readyTimeout more than minReadySeconds"
    if spec.state is State.COMPLETED and spec.restart in ("always", "unless-stopped"):
        yield f'cannot complete with restart: {spec.restart}: use on-failure or "no"'
    if spec.containerName and spec.containerName.endswith((NEW_SUFFIX, OLD_SUFFIX)):
        yield f"cannot use the name {spec.containerName}: Pegasus2 names containers so while it replaces them"
    yield from beside.contradictions(spec)
    targets = [mount.target for mount in spec.volumes or ()] + [*(spec.tmpfs or ())]
    if twice := {target for target in targets if targets.count(target) > 1}:
        yield f"cannot mount two things at {min(twice)}"
    yield from _shared_network(spec)
    if spec.cpus is not None and (spec.cpuQuota is not None or spec.cpuPeriod is not None):
        yield "cannot set cpus beside cpuQuota and cpuPeriod: they say the same"
    if spec.uts is not None and spec.hostname is not None:
        yield "cannot have a hostname of its own with uts: host"
    if spec.macAddress is not None and any(each.macAddress for each in spec.networks or ()):
        yield "cannot set macAddress both of the container and in networks: write it in networks"
    names = [attachment.name for attachment in spec.networks or ()]
    if twice := {name for name in names if names.count(name) > 1}:
        yield f"cannot connect twice to the network {min(twice)}"
    if len(names) > 1 and (lone := LONE_NETWORKS.intersection(names)):
        yield f"cannot combine the network {min(lone)} with others"


def _shared_network(spec: ContainerSpec) -> Iterator[str]:
    if spec.networkMode is None:
        return
    if own := [name for name in NETWORK_FIELDS if getattr(spec, name) is not None]:
        yield f"cannot have {', '.join(own)} of its own beside networkMode: that is the other container's"


@dataclass(frozen=True)
class ContainerObserved(SurroundingsObserved, LimitsObserved):
    """A container as it is, in the words of its spec: see there. What the image or the engine supplied is None, unless declared.

    In `secretEnv` a value that is as it should be is its reference, any other a digest. `leftovers` are the containers
    that an interrupted replacement left beside this one; `update` is the image that its tag has come to name; `tag` one that
    was given up and that the tag names all the same; `contents` are the mounts whose content is another than it runs with.
    """

    image: str | None = None
    pullPolicy: str | None = None
    containerName: str | None = None
    state: str | None = None
    strategy: str | None = None
    minReadySeconds: int | None = None
    readyTimeout: str | None = None
    rollback: bool | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: dict[str, str] | None = field(default=None, repr=False)  # of strangers' containers it may hold secrets
    secretEnv: dict[str, SecretRef | str] | None = None
    envFile: tuple[str, ...] | None = None
    ports: tuple[str, ...] | None = None
    volumes: tuple[Mount, ...] | None = None
    files: dict[str, InnerFile | str] | None = None
    tmpfs: dict[str, str] | None = None
    networks: tuple[Attachment, ...] | None = None
    hostname: str | None = None
    extraHosts: dict[str, str] | None = None
    dns: Servers | None = None
    restart: str | None = None
    healthcheck: Healthcheck | None = None
    stopSignal: str | None = None
    stopGracePeriod: str | None = None
    memory: str | None = None
    memorySwap: str | None = None
    cpus: float | None = None
    pidsLimit: int | None = None
    shmSize: str | None = None
    ulimits: Ulimits | None = None
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
    update: str = ""
    tag: str = ""
    contents: Mapping[str, Outdated] = field(default_factory=dict)


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
        engine = engine_of(self)
        yield Claim("container name", self.container_name, place=engine)
        published = {port for text in self.spec.ports or () for port in ports(text)}
        for port in sorted(published):
            if not port.fixed:
                continue
            everywhere = port.ip in ("", "0.0.0.0", "::")
            yield Claim("host port", f"{port.host}/{port.protocol}", "*" if everywhere else port.ip, engine)

    def unfit(self, dependency: Resource) -> str:
        return engines_apart(self, dependency)

    def references(self) -> Iterable[Key]:
        namespace = self.metadata.namespace
        for attachment in self.spec.networks or ():
            if not (attachment.external or attachment.built_in):
                yield Key("Network", namespace, attachment.name)
        for mount in self.spec.volumes or ():
            if mount.type is MountType.VOLUME and mount.source and not mount.external:
                yield Key("Volume", namespace, mount.source)

    def within(self) -> Iterable[Claim]:
        """What is named as the engine names it, and may be a resource's: so it comes first."""
        engine = engine_of(self)
        yield Claim("image", canonical_image(self.spec.image), place=engine)
        for attachment in self.spec.networks or ():
            if attachment.external:
                yield Claim("network name", attachment.name, place=engine)
        for mount in self.spec.volumes or ():
            if mount.external and mount.source:
                yield Claim("volume name", mount.source, place=engine)
        for path in self._watched():
            yield Claim("path", str(path))
        for name in sorted(self.spec.companions()):
            yield Claim("container name", name, place=engine)

    def ready_within(self) -> float | None:
        if self.spec.readyTimeout is not None:
            return seconds(self.spec.readyTimeout)
        if self.spec.state is State.COMPLETED:
            return None
        check = self.spec.healthcheck
        start = seconds(check.startPeriod) if check and check.startPeriod else 0.0
        return READY_WITHIN + max(self.spec.minReadySeconds or 0, start)

    def rolls_back(self) -> bool | None:
        """Taking back the edit of one that is to complete would run it again: only where that is asked for."""
        return bool(self.spec.rollback) if self.spec.state is State.COMPLETED else self.spec.rollback

    def inputs(self) -> Iterable[Path]:
        for path in self.spec.envFile or ():
            yield Path(path)
        for option in self.spec.securityOpt or ():
            if profile := seccomp_profile(option):
                yield Path(profile)
        yield from self._watched()

    def trees(self) -> Iterable[Tree]:
        """Whether a path is that of a file or of a directory only its content tells; one that is a file is no tree."""
        return (Tree(str(path)) for path in self._watched())

    def confidential(self) -> Iterable[Path]:
        """A program's own file may hold its passwords."""
        yield from map(Path, self.spec.envFile or ())
        yield from self._watched()

    def _watched(self) -> Iterator[Path]:
        return (Path(mount.source) for mount in self.spec.volumes or () if mount.onChange and mount.source)


def seccomp_profile(option: str) -> str:
    """The path of the profile in a security option, or an empty text."""
    found = re.fullmatch("seccomp=(/.+)", option)
    return found[1] if found else ""
