"""The parts of a container's spec that have fields of their own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from resources.docker.names import BUILT_IN_NETWORKS
from resources.docker.sharing import Mac
from resources.docker.values import Addresses, InnerPath, IPv4, IPv6, Names, Signal, Size, Span, sorted_set
from resources.meta import Model, beside_the_manifest
from resources.rules import MANY, NOT_BESIDE_A_FILE, PATH_MAX, TEXT_MAX, Rule, keyed_by

MANY_TIMES = 2**31 - 1  # more of anything the engine does not count
LARGEST = 2**53  # up to here a number means the same in every reader of JSON

Count = Annotated[int, Field(ge=1, le=MANY_TIMES)]


class State(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    COMPLETED = "completed"


class Strategy(StrEnum):
    RECREATE = "recreate"
    START_FIRST = "startFirst"


class OnChange(StrEnum):
    RESTART = "restart"
    SIGNAL = "signal"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Outdated:
    """Observed: a mount whose content is another one than that which the container runs with, and what is to be done.

    `before` and `now` are parts of keyed digests; `before` is empty where it is not known.
    """

    before: str
    now: str
    action: OnChange


class PullPolicy(StrEnum):
    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


class MountType(StrEnum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


def _mount_source(source: str | None, info: ValidationInfo) -> str | None:
    is_path = source is not None and info.data.get("type") is MountType.BIND
    return beside_the_manifest(source, info) if is_path and source else source


# Fields of a mount that have a meaning for one type only.
_FITTING = {
    MountType.BIND: ("source", "propagation", "recursive", "createHostPath", "selinux", "onChange", "signal"),
    MountType.VOLUME: ("source", "external", "nocopy", "subpath"),
    MountType.TMPFS: ("size", "mode"),
}
_OPTIONS = tuple(dict.fromkeys(name for names in _FITTING.values() for name in names))
_FLAGS = ("external", "createHostPath", "nocopy")  # that are as good as absent when they are false


def _unfitting(kind: MountType) -> tuple[str, ...]:
    return tuple(name for name in _OPTIONS if name not in _FITTING[kind])


def _given(name: str) -> str:
    return f"(has(self.{name}) && self.{name})" if name in _FLAGS else f"has(self.{name})"


_ITS_OWN_EDITS = "cannot act on edits of what the container itself may write: give readOnly: true with onChange"


class Mount(Model):
    """Something of the machine that the container sees at `target`."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *(
            Rule(
                f"self.type != '{kind}' || !({' || '.join(map(_given, _unfitting(kind)))})",
                f"cannot use {', '.join(_unfitting(kind))} with type: {kind}",
            )
            for kind in MountType
        ),
        Rule(
            f"has(self.source) || !(self.type == 'bind' || {_given('external')})",
            "cannot mount without source: say which path or volume",
        ),
        Rule(
            "!has(self.signal) || (has(self.onChange) && self.onChange == 'signal')",
            "cannot use signal without onChange: signal: give both",
        ),
        Rule("!has(self.onChange) || (has(self.readOnly) && self.readOnly)", _ITS_OWN_EDITS),
        Rule(
            "self.type != 'bind' || !has(self.source) || self.source.matches('^(/|~/|~$)')",
            NOT_BESIDE_A_FILE,
        ),
    )

    type: MountType = Field(description="bind: a path of this machine; volume: a named volume; tmpfs: memory.")
    source: Annotated[
        Annotated[str, Field(min_length=1, max_length=PATH_MAX)] | None, AfterValidator(_mount_source)
    ] = Field(
        default=None,
        description="bind: the path, where a relative one starts at the directory of the manifest. volume: the name of a "
        "Volume resource of the same namespace; without one the engine makes a volume of its own for this container.",
    )
    target: InnerPath = Field(description="Absolute path in the container.")
    readOnly: bool = Field(default=False, description="Whether the container can only read it.")
    external: bool = Field(
        default=False,
        description="Whether source is the volume's name in the engine, as it is. A Volume resource of that volumeName comes "
        "first, where there is one.",
    )
    propagation: Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"] | None = Field(
        default=None, description="bind: how mounts made below the path later are shared. Unset: rprivate."
    )
    recursive: Literal["enabled", "disabled", "writable", "readonly"] | None = Field(
        default=None,
        description="bind: whether what is mounted below the path comes along; writable and readonly say how where readOnly "
        "is set, and need an engine of version 25. Unset: enabled.",
    )
    createHostPath: bool | None = Field(
        default=None,
        description="bind: make an empty directory, as root, where the path is missing when the container is created. Unset: "
        "no; a missing path is an error.",
    )
    selinux: Literal["z", "Z"] | None = Field(
        default=None,
        description="bind: relabel the path for SELinux; z: shared with other containers, Z: for this one.",
    )
    nocopy: bool | None = Field(
        default=None, description="volume: do not fill an empty volume with what the image has at target."
    )
    subpath: Annotated[str, Field(min_length=1, max_length=PATH_MAX)] | None = Field(
        default=None, description="volume: a path within it, in place of the whole. Needs an engine of version 26."
    )
    size: Size | None = Field(default=None, description="tmpfs: how much it holds, such as 64m. Unset: no limit.")
    mode: Annotated[str, Field(pattern="^[0-7]{3,4}$")] | None = Field(
        default=None, description='tmpfs: permissions of its root in octal, in quotes: "1777".'
    )
    onChange: OnChange | None = Field(
        default=None,
        description="bind, with readOnly: what an edit of the content of the file, or of what is in the directory, does to the "
        "container. restart; signal: sends it the signal; nothing: the edit is noted. Unset: the content is not looked at.",
    )
    signal: Signal | None = Field(
        default=None, description="bind: the signal that onChange: signal sends. Unset: SIGHUP."
    )

    @model_validator(mode="after")
    def _fits_the_type(self) -> Self:
        if wrong := [name for name in _unfitting(self.type) if getattr(self, name)]:
            raise ValueError(f"cannot use {', '.join(wrong)} with type: {self.type}")
        if not self.source and (self.type is MountType.BIND or self.external):
            raise ValueError("cannot mount without source: say which path or volume")
        if self.signal and self.onChange is not OnChange.SIGNAL:
            raise ValueError("cannot use signal without onChange: signal: give both")
        if self.onChange and not self.readOnly:
            raise ValueError(_ITS_OWN_EDITS)
        return self


