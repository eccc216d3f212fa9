"""The patch in which an overlay says what images the services of its Compose resources run. `p2 deploy` reads and writes it.

`images:` of a kustomization finds an image where it is written, and these are written in Compose files, which no kustomization
reaches. So they are set by the field `images` of the Compose resources, in a patch as any other: kubectl makes the same of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from resources.documents import read
from resources.kustomize.editing import CannotEdit
from resources.kustomize.items import Id, Item, id_of, lacking
from resources.kustomize.resolving import Read, resolve
from resources.meta import API_VERSION, DEFAULT_NAMESPACE
from resources.writing import yaml_text

NAME = "deployed.yaml"
_HEAD = """\
# Written by p2 deploy: the images that services of Compose resources run, in place of what their files say.
"""
_KIND = "Compose"

Images = Mapping[Id, Mapping[str, str]]  # of Compose resources, as the patch calls them: what each service runs


def images_of(text: str) -> dict[Id, dict[str, str]]:
    """What the patch says. Raises CannotEdit for one that says anything else: that is somebody's own."""
    reading = read(text.encode(), NAME)
    if reading.problems:
        raise CannotEdit(f"cannot edit {reading.problems[0]}")
    found = {}
    for document in reading.documents:
        content: Any = document.content
        spec = content.get("spec") if not lacking(content) else None
        images = spec.get("images") if isinstance(spec, dict) else None
        if not isinstance(images, dict) or content != _document(id_of(content), images):
            raise CannotEdit(
                f"cannot write images into {NAME}: it has more than p2 deploy writes there; move that to a patch of another name"
            )
        found[id_of(content)] = {str(service): str(image) for service, image in images.items()}
    return found


def text_of(images: Images) -> str:
    """Of the whole file; empty where there is nothing to say."""
    documents = [_document(each, dict(sorted(images[each].items()))) for each in sorted(images) if images[each]]
    return _HEAD + yaml_text(documents) if documents else ""


def _document(id: Id, images: Mapping[str, str]) -> dict[str, Any]:
    namespace = {} if id.namespace == DEFAULT_NAMESPACE else {"namespace": id.namespace}
    metadata = {"name": id.name, **namespace}
    return {"apiVersion": API_VERSION, "kind": _KIND, "metadata": metadata, "spec": {"images": dict(images)}}


def of_deployments(file: str, id: Id) -> bool:
    """Whether a patch in `file` for this resource is one that `p2 deploy` writes."""
    return Path(file).name == NAME and id.kind == _KIND


def names_before(directory: Path, read: Read) -> dict[Id, Id]:
    """What each Compose resource of an overlay is called in its patches, by what it is called in the end. Raises Unresolvable."""
    items = [item for item in resolve(directory, read).items if item.id.kind == _KIND]
    return {item.id: _told_apart(item, items) for item in items}


def _told_apart(item: Item, items: Iterable[Item]) -> Id:
    """The oldest name that nothing else has had; the last one may come from a prefix that is put before it after all patches."""
    others = {each for other in items if other is not item for each in other.ids}
    return next((each for each in item.ids[:-1] if each not in others), item.id)
