"""Containers on the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from controller.agents.docker.container import ContainerAgent
from resources.kinds.container import Container
from tests.agents.world import ByHand
from tests.agents.worlds.docker import IMAGE, DockerWorld, users_labels

# Killed at once when it is stopped: `sleep`, as the first process, would let the engine wait.
SPEC: dict[str, Any] = {
    "image": IMAGE,
    "pullPolicy": "never",
    "command": ["sleep", "1000"],
    "stopSignal": "SIGKILL",
    "env": {"TZ": "UTC", "COLOR": "blue"},
    "labels": {"tier": "web"},
    "memory": "64m",
    "restart": "unless-stopped",
}


class Containers(DockerWorld[Container]):
    agent_class = ContainerAgent

    def sample(self, name: str = "one") -> Container:
        return self.resource(name, **SPEC)

    def edits(self, resource: Container) -> Mapping[str, Container]:
        name = resource.metadata.name.removeprefix(f"{self.prefix}-")
        return {
            "another limit": self.resource(name, **{**SPEC, "memory": "96m"}),
            "another variable": self.resource(name, **{**SPEC, "env": {"TZ": "UTC", "COLOR": "red"}}),
            "a variable dropped": self.resource(name, **{**SPEC, "env": {"TZ": "UTC"}}),
            "another label": self.resource(name, **{**SPEC, "env": {"TZ": "UTC"}, "labels": {"tier": "db"}}),
            "stopped": self.resource(name, **{**SPEC, "state": "stopped"}),
        }

    def drifts(self, resource: Container) -> ByHand:
        name = resource.container_name
        return {
            "given another limit": lambda: self._update(name, {"Memory": 96 << 20, "MemorySwap": 192 << 20}),
            "given another restart policy": lambda: self._update(name, {"RestartPolicy": {"Name": "no"}}),
            "stopped": lambda: self.engine.kill(name),
            "cut off from its network": lambda: self.engine.disconnect_container_from_network(name, "bridge"),
            "renamed": lambda: self.engine.rename(name, f"{name}-renamed"),
        }

    def remove(self, resource: Container) -> None:
        self.engine.remove_container(resource.container_name, force=True)

    def make_strangers(self, resource: Container) -> None:
        made = self.engine.create_container(
            IMAGE, ["sleep", "2000"], name=resource.container_name, environment={"TZ": "CET"}, stop_signal="SIGKILL"
        )
        self.engine.start(made["Id"])

    def state(self, resource: Container) -> Any:
        try:
            found = self.engine.inspect_container(resource.container_name)
        except NotFound:
            return None
        config, host = found["Config"], found["HostConfig"]
        return {
            "image": config["Image"],
            "command": config["Cmd"],
            "env": sorted(config["Env"]),
            "labels": users_labels(config["Labels"]),
            "running": found["State"]["Running"],
            "limits": (host["Memory"], host["RestartPolicy"]["Name"]),
            "networks": sorted(found["NetworkSettings"]["Networks"]),
        }

    def impossible(self, name: str = "impossible") -> Container:
        return self.resource(name, **{**SPEC, "image": "p2test/there-is-no-such-image:1"})

    def secretive(self, value: str) -> Container:
        self.environment["TOKEN"] = value
        return self.resource("secretive", **SPEC, secretEnv={"TOKEN": {"env": "TOKEN"}})

    def _update(self, name: str, settings: Mapping[str, Any]) -> None:
        url = f"{self.engine.base_url}/v{self.engine.api_version}/containers/{name}/update"
        self.engine.post(url, json=settings).raise_for_status()
