"""The containers, networks and volumes of one story on a real engine: declared as documents, looked at and changed by hand."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from typing import Any

from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE, need_image

# Killed at once when it is stopped: `sleep`, as the first process, would let the engine wait. Most have no network, for
# connecting one costs more than all the rest of a start.
RUNNING: dict[str, Any] = {
    "image": IMAGE,
    "pullPolicy": "never",
    "command": ["sleep", "1000"],
    "stopSignal": "SIGKILL",
    "networks": [{"name": "none"}],
}


class Yard:
    """Things are called by short names; a prefix of this yard's own tells them from all others of the engine."""

    def __init__(self, engine: APIClient) -> None:
        self.engine = engine
        self.prefix = f"p2y-{uuid.uuid4().hex[:8]}"
        need_image(engine)

    def name(self, short: str) -> str:
        return f"{self.prefix}-{short}"

    # -- declaring -------------------------------------------------------------------------------------------------

    def container(self, short: str, **spec: Any) -> str:
        """A document that declares a container which does nothing, for long."""
        return self.document("Container", short, **{**RUNNING, **spec})

    def document(self, kind: str, short: str, **spec: Any) -> str:
        return json.dumps(
            {"apiVersion": "pegasus2.dev/v1", "kind": kind, "metadata": {"name": self.name(short)}, "spec": spec}
        )

    # -- looking ---------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Of all containers, those of a replacement that is under way or was left behind included."""
        found = self.engine.containers(all=True, filters={"name": self.prefix})
        return sorted(name.removeprefix(f"/{self.prefix}-") for each in found for name in each["Names"])

    def inspect(self, short: str) -> dict[str, Any]:
        """What the engine says of a container; nothing when there is none."""
        try:
            return dict(self.engine.inspect_container(self.name(short)))
        except NotFound:
            return {}

    def running(self, *shorts: str) -> bool:
        return all(found and found["State"]["Running"] for found in map(self.inspect, shorts))

    def command(self, short: str) -> list[str]:
        """What a container runs; nothing when there is none."""
        return list(self.inspect(short).get("Config", {}).get("Cmd", ()))

    def identity(self, short: str) -> str:
        return str(self.inspect(short).get("Id", ""))

    def environment(self, short: str) -> list[str]:
        found = self.inspect(short)
        return list(found["Config"]["Env"]) if found else []

    def network(self, short: str) -> str:
        """The id of a network; nothing when there is none."""
        return "".join(each["Id"] for each in self.engine.networks(names=[self.name(short)]))

    def networks(self, short: str) -> list[str]:
        """Short names of the networks that a container is connected to."""
        found = self.inspect(short)["NetworkSettings"]["Networks"]
        return sorted(name.removeprefix(f"{self.prefix}-") for name, end in found.items() if end["NetworkID"])

    def fingerprint(self) -> dict[str, tuple[str, str]]:
        """What changes when a container is made anew or started again."""
        found = {short: self.inspect(short) for short in self.names()}
        return {short: (live["Id"], live["State"]["StartedAt"]) for short, live in found.items() if live}

    def states(self) -> dict[str, Any]:
        """All that a person would notice of the containers, but for ids and times."""
        return {short: self._state(self.inspect(short)) for short in self.names()}

    def _state(self, found: dict[str, Any]) -> dict[str, Any]:
        host, state = found["HostConfig"], found["State"]
        return {
            "runs": (state["Running"], state["Paused"]),
            "limits": (host["Memory"], host["NanoCpus"], host["RestartPolicy"]["Name"]),
            "networks": sorted(found["NetworkSettings"]["Networks"]),
            "env": sorted(found["Config"]["Env"]),
        }

    # -- changing by hand ------------------------------------------------------------------------------------------

    def update(self, short: str, **settings: Any) -> None:
        """As `docker update` does; the SDK's method lacks some of its settings."""
        url = f"{self.engine.base_url}/v{self.engine.api_version}/containers/{self.name(short)}/update"
        self.engine.post(url, json=settings).raise_for_status()

    def make_strangers(self, short: str) -> str:
        """A container as a stranger would start it. Returns its id."""
        made = self.engine.create_container(
            IMAGE,
            ["sleep", "2000"],
            name=self.name(short),
            stop_signal="SIGKILL",
            host_config=self.engine.create_host_config(network_mode="none"),
        )
        self.engine.start(made["Id"])
        return str(made["Id"])

    def clear(self) -> None:
        """Removes everything."""
        for container in self.engine.containers(all=True, filters={"name": self.prefix}):
            with suppress(NotFound):
                self.engine.remove_container(container["Id"], v=True, force=True)
        for network in self.engine.networks(filters={"name": self.prefix}):
            with suppress(NotFound):
                self.engine.remove_network(network["Id"])
        for volume in self.engine.volumes(filters={"name": self.prefix})["Volumes"] or ():
            with suppress(NotFound):
                self.engine.remove_volume(volume["Name"], force=True)
