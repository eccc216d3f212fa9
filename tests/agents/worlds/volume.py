"""Volumes on the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from controller.agents.docker.volume import VolumeAgent
from resources.kinds.volume import Volume
from tests.agents.world import ByHand
from tests.agents.worlds.docker import DockerWorld, users_labels

OPTIONS = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}


class Volumes(DockerWorld[Volume]):
    agent_class = VolumeAgent

    def sample(self, name: str = "one") -> Volume:
        return self.resource(name, options=OPTIONS, labels={"tier": "data"})

    def edits(self, resource: Volume) -> Mapping[str, Volume]:
        name = resource.metadata.name.removeprefix(f"{self.prefix}-")
        return {
            "another label": self.resource(name, options=OPTIONS, labels={"tier": "web"}),
            "an option changed": self.resource(name, options={**OPTIONS, "o": "size=2m"}, labels={"tier": "web"}),
        }

    def drifts(self, resource: Volume) -> ByHand:
        return {"made anew with other options": lambda: self._make_anew(resource)}

    def remove(self, resource: Volume) -> None:
        self.engine.remove_volume(resource.world_name)

    def make_strangers(self, resource: Volume) -> None:
        self.engine.create_volume(resource.world_name, labels={"whose": "somebody else's"})

    def state(self, resource: Volume) -> Any:
        try:
            found = self.engine.inspect_volume(resource.world_name)
        except NotFound:
            return None
        return {"driver": found["Driver"], "options": found["Options"], "labels": users_labels(found["Labels"])}

    def impossible(self, name: str = "impossible") -> Volume:
        return self.resource(name, options={"there-is-no-such-option": "1"})

    def _make_anew(self, resource: Volume) -> None:
        labels = self.engine.inspect_volume(resource.world_name)["Labels"]
        self.remove(resource)
        self.engine.create_volume(resource.world_name, labels=labels)