class Attachment(Model):
    """A network that the container is connected to."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("!self.name.contains(':')", "cannot connect to this: give the name of a network"),
        Rule(
            "!(self.name in ['bridge', 'host', 'none']) || "
            "!((has(self.aliases) && size(self.aliases) > 0) || has(self.ipv4Address) || has(self.ipv6Address) || "
            "(has(self.linkLocalIps) && size(self.linkLocalIps) > 0))",
            "cannot give aliases or addresses on a network of the engine's own: declare a Network for them",
        ),
    )

    name: str = Field(
        min_length=1,
        max_length=TEXT_MAX,
        description="Name of a Network resource of the same namespace, or one of the engine's own: bridge, host, none.",
    )
    external: bool = Field(
        default=False,
        description="Whether name is the network's name in the engine, as it is. A Network resource of that networkName comes "
        "first, where there is one.",
    )
    aliases: Names | None = Field(
        default=None, description="More names by which other containers of this network find it."
    )
    ipv4Address: IPv4 | None = Field(default=None, description="A fixed IPv4 address out of the network's subnet.")
    ipv6Address: IPv6 | None = Field(default=None, description="A fixed IPv6 address out of the network's subnet.")
    linkLocalIps: Addresses | None = Field(default=None, description="Link-local addresses that it has beside these.")
    macAddress: Mac | None = Field(
        default=None,
        description="MAC address in this network. Engines before version 25 know one for the first network only.",
    )
    driverOpts: dict[str, str] | None = Field(
        default=None, description="Options of the network's driver for this connection."
    )
    priority: int | None = Field(
        default=None,
        ge=-MANY_TIMES,
        le=MANY_TIMES,
        description="Networks are connected by falling priority, then by name, when the container is created. Unset: 0.",
    )
    gwPriority: int | None = Field(
        default=None,
        ge=-MANY_TIMES,
        le=MANY_TIMES,
        description="The network with the highest has the default gateway. Needs an engine of version 28. Unset: 0.",
    )

    @property
    def built_in(self) -> bool:
        return self.name in BUILT_IN_NETWORKS

    @model_validator(mode="after")
    def _can_be_connected(self) -> Self:
        if ":" in self.name:
            raise ValueError(f'cannot connect to "{self.name}": give the name of a network')
        if self.built_in and (self.aliases or self.ipv4Address or self.ipv6Address or self.linkLocalIps):
            raise ValueError(
                f'cannot give aliases or addresses on the network "{self.name}": declare a Network for them'
            )
        return self


class Healthcheck(Model):
    """How the engine finds out whether the container works. What is not written is as the image says."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(has(self.disable) && self.disable && has(self.test))",
            "cannot both disable the healthcheck and give its test",
        ),
        Rule(
            "!has(self.test) || size(self.test) == 0 || self.test[0] in ['CMD', 'CMD-SHELL']",
            "cannot run this test: its first word is CMD or CMD-SHELL",
        ),
    )

    test: Annotated[tuple[str, ...], Field(min_length=2, max_length=MANY)] | None = Field(
        default=None, description='The probe: ["CMD", program, arguments…] or ["CMD-SHELL", shell command].'
    )
    interval: Span | None = Field(default=None, description="Time between probes. Unset: 30s.")
    timeout: Span | None = Field(default=None, description="A probe that takes longer has failed. Unset: 30s.")
    startPeriod: Span | None = Field(
        default=None, description="Failures within this time after the start do not count. Unset: 0s."
    )
    startInterval: Span | None = Field(
        default=None,
        description="Time between probes within the startPeriod. Needs an engine of version 25. Unset: 5s.",
    )
    retries: Count | None = Field(
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

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.hard == -1 || (self.soft != -1 && self.soft <= self.hard)",
            "cannot have a soft limit above the hard one: give hard at least as much",
        ),
    )

    soft: int = Field(ge=-1, le=LARGEST, description="The limit in force.")
    hard: int = Field(ge=-1, le=LARGEST, description="How far a process may raise its own.")

    @model_validator(mode="after")
    def _soft_is_below_hard(self) -> Self:
        if self.hard != -1 and not -1 < self.soft <= self.hard:
            raise ValueError("cannot have a soft limit above the hard one: give hard at least as much")
        return self


