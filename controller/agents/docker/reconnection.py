"""Which containers a network had when its replacement began, kept in the home until they are connected to the new one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, Json


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place in a network. `arguments` are those of `WritableEngine.connect_network`."""

    container: str  # id
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


def endpoints_of(engine: Engine, network: str) -> list[Endpoint]:
    """The containers in the network of this name; those at rest, too, for they remember its id and would not start."""
    listed = engine.read(paths.containers(network=[network]))
    containers = engine.read_each([paths.container(each["Id"]) for each in listed])
    return [_endpoint(container, network) for container in containers if container]


def _endpoint(container: Json, network: str) -> Endpoint:
    found = container["NetworkSettings"]["Networks"].get(network) or {}
    addresses = found.get("IPAMConfig") or {}
    # Engines before API 1.44 add the short id of the container to its aliases.
    aliases = [alias for alias in found.get("Aliases") or () if alias != container["Id"][:12]]
    arguments = {
        "aliases": aliases,
        "ipv4_address": addresses.get("IPv4Address"),
        "ipv6_address": addresses.get("IPv6Address"),
        "links": found.get("Links"),
        "driver_opt": found.get("DriverOpts"),
    }
    name = container["Name"].removeprefix("/")
    return Endpoint(container["Id"], name, {option: value for option, value in arguments.items() if value})


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
        return [Endpoint(**each) for each in kept]

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
