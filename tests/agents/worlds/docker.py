"""What the worlds of the Docker agents share: the real engine, and a prefix that tells this test's things from all others."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from docker import APIClient
from docker.errors import NotFound

from controller.agents.docker.client import connect
from resources.kinds.container import OWN_LABELS
from tests.agents.world import R, World

IMAGE = "p2test/busybox:1"


class DockerWorld(World[R]):
    needs: ClassVar[str] = "docker"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.engine = APIClient(timeout=30)
        agent_class: Any = self.agent_class
        writing, reading = self.setup(), self.setup(read_only=True)
        self.agent = agent_class(connect(writing), writing)
        self.reader = agent_class(connect(reading), reading)

    def cut_off(self) -> Any:
        agent_class: Any = self.agent_class
        setup = self.setup(host=f"unix://{self.directory}/no-engine.sock")
        return agent_class(connect(setup), setup)

    def close(self) -> None:
        for container in self.engine.containers(all=True, filters={"name": self.prefix}):
            with contextlib.suppress(NotFound):
                self.engine.remove_container(container["Id"], v=True, force=True)
        for network in self.engine.networks(names=None, filters={"name": self.prefix}):
            with contextlib.suppress(NotFound):
                self.engine.remove_network(network["Id"])
        for volume in self.engine.volumes(filters={"name": self.prefix})["Volumes"] or ():
            with contextlib.suppress(NotFound):
                self.engine.remove_volume(volume["Name"], force=True)
        self.engine.close()


def users_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (labels or {}).items() if not name.startswith(OWN_LABELS)}
