"""Images that somebody keeps, in front of a real registry."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from docker.errors import NotFound

from controller.agents.docker.client import connect
from controller.agents.docker.image import ImageAgent
from controller.engine.agent import Seen
from resources.kinds.image import Image
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE
from tests.agents.worlds.image import Images
from tests.registry import RealRegistry


class RealImages(Images):
    """`publish` puts images into a registry without leaving them on this machine."""

    def publish(self, registry: RealRegistry, age: str, tag: str = "1", path: str = "") -> str:
        """An image that tells its age. Returns the digest that it has at the registry."""
        name = f"{registry.host}/{path or self.prefix}"
        here = self.identity(f"{name}:{tag}") if self.age(f"{name}:{tag}") is not None else None
        local = self.make(age)
        digest = registry.push(self.engine, local, path or self.prefix, tag)
        self.engine.remove_image(local)
        if here:
            self.engine.tag(here, name, tag)
        return digest

    def make(self, age: str, *instructions: str) -> str:
        reference = f"{self.prefix}:{age}"
        dockerfile = "\n".join([f"FROM {IMAGE}", f"LABEL test={self.prefix}", f"ENV AGE={age}", *instructions])
        for message in self.engine.build(fileobj=io.BytesIO(dockerfile.encode()), tag=reference, rm=True, decode=True):
            assert "error" not in message, message
        return reference

    def pulled(self, registry: RealRegistry, tag: str = "1", name: str = "one", **spec: Any) -> Image:
        return self.resource(name, **{"image": f"{registry.host}/{self.prefix}:{tag}", **spec})

    def age(self, name: str) -> str | None:
        """What the image of this name says of its age; None where there is none."""
        try:
            found = self.engine.inspect_image(name)  # type: ignore[no-untyped-call]
        except NotFound:
            return None
        return next((each.removeprefix("AGE=") for each in found["Config"]["Env"] if each.startswith("AGE=")), "")

    def identity(self, name: str) -> str:
        return str(self.engine.inspect_image(name)["Id"])  # type: ignore[no-untyped-call]

    def there(self, identity: str) -> bool:
        try:
            self.engine.inspect_image(identity)  # type: ignore[no-untyped-call]
        except NotFound:
            return False
        return True

    def use(self, image: str, name: str = "user") -> str:
        """A container, at rest, that was made from the image. Returns its name."""
        container = f"{self.prefix}-{name}"
        self.engine.create_container(image, ["true"], name=container)
        return container

    def stop_using(self, container: str) -> None:
        self.engine.remove_container(container, force=True)

    def later(self, keeper: Keeper, **settings: Any) -> Keeper:
        """The same keeper when another process has taken its place: what the registries said has to be asked anew."""
        setup = self.setup(**settings)
        after = Keeper(self, ImageAgent(connect(setup), setup))
        after.last, after.handles = dict(keeper.last), dict(keeper.handles)
        return after

    def message(self, keeper: Keeper, resource: Image) -> str:
        seen = keeper.look(resource)
        assert isinstance(seen, Seen)
        return seen.health.message

    def close(self) -> None:
        super().close()
        for image in self.engine.images():
            for name in (image["RepoTags"] or []) + (image["RepoDigests"] or []):
                if self.prefix in name:
                    with contextlib.suppress(Exception):
                        self.engine.remove_image(name, force=True)
