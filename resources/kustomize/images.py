"""`images:` of a kustomization: another name, tag or digest for an image, wherever a resource names it. `resolving.py` calls it.

`kubectl kustomize` finds images below `containers` alone, unless a file under `configurations` tells it where ours have them:
`configuration.py` has it, and `p2 build --configuration` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from resources.kustomize.items import Item, Place
from resources.kustomize.kustomization import ImageEntry

# Where kinds name images. An Image does so, too, and is left alone: it says what is built or pulled under which name, and what is
# rolled out of that is another matter. `p2 deploy` writes that here.
FIELDS = {
    "Container": (("spec", "image"),),
    "ContainerSet": (("spec", "template", "image"),),
}
_VARIABLE = re.compile(r"\$\{[^}]*\}")
# With variables, which are filled in later: `shop/web:${ENVIRONMENT:-latest}`.
_VERSION = r"(:(\$\{[^}]*\}|[a-zA-Z0-9_.{}-])*)?(@sha256:[a-zA-Z0-9_.{}-]*)?"


def set_images(items: Iterable[Item], images: Iterable[ImageEntry], place: Place) -> None:
    """`place` is that of the list in the kustomization."""
    for number, image in enumerate(images):
        pattern = re.compile(re.escape(image.name) + _VERSION)
        for item, path, holder in _named(items):
            if pattern.fullmatch(holder[path[-1]]):
                holder[path[-1]] = renamed(holder[path[-1]], image)
                item.mark(path, Place(place.script, place.document, (*place.path, number)))


def _named(items: Iterable[Item]) -> Iterator[tuple[Item, tuple[str, ...], dict[str, str]]]:
    for item in items:
        for path in FIELDS.get(item.id.kind, ()):
            holder = item.content
            for part in path[:-1]:
                below = holder.get(part)
                holder = below if isinstance(below, dict) else {}
            if isinstance(holder.get(path[-1]), str):
                yield item, path, holder


def renamed(reference: str, image: ImageEntry) -> str:
    """`reference` with what the entry sets; a tag or a digest takes the place of both."""
    name, tag, digest = split(reference)
    name = image.newName or name
    if image.newTag or image.digest:
        tag, digest = image.newTag or "", image.digest or ""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest; what there is not is empty."""
    rest, _, digest = reference.partition("@")
    colon = _VARIABLE.sub(lambda found: "v" * len(found[0]), rest).rfind(":")
    name, tag = rest[: max(colon, 0)], rest[colon + 1 :]
    if colon < 0 or "/" in tag:
        return rest, "", digest
    return name, tag, digest
