"""Takes the names and labels of Docker Compose off the resources of a project: what is left is called as its resource is.

So that one set of resources can be had several times, each under a prefix of its own. `p2 import compose --own-names` asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resources import kinds
from resources.compose.mapping.marks import UNCOMPARED
from resources.meta import Key

if TYPE_CHECKING:
    from resources.meta import Resource

Spec = dict[str, Any]

_NAMED_BY = {"Network": "networkName", "Volume": "volumeName"}
_OWN = UNCOMPARED.removeprefix("labels.")


def with_own_names(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """As `resources`, which are those of one project. A container that others name by its name in the engine keeps that."""
    found = list(resources)
    documents = [each.model_dump(mode="json", exclude_unset=True) for each in found]
    renamed = _single(found)
    called = {kind: _called(documents, kind, field) for kind, field in _NAMED_BY.items()}
    kept = {name for each in documents if each["kind"] == "Container" for name in _named(each["spec"])}
    for document in documents:
        _free(document["spec"])
        if document["kind"] == "Container":
            _free_container(document, renamed, called, kept)
    return tuple(_made(document) for document in documents)


def _called(documents: Iterable[Spec], kind: str, field: str) -> dict[str, str]:
    """The resources of a kind by what they are called in the engine."""
    found = ((each["spec"].get(field), each["metadata"]["name"]) for each in documents if each["kind"] == kind)
    return {called or name: name for called, name in found}


def _single(resources: Sequence[Resource]) -> dict[Key, str]:
    """New names of the containers that are the only one of their service: without the number."""
    names = [each.key for each in resources if each.kind == "Container"]
    taken = {key.name for key in names}
    found = {}
    for key in names:
        stem = re.sub("-1$", "", key.name)
        if stem != key.name and stem not in taken and f"{stem}-2" not in taken:
            found[key] = stem
    return found


def _named(spec: Mapping[str, Any]) -> set[str]:
    """Containers that this one names as the engine does."""
    modes = (str(spec.get(field) or "") for field in ("networkMode", "pid", "ipc"))
    found = {mode.removeprefix("container:") for mode in modes if mode.startswith("container:")}
    found |= set((spec.get("links") or {}).values())
    return found | {each.partition(":")[0] for each in spec.get("volumesFrom") or ()}


def _free(spec: Spec) -> None:
    for field in ("networkName", "volumeName"):
        spec.pop(field, None)
    labels = {
        name: value for name, value in (spec.pop("labels", None) or {}).items() if not name.startswith(f"{_OWN}.")
    }
    if labels:
        spec["labels"] = labels
    if ignore := [path for path in spec.pop("ignore", ()) if path != UNCOMPARED]:
        spec["ignore"] = ignore


def _free_container(
    document: Spec, renamed: Mapping[Key, str], called: Mapping[str, Mapping[str, str]], kept: set[str]
) -> None:
    spec, metadata = document["spec"], document["metadata"]
    key = Key("Container", metadata.get("namespace", "default"), metadata["name"])
    container = spec.get("containerName") or key.name
    metadata["name"] = renamed.get(key, key.name)
    if container in kept and container != metadata["name"]:
        spec["containerName"] = container
    elif container == key.name:
        spec.pop("containerName", None)
    for attachment in spec.get("networks") or ():
        if attachment.get("external") and (network := called["Network"].get(attachment["name"])):
            attachment["name"] = network
            del attachment["external"]
        attachment["aliases"] = [alias for alias in attachment.get("aliases") or () if alias != container]
    for mount in spec.get("volumes") or ():
        if mount.get("external") and (volume := called["Volume"].get(mount.get("source"))):
            mount["source"] = volume
            del mount["external"]
    references = {f"Container/{old.name}": f"Container/{new}" for old, new in renamed.items()}
    if depends := spec.get("dependsOn"):
        spec["dependsOn"] = [references.get(each, each) for each in depends]


def _made(document: Spec) -> Resource:
    model = kinds.model_of(document["kind"])
    assert model is not None
    return model.model_validate(document)
