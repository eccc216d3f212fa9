"""What the files of an environment say of images: its kustomization, and the patch of its Compose resources beside that.

`deploying.py` has them as they were and as they are to be, `rollout.py` works out what is to be written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.command import Refused

if TYPE_CHECKING:
    from controller.engine.by_hand import Pinned
    from resources.kustomize.items import Id
    from resources.meta import Resource


@dataclass(frozen=True, slots=True)
class Service:
    """Of a Compose resource, as its patches call it. `said`: something says already which image it runs."""

    project: Id
    name: str
    reference: str  # its image, as the files have it
    said: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to roll out: what it is called, and what it is to be. Services have what they were of their own."""

    name: str
    reference: str
    resource: Resource  # what declares it, or names it
    listed: bool = True  # resources of the kustomization name it, so that its `images:` sets it
    services: tuple[Service, ...] = ()  # those that run it
    former: str = ""  # what those resources name now; empty where they name several
    names: frozenset[str] = frozenset()  # what a declared one is built or pulled as; empty: it is chosen by --image

    def meant_by(self, reference: str) -> bool:
        """Whether a Compose file that says `reference` means this one."""
        from resources.kustomize.images import split
        from resources.notation import canonical_image

        if self.names:
            return canonical_image(reference) in self.names
        return self.name in (reference, split(reference)[0])


@dataclass(frozen=True)
class Written:
    """`patch` is empty where there is no such file."""

    kustomization: str
    patch: str = ""

    def with_pins(self, images: Sequence[Wanted], pins: Mapping[str, Pinned]) -> Written:
        """The same, with these images as far as they are pinned. Raises Refused."""
        from resources.kustomize.deployed import NAME, images_of, text_of
        from resources.kustomize.editing import add_patch

        pinned = [image for image in images if image.name in pins]
        text = with_images(self.kustomization, {image.name: pins[image.name] for image in pinned if image.listed})
        if not any(image.services for image in pinned):
            return replace(self, kustomization=text)
        with _editing():
            said = images_of(self.patch)
            before = text_of(said)
            for image in pinned:
                for service in image.services:
                    said.setdefault(service.project, {})[service.name] = pins[image.name].reference
            # One that says the same in another layout stays as it is.
            patch = self.patch if text_of(said) == before else text_of(said)
            return Written(add_patch(text, NAME), patch)

    def unsaid(self, image: Wanted) -> Iterator[Wanted]:
        """Where nothing says so far which image that is: as it was. Services have names of their own, for they may differ."""
        if image.listed and image.former and not _set_version(images_in(self.kustomization).get(image.name)):
            yield replace(image, reference=image.former, services=())
        for service in image.services:
            if not service.said:
                name = f"{service.project.shown} {service.name}"
                yield replace(image, name=name, reference=service.reference, listed=False, services=(service,))

    def tags(self) -> set[str]:
        """All that are written here."""
        from resources.kustomize.deployed import images_of
        from resources.kustomize.editing import CannotEdit

        found = {str(entry.get("newTag")) for entry in images_in(self.kustomization).values()}
        with suppress(CannotEdit):  # somebody's own patch, with no tags of ours
            said = images_of(self.patch).values()
            found |= {image.rpartition(":")[2] for images in said for image in images.values()}
        return found


def images_in(text: str) -> dict[str, dict[str, Any]]:
    """The entries of `images:` in a kustomization, by name."""
    import yaml

    content = yaml.safe_load(text) or {}
    return {each["name"]: each for each in content.get("images") or () if isinstance(each, dict) and "name" in each}


def _set_version(entry: Mapping[str, Any] | None) -> bool:
    """Whether an entry of `images:` says which image, and not only another name."""
    return bool(entry and (entry.get("digest") or entry.get("newTag")))


def with_images(text: str, pins: Mapping[str, Pinned]) -> str:
    """The kustomization `text`, with these images. Raises Refused."""
    from resources.kustomize.editing import set_image

    with _editing():
        for name, pin in sorted(pins.items()):
            renamed = (images_in(text).get(name) or {}).get("newName")
            new_name = pin.name if pin.name != name or renamed not in (None, name) else None
            text = set_image(text, name, new_name=new_name, new_tag=pin.tag or None, digest=pin.digest or None)
    return text


@contextmanager
def _editing() -> Iterator[None]:
    from resources.kustomize.editing import CannotEdit

    try:
        yield
    except CannotEdit as error:
        raise Refused(str(error)) from error