class Logging(Model):
    """Where the engine puts what the container prints."""

    driver: str = Field(
        min_length=1, description="json-file, local, journald, syslog, none or another of the engine's."
    )
    options: dict[str, str] | None = Field(default=None, description='Options of the driver, such as max-size: "10m".')


_NO_EMPTY = AfterValidator(lambda entries: entries or None)  # which the engine can't tell from nothing


class DeviceRequest(Model):
    """Devices that a driver of the engine picks, such as graphics cards."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.count) || !has(self.deviceIds) || size(self.deviceIds) == 0",
            "cannot ask both for a count of devices and for certain ones: give count or deviceIds",
        ),
    )

    capabilities: Annotated[
        tuple[str, ...],
        Field(max_length=MANY, json_schema_extra={"minItems": 1}),
        AfterValidator(sorted_set),
        Field(min_length=1),
    ] = Field(description="What they must be able to do, all of it: [gpu], [gpu, compute].")
    driver: str | None = Field(default=None, min_length=1, description="Driver, such as nvidia. Unset: any that can.")
    count: int | None = Field(default=None, ge=-1, le=MANY_TIMES, description="How many; -1 for all there are.")
    deviceIds: Annotated[Names | None, Field(max_length=MANY), _NO_EMPTY] = Field(
        default=None, description="Certain ones, by the ids of the driver."
    )
    options: Annotated[dict[str, str] | None, _NO_EMPTY] = Field(default=None, description="Options of the driver.")

    @model_validator(mode="after")
    def _asks_in_one_way(self) -> Self:
        if self.count is not None and self.deviceIds:
            raise ValueError("cannot ask both for a count of devices and for certain ones: give count or deviceIds")
        return self


Weight = Annotated[int, Field(ge=10, le=1000)]
DEVICES_MAX = 16
Weights = Annotated[dict[str, Weight], Field(max_length=DEVICES_MAX)]
Rates = Annotated[dict[str, Size], Field(max_length=DEVICES_MAX)]
Counts = Annotated[dict[str, Count], Field(max_length=DEVICES_MAX)]


class BlkioConfig(Model):
    """Shares and limits of block devices; those of one device by its path, such as /dev/sda."""

    weight: Weight | None = Field(default=None, description="Its share of all devices beside others, 10 to 1000.")
    weightDevice: Weights | None = Field(default=None, description="Its share of a device, 10 to 1000.")
    deviceReadBps: Rates | None = Field(default=None, description="Most that it reads in a second: {/dev/sda: 10m}.")
    deviceWriteBps: Rates | None = Field(default=None, description="Most that it writes in a second.")
    deviceReadIops: Counts | None = Field(default=None, description="Most reads in a second: {/dev/sda: 1000}.")
    deviceWriteIops: Counts | None = Field(default=None, description="Most writes in a second.")


# Their order says nothing, and the engine does not keep it.
Mounts = Annotated[
    tuple[Mount, ...],
    Field(max_length=MANY, json_schema_extra=keyed_by("target")),
    AfterValidator(lambda mounts: tuple(sorted(mounts, key=lambda m: m.target))),
]
Attachments = Annotated[
    tuple[Attachment, ...],
    Field(max_length=MANY, json_schema_extra={**keyed_by("name"), "minItems": 1}),
    AfterValidator(lambda all: tuple(sorted(all, key=lambda a: a.name))),
    Field(min_length=1),  # behind the validator, or a list whose only entry is wrong would be called empty, too
]
Ulimits = Annotated[dict[str, Ulimit], Field(max_length=MANY)]
