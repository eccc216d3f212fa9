"""What is known of images: what they supply to their containers, and which ones are not here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, Json


@dataclass(frozen=True, slots=True)
class Supplied:
    """`config` is of the image that a container was made from; `current` tells whether its spec may still name that image.

    `platform` is the image's, such as linux/amd64 or linux/arm/v7; `same`: the spec names just that image, whatever it calls it.
    """

    config: Json
    current: bool = True
    platform: str = ""
    same: bool = False


class Images:
    """Remembers the images that were seen. What an id names never changes, so each is read once; names are read each time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._by_id: dict[str, Json] = {}
        self._absent: frozenset[str] = frozenset()

    def learn(self, named: Mapping[str, Json | None], used: Iterable[str]) -> None:
        """`named`: what each name came to mean in this look, None where it is not here; `used`: ids that containers have."""
        self._absent = (self._absent - named.keys()) | {name for name, image in named.items() if image is None}
        self._by_id |= {image["Id"]: image for image in named.values() if image}
        unknown = sorted({*used} - self._by_id.keys())
        for identity, image in zip(unknown, self._engine.read_each([*map(paths.image, unknown)]), strict=True):
            self._by_id[identity] = image or {"Id": identity}  # removed by force under its container

    def absent(self, name: str) -> bool:
        """Whether an image of this name was looked for and not found."""
        return name in self._absent

    def supplied(self, live: Json, named: Json | None) -> Supplied:
        """For a container: `named` is what its spec names. Where that is nothing, nothing else can be meant."""
        image = self._by_id[live["Image"]]
        same = named is not None and named["Id"] == image["Id"]
        return Supplied(image.get("Config") or {}, named is None or same, platform_of(image), same)


def platform_of(image: Json) -> str:
    return "/".join(filter(None, (image.get("Os"), image.get("Architecture"), image.get("Variant"))))
