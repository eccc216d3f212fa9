"""The spec of a container that nobody has declared, less what its image and the engine have put into it: see `describing.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from controller.agents.docker.client import Json
from controller.agents.docker.images import Supplied
from controller.agents.docker.mounting import bound
from controller.agents.docker.surroundings import IPC, RUNTIME
from controller.agents.docker.translation import observed_container
from controller.engine.agent import Stalled
from controller.engine.diff import plain
from resources.docker.parts import State
from resources.kinds.container import Container, ContainerObserved, ContainerSpec
from resources.meta import API_VERSION, COMMON_FIELDS, SecretRef

# Fields that are no property of what runs, that the caller knows better, or that nothing but a declaration has.
_APART = COMMON_FIELDS | {
    *("image", "pullPolicy", "containerName", "state", "minReadySeconds", "readyTimeout", "rollback"),
    *("secretEnv", "envFile", "files", "platform"),
}
_SEEN = {field.name for field in fields(ContainerObserved)}
_EMPTY: tuple[Any, ...] = (None, "", (), [], {}, False)
# What docker compose remembers of how it made a container, and does not look for: untrue of the next one.
_PASSING = {f"com.docker.compose.{name}" for name in ("image", "replace", "version")}


class _NoSecrets:
    """Stands in where nothing is secret: the container is compared with all its values."""

    def reveal(self, ref: SecretRef, namespace: str) -> str:
        raise Stalled("SecretNotFound", f"cannot reveal {ref} here")

    def digest(self, value: str) -> str:
        return "0" * 16


NO_SECRETS = _NoSecrets()


def container_spec(live: Json, supplied: Supplied, reference: str, callers: Mapping[str, str], info: Json) -> Json:
    """The fields as JSON would have them. `callers` are the names of other containers; `info` is the engine's own account."""
    draft = _draft(live, supplied, reference)
    seen = observed_container(draft, live, supplied, NO_SECRETS, names=callers)
    found: Json = {"image": reference}
    if draft.spec.state is not State.RUNNING:
        found["state"] = draft.spec.state.value
    if draft.spec.entrypoint == ():
        found["entrypoint"] = []
    default = _defaults(live, info)
    for name in (each for each in ContainerSpec.model_fields if each in _SEEN - _APART):
        value = _bare(plain(getattr(seen, name)))
        if value not in _EMPTY and value != default.get(name):
            found[name] = value
    return _adapted(found, live, supplied, seen)


def _draft(live: Json, supplied: Supplied, reference: str) -> Container:
    """Declares what is seen only where it is declared."""
    spec: Json = {"image": reference, "state": state_of(live)}
    if supplied.config.get("Entrypoint") and not live["Config"].get("Entrypoint"):
        spec["entrypoint"] = []
    return Container.model_validate(
        {"apiVersion": API_VERSION, "kind": "Container", "metadata": {"name": "draft"}, "spec": spec}
    )


def state_of(live: Json) -> str:
    """One that is paused, or that the engine restarts again and again, is meant to run."""
    return State.STOPPED if live["State"]["Status"] in ("created", "exited", "dead") else State.RUNNING


def _defaults(live: Json, info: Json) -> Json:
    """What the engine fills in, in the words of the spec."""
    shares = live["HostConfig"]["NetworkMode"] == "host"
    return {
        "restart": "no",
        "shmSize": "64m",
        "stopSignal": "SIGTERM",
        "ipc": IPC,
        "runtime": info.get("DefaultRuntime") or RUNTIME,
        "cgroup": "private" if info.get("CgroupVersion") == "2" else "host",
        "logging": {"driver": info.get("LoggingDriver")},
        "networks": [{"name": "bridge"}],
        "hostname": info.get("Name") if shares else None,
        "domainname": live["Config"].get("Domainname") if shares else None,
    }


def _bare(value: Any) -> Any:
    """Without what is empty or off anyway."""
    if isinstance(value, dict):
        return {
            name: _bare(each) for name, each in value.items() if each not in (None, (), [], {}) and each is not False
        }
    return [_bare(each) for each in value] if isinstance(value, list) else value


def _adapted(found: Json, live: Json, supplied: Supplied, seen: ContainerObserved) -> Json:
    """What can't be said field by field."""
    # Texts of maps may be empty, and are kept so; so is a map of them.
    found |= {name: dict(value) for name in ("labels", "tmpfs", "sysctls") if (value := getattr(seen, name))}
    if seen.env:  # in the container's own order
        order = [text.partition("=")[0] for text in live["Config"].get("Env") or ()]
        found["env"] = {name: seen.env[name] for name in order if name in seen.env}
    if labels := {name: text for name, text in found.pop("labels", {}).items() if name not in _PASSING}:
        found["labels"] = labels
    if "memory" not in found:
        found.pop("memorySwap", None)
    if any(option.startswith("seccomp=(") for option in found.get("securityOpt", ())):
        del found["securityOpt"]  # `lost` says so
    theirs = {*(live["Config"].get("Volumes") or {})} - {*(supplied.config.get("Volumes") or {})} - bound(live).keys()
    known = {mount["target"] for mount in found.get("volumes", ())}
    if anonymous := [{"type": "volume", "target": target} for target in sorted(theirs - known)]:
        found["volumes"] = sorted([*found.get("volumes", ()), *anonymous], key=lambda mount: mount["target"])
    return found


def lost(live: Json) -> list[str]:
    """What of a container no spec can say, and what taking it over does all the same."""
    host = live["HostConfig"]
    found = []
    if host.get("AutoRemove"):
        found.append("was made with --rm, so the engine removes it when it stops; Pegasus2 makes it anew without that")
    if live["State"].get("Paused"):
        found.append("is paused: taking it over lets it go on")
    for field, option in (("CpusetMems", "--cpuset-mems"), ("KernelMemory", "--kernel-memory")):
        if host.get(field):
            found.append(f"its {option} can't be declared: a container that takes its place will not have it")
    if host.get("VolumeDriver"):
        found.append(
            "its --volume-driver can't be declared: declare Volumes with a driver for what it makes of its own"
        )
    if any(text.startswith("seccomp={") for text in host.get("SecurityOpt") or ()):
        found.append("securityOpt is left out: write its seccomp profile into a file, and name that there")
    if len([each for request in host.get("DeviceRequests") or () for each in request.get("Capabilities") or ()]) > len(
        host.get("DeviceRequests") or ()
    ):
        found.append("alternatives among the capabilities of its deviceRequests can't be declared")
    return found
