"""Which containers a network had when its replacement began, kept in the home until they are connected to the new one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, Json


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place in a network, in the words of the API."""

    container: str  # id
    name: str
    place: Json = field(default_factory=dict)


def endpoints_of(engine: Engine, network: str) -> list[Endpoint]:
    """The containers in the network of this name; those at rest, too, for they remember its id and would not start."""
    listed = engine.read(paths.containers(network=[network]))
    containers = engine.read_each([paths.container(each["Id"]) for each in listed])
    return [_endpoint(container, network) for container in containers if container]


def _endpoint(container: Json, network: str) -> Endpoint:
    found = container["NetworkSettings"]["Networks"].get(network) or {}
    # Engines before API 1.44 add the short id of the container to its aliases.
    aliases = [alias for alias in found.get("Aliases") or () if alias != container["Id"][:12]]
    kept = {"Aliases": aliases} | {field: found.get(field) for field in ("IPAMConfig", "Links", "DriverOpts")}
    name = container["Name"].removeprefix("/")
    return Endpoint(container["Id"], name, {field: value for field, value in kept.items() if value})


class Reconnections:
    """A file for each network that is being replaced, in `docker/reconnect` of the home."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "docker" / "reconnect"

    def of(self, network: str) -> list[Endpoint]:
        """What is still to be connected to this network."""
        try:
            kept = json.loads((self._directory / network).read_text())
        except FileNotFoundError:
            return []
        return [Endpoint(each["container"], each["name"], each.get("place", {})) for each in kept]

    def save(self, network: str, endpoints: list[Endpoint]) -> None:
        """Adds to what an interrupted replacement of this network has left to do. Durable when it returns."""
        known = {endpoint.container: endpoint for endpoint in [*self.of(network), *endpoints]}
        if not known:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._directory / f".{network}"
        with temporary.open("w") as file:
            json.dump([asdict(endpoint) for endpoint in known.values()], file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._directory / network)

    def forget(self, network: str) -> None:
        (self._directory / network).unlink(missing_ok=True)
