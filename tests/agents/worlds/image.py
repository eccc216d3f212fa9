"""Images on the real engine, built from contexts of the test's own."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from controller.agents.docker.image import ImageAgent
from resources.kinds.image import Image
from tests.agents.world import ByHand
from tests.agents.worlds.docker import IMAGE, DockerWorld, users_labels

DOCKERFILE = f"FROM {IMAGE}\nARG COLOR=red\nENV COLOR=$COLOR\nCOPY . /srv\n"


class Images(DockerWorld[Image]):
    agent_class = ImageAgent

    def sample(self, name: str = "one") -> Image:
        return self.built(name, args={"COLOR": "blue"}, labels={"tier": "web"})

    def built(self, name: str, **build: Any) -> Image:
        """From a context that is made for it."""
        return self.resource(name, image=self.reference(name), build={"context": str(self.context(name)), **build})

    def reference(self, name: str) -> str:
        return f"{self.prefix}/{name}:1"

    def context(self, name: str) -> Path:
        """A directory with a Dockerfile and one file more, unless it is there."""
        directory = self.directory / "contexts" / name
        if not directory.exists():
            directory.mkdir(parents=True)
            (directory / "Dockerfile").write_text(f"{DOCKERFILE}LABEL test={self.prefix}\n")
            (directory / "page").write_text("hello")
        return directory

    def edits(self, resource: Image) -> Mapping[str, Image]:
        name = self.name_of(resource)
        return {
            "another argument": self.built(name, args={"COLOR": "green"}, labels={"tier": "web"}),
            "another label": self.built(name, args={"COLOR": "green"}, labels={"tier": "db"}),
            "labels dropped": self.built(name, args={"COLOR": "green"}),
        }

    def name_of(self, resource: Image) -> str:
        return resource.metadata.name.removeprefix(f"{self.prefix}-")

    def drifts(self, resource: Image) -> ByHand:
        return {"another image has its name": lambda: self._rename(resource)}

    def _rename(self, resource: Image) -> None:
        repository, _, tag = resource.spec.image.rpartition(":")
        self.engine.tag(IMAGE, repository, tag)

    def remove(self, resource: Image) -> None:
        self.engine.remove_image(resource.spec.image)

    def make_strangers(self, resource: Image) -> None:
        dockerfile = f"FROM {IMAGE}\nLABEL test={self.prefix} whose=stranger\n"
        answer = self.engine.build(
            fileobj=io.BytesIO(dockerfile.encode()), tag=resource.spec.image, rm=True, decode=True
        )
        for message in answer:
            assert "error" not in message, message

    def state(self, resource: Image) -> Any:
        try:
            found = self.engine.inspect_image(resource.spec.image)  # type: ignore[no-untyped-call]
        except NotFound:
            return None
        config = found["Config"]
        return {
            "env": sorted(config["Env"]),
            "labels": users_labels(config["Labels"]),
            "layers": found["RootFS"]["Layers"],
        }

    def impossible(self, name: str = "impossible") -> Image:
        return self.built(name, dockerfileInline="FROM scratch\nCOPY there-is-no-such-file /\n")

    def close(self) -> None:
        super().close()
        for image in self.engine.images(all=False):
            names = [name for name in image["RepoTags"] or () if self.prefix in name]
            if names or (image["Labels"] or {}).get("test") == self.prefix:
                for name in names or [image["Id"]]:
                    with contextlib.suppress(Exception):
                        self.engine.remove_image(name, force=True)
