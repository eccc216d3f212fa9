"""A live container in the words of its spec, so that the engine's default diff finds what differs. Pure but for reading
files and secrets of the spec.

What the image or the engine supplied stays out unless the spec declares the field: then the live value stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from controller.agents.docker.client import Json
from controller.agents.docker.creation import security_option
from controller.agents.docker.environment import seen_environment
from controller.agents.docker.images import Supplied
from controller.agents.docker.joining import observed_networks
from controller.agents.docker.marks import foreign_labels
from controller.agents.docker.mounting import observed_mounts
from controller.agents.docker.placing import Inside, seen_files
from controller.agents.docker.surroundings import observed_limits, observed_surroundings, told
from controller.engine.agent import Secrets, Stalled
from resources.docker.parts import Healthcheck, Logging, MountType, State, Ulimit
from resources.docker.values import OPEN_SYSTEM_PATHS
from resources.kinds.container import Container, ContainerObserved, ContainerSpec, seccomp_profile
from resources.notation import (
    Port,
    canonical_capability,
    canonical_image,
    canonical_security_option,
    canonical_signal,
    duration_text,
    size_text,
)

# What an image may be called that has no other name, or was not called by it: the beginning of its id.
IMAGE_ID = re.compile("(sha256:)?[0-9a-f]{12,64}")


def observed_container(
    container: Container,
    live: Json,
    image: Supplied,
    secrets: Secrets,
    leftovers: tuple[str, ...] = (),
    read_from: Callable[[str], str] = lambda path: path,
    names: Mapping[str, str] = MappingProxyType({}),
    inside: Inside = lambda path: None,
) -> ContainerObserved:
    """`live` is what the engine says of the container when it is inspected; `read_from` as in the agent's context.

    `names` are those of other containers that it shares something with, by id. `inside` looks into it.
    """
    spec, config, host = container.spec, live["Config"], live["HostConfig"]
    supplied, labels = image.config, config.get("Labels") or {}
    environment = seen_environment(container, config.get("Env"), supplied.get("Env"), labels, secrets)
    return ContainerObserved(
        image=_image(spec.image, live, image),
        pullPolicy=spec.pullPolicy,
        containerName=live["Name"].removeprefix("/"),
        state=_state(spec.state, live["State"]),
        strategy=spec.strategy,
        minReadySeconds=spec.minReadySeconds,
        readyTimeout=spec.readyTimeout,
        rollback=spec.rollback,
        command=told(spec.command, _texts(config.get("Cmd")), _texts(supplied.get("Cmd"))),
        entrypoint=told(spec.entrypoint, _texts(config.get("Entrypoint")), _texts(supplied.get("Entrypoint"))),
        env=environment.env,
        secretEnv=environment.secretEnv,
        envFile=environment.envFile,
        ports=_ports(host.get("PortBindings") or {}),
        volumes=observed_mounts(container, live),
        files=seen_files(container, live, secrets, inside),
        tmpfs=host.get("Tmpfs") or {},
        networks=observed_networks(container, live),
        hostname=told(spec.hostname, _hostname(live), live["Id"][:12]),
        extraHosts=_extra_hosts(host.get("ExtraHosts") or ()),
        dns=_texts(host.get("Dns")),
        restart=restart_text(host.get("RestartPolicy") or {}),
        healthcheck=told(
            spec.healthcheck, _healthcheck(config.get("Healthcheck")), _healthcheck(supplied.get("Healthcheck"))
        ),
        stopSignal=told(spec.stopSignal, _signal(config.get("StopSignal")), _signal(supplied.get("StopSignal"))),
        stopGracePeriod=None if config.get("StopTimeout") is None else duration_text(config["StopTimeout"]),
        memory=size_text(host["Memory"]) if host.get("Memory") else None,
        memorySwap=_swap(spec.memorySwap, host),
        cpus=_cpus(spec, host),
        pidsLimit=host["PidsLimit"] if (host.get("PidsLimit") or 0) > 0 else None,
        shmSize=size_text(host.get("ShmSize") or 0),
        ulimits={limit["Name"]: _ulimit(limit) for limit in host.get("Ulimits") or ()},
        sysctls=host.get("Sysctls") or {},
        devices=tuple(sorted(_device(device) for device in host.get("Devices") or ())),
        user=told(spec.user, config.get("User") or None, supplied.get("User") or None),
        workingDir=told(spec.workingDir, config.get("WorkingDir") or None, supplied.get("WorkingDir") or None),
        labels=_labels(spec.labels or {}, labels, supplied.get("Labels") or {}),
        logging=_logging(host.get("LogConfig") or {}),
        readOnly=told(spec.readOnly, bool(host.get("ReadonlyRootfs")), False),
        init=told(spec.init, bool(host.get("Init")), False),
        privileged=told(spec.privileged, bool(host.get("Privileged")), False),
        capAdd=_capabilities(host.get("CapAdd")),
        capDrop=_capabilities(host.get("CapDrop")),
        securityOpt=_security_options(spec.securityOpt or (), host, read_from),
        leftovers=leftovers,
        **observed_limits(spec, host),
        **observed_surroundings(spec, live, image, names),
    )


def written(live: Json) -> str:
    """The first place, by path, where what the container writes outlives it; empty where there is none."""
    points = (point for point in live.get("Mounts") or () if point["RW"] and point["Type"] != MountType.TMPFS)
    return min((str(point["Destination"]) for point in points), default="")


def _image(wanted: str, live: Json, image: Supplied) -> str:
    """The spec's own words where the container was made from what they name, by whichever name; else what it was made from."""
    name = str(live["Config"]["Image"])
    by_id = bool(IMAGE_ID.fullmatch(name)) and live["Image"].removeprefix("sha256:").startswith(
        name.removeprefix("sha256:")
    )
    if by_id and image.current:
        return wanted
    if canonical_image(name) != canonical_image(wanted):
        return wanted if image.same else name
    return wanted if image.current else f"{name} (as it was: {live['Image'].removeprefix('sha256:')[:12]})"


