"""What an engine of some age can't do. A container that asks for it is refused by name: the engine itself would pass over it."""

from __future__ import annotations

from collections.abc import Iterator

from controller.agents.docker.joining import MAC_EACH, wanted_networks
from controller.agents.docker.mounting import as_text
from controller.engine.agent import Stalled
from resources.docker.parts import Mount
from resources.kinds.container import Container, ContainerSpec

# The version of Docker that first spoke an API: https://docs.docker.com/reference/api/engine/#api-version-matrix
_DOCKER = {(1, 41): "20.10", (1, 43): "24", (1, 44): "25", (1, 45): "26", (1, 48): "28"}


def refuse_unsupported(container: Container, api: tuple[int, int]) -> None:
    """Raises Stalled for the first field of the spec that an engine with this API can't do."""
    for field, least in _needs(container.spec):
        if api < least:
            raise Stalled(
                "Unsupported",
                f"cannot use {field}: it needs Docker {_DOCKER[least]} (API {_written(least)}), and this engine has API "
                f"{_written(api)}; leave it out, or upgrade the engine",
            )
    for mount in container.spec.volumes or ():
        if as_text(mount, api) and (problem := _unspeakable(mount)):
            raise Stalled("Unsupported", f"cannot mount {mount.source} at {mount.target}: {problem}")


def _written(api: tuple[int, int]) -> str:
    return ".".join(map(str, api))


def _needs(spec: ContainerSpec) -> Iterator[tuple[str, tuple[int, int]]]:
    if spec.platform:
        yield "platform", (1, 41)
    if spec.annotations:
        yield "annotations", (1, 43)
    if spec.healthcheck and spec.healthcheck.startInterval:
        yield "healthcheck.startInterval", (1, 44)
    for mount in spec.volumes or ():
        if mount.subpath:
            yield f"the subpath of the mount at {mount.target}", (1, 45)
        if mount.recursive in ("writable", "readonly"):
            yield f"recursive: {mount.recursive} of the mount at {mount.target}", (1, 44)
    for at, attachment in enumerate(wanted_networks(spec)):
        if attachment.macAddress and at:
            yield f"the macAddress in the network {attachment.name}, which is not the first one", MAC_EACH
        if attachment.gwPriority is not None:
            yield f"the gwPriority of the network {attachment.name}", (1, 48)


def _unspeakable(mount: Mount) -> str:
    """Why a mount can't be written as path:path:options, or an empty text."""
    why = "selinux" if mount.selinux else "createHostPath, with this engine,"
    if mount.recursive:
        return f"{why} can't be had together with recursive; leave one of them out"
    if ":" in f"{mount.source}{mount.target}":
        return f"{why} can't be had with a colon in a path; rename it"
    return ""
