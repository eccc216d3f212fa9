"""Networks on the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from controller.agents.docker.network import NetworkAgent
from resources.kinds.network import Network
from tests.agents.world import ByHand
from tests.agents.worlds.docker import DockerWorld, users_labels


class Networks(DockerWorld[Network]):
    agent_class = NetworkAgent

    def sample(self, name: str = "one") -> Network:
        return self.resource(name, internal=True, labels={"tier": "data"})

    def edits(self, resource: Network) -> Mapping[str, Network]:
        name = resource.metadata.name.removeprefix(f"{self.prefix}-")
        return {
            "another label": self.resource(name, internal=True, labels={"tier": "web"}),
            "a field dropped": self.resource(name, labels={"tier": "web"}),
        }

    def drifts(self, resource: Network) -> ByHand:
        return {"made anew with a way out": lambda: self._make_anew(resource)}

    def remove(self, resource: Network) -> None:
        self.engine.remove_network(resource.world_name)

    def make_strangers(self, resource: Network) -> None:
        self.engine.create_network(resource.world_name, labels={"whose": "somebody else's"})

    def state(self, resource: Network) -> Any:
        try:
            found = self.engine.inspect_network(resource.world_name)
        except NotFound:
            return None
        return {"driver": found["Driver"], "internal": found["Internal"], "labels": users_labels(found["Labels"])}

    def impossible(self, name: str = "impossible") -> Network:
        return self.resource(name, options={"com.docker.network.driver.mtu": "as big as can be"})

    def _make_anew(self, resource: Network) -> None:
        labels = self.engine.inspect_network(resource.world_name)["Labels"]
        self.remove(resource)
        self.engine.create_network(resource.world_name, labels=labels, internal=False)