def _state(wanted: State, state: Json) -> str:
    """`completed` also stands for a run that is under way, or that failed: neither is run again."""
    if state["Status"] == "removing":
        return wanted  # nothing can be done to it any more; its health says so
    if state.get("Paused"):
        return "paused"
    if state["Status"] == "created":
        return State.STOPPED
    if wanted is State.COMPLETED:
        return State.COMPLETED
    return State.RUNNING if state["Running"] or state.get("Restarting") else State.STOPPED


def _ports(bindings: Mapping[str, list[Json] | None]) -> tuple[str, ...]:
    found = set()
    for inner, places in bindings.items():
        number, _, protocol = inner.partition("/")
        for place in places or ({},):
            first, _, last = (place.get("HostPort") or "0").partition("-")
            ip = place.get("HostIp") or ""
            found.add(Port(int(number), protocol or "tcp", int(first), ip, int(last or 0) if last != first else 0))
    return tuple(str(port) for port in sorted(found))


def _hostname(live: Json) -> str | None:
    """What it was given: with the network of the machine, or of another container, it has theirs."""
    mode = live["HostConfig"]["NetworkMode"]
    if mode.startswith("container:") or live["HostConfig"].get("UTSMode"):
        return None
    return live["Config"].get("Hostname") or None


def _extra_hosts(texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, _, address in (text.partition(":") for text in texts):
        found[name] = f"{found[name]},{address}" if name in found else address
    return found


def restart_text(policy: Json) -> str:
    name, count = policy.get("Name") or "no", policy.get("MaximumRetryCount")
    return f"{name}:{count}" if name == "on-failure" and count else str(name)


def _healthcheck(check: Json | None) -> Healthcheck | None:
    if not check:
        return None
    test = tuple(check.get("Test") or ())
    disabled = test == ("NONE",)

    def span(name: str) -> str | None:
        return duration_text(check[name] / 1e9) if check.get(name) else None

    return Healthcheck.model_construct(
        test=test if test and not disabled else None,
        interval=span("Interval"),
        timeout=span("Timeout"),
        startPeriod=span("StartPeriod"),
        startInterval=span("StartInterval"),
        retries=check.get("Retries") or None,
        disable=disabled,
    )


def _signal(name: str | None) -> str | None:
    return canonical_signal(name) if name else None


def _swap(declared: str | None, host: Json) -> str | None:
    swap = host.get("MemorySwap") or 0
    if declared is None and swap == 2 * host.get("Memory", 0):
        return None
    return "unlimited" if swap < 0 else size_text(swap) if swap else None


def _cpus(spec: ContainerSpec, host: Json) -> float | None:
    """A quota and a period say the same; they stand in fields of their own unless the spec has `cpus`."""
    if host.get("NanoCpus"):
        return float(host["NanoCpus"] / 1e9)
    if spec.cpus is None or (host.get("CpuQuota") or 0) <= 0:
        return None
    return float(round(host["CpuQuota"] / (host.get("CpuPeriod") or 100_000), 9))


def _ulimit(limit: Json) -> Ulimit:
    return Ulimit.model_construct(soft=limit["Soft"], hard=limit["Hard"])


def _device(device: Json) -> str:
    return f"{device['PathOnHost']}:{device['PathInContainer']}:{device['CgroupPermissions']}"


def _labels(declared: Mapping[str, str], live: Mapping[str, str], supplied: Mapping[str, str]) -> dict[str, str]:
    labels = foreign_labels(live)
    return {name: value for name, value in labels.items() if name in declared or supplied.get(name) != value}


def _logging(config: Json) -> Logging | None:
    return Logging.model_construct(driver=config["Type"], options=config.get("Config") or {}) if config else None


def _capabilities(names: list[str] | None) -> tuple[str, ...]:
    return tuple(sorted({canonical_capability(name) for name in names or ()}))


def _security_options(declared: tuple[str, ...], host: Json, read_from: Callable[[str], str]) -> tuple[str, ...]:
    profiles = {}
    for option in filter(seccomp_profile, declared):
        try:
            profiles[security_option(f"seccomp={read_from(seccomp_profile(option))}")] = option
        except Stalled:  # creating a container says so; looking at one must go on
            continue
    opened = host.get("MaskedPaths") == [] and host.get("ReadonlyPaths") == []
    options = {_shortened(profiles.get(text) or canonical_security_option(text)) for text in host["SecurityOpt"] or ()}
    if opened and not host.get("Privileged"):
        options.add(OPEN_SYSTEM_PATHS)
    shares = "host" in (host.get("PidMode"), host.get("IpcMode"))
    if host.get("Privileged") or shares:  # the engine adds this by itself
        options -= {"label=disable"} - {*declared}
    return tuple(sorted(options))


def _shortened(option: str) -> str:
    return "seccomp=(another profile)" if option.startswith("seccomp={") else option


def _texts(texts: list[str] | None) -> tuple[str, ...] | None:
    return tuple(texts) if texts else None
