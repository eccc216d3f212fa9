"""What the worlds of the Docker agents share: the real engine, and a prefix that tells this test's things from all others."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from docker import APIClient
from docker.errors import NotFound

from controller.agents.docker.client import connect
from resources.docker.names import OWN_LABELS
from tests.agents.world import R, World

IMAGE = "p2test/busybox:1"


class DockerWorld(World[R]):
    needs: ClassVar[str] = "docker"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.engine = APIClient(timeout=30)
        need_image(self.engine)
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


def need_image(engine: APIClient, image: str = IMAGE) -> None:
    """Imports an image that holds a static busybox and nothing else, unless the engine has it: no registry is needed."""
    if engine.images(name=image):
        return
    busybox = shutil.which("busybox")
    assert busybox, "cannot make a test image without busybox: install the package busybox-static"
    repository, _, tag = image.rpartition(":")
    # The engine sets the usual PATH for an image that is built or run, not for one that is imported.
    changes = ["ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 'CMD ["sh"]']
    answer = engine.import_image_from_data(_layer(Path(busybox)), repository=repository, tag=tag, changes=changes)
    assert engine.images(name=image), f"cannot import {image}: {answer}"


def _layer(busybox: Path) -> bytes:
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(busybox.resolve(), "bin/busybox")
        for applet in applets:
            if applet == "busybox":
                continue
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return layer.getvalue()


def users_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (labels or {}).items() if not name.startswith(OWN_LABELS)}
