"""`namePrefix`, `nameSuffix`, `namespace`, `labels` and `commonAnnotations`; and what refers to a resource follows its new name.

`resolving.py` calls it. References follow among the resources that the kustomization brings together; one to anything else stays
as it is. `kubectl kustomize` knows none of these references, apart from those that `configuration.py` tells it of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from resources.kustomize.items import Id, Item
from resources.meta import API_VERSION, world_name

# Parts of a spec that are specs of their own, in which references stand as well.
_TEMPLATES = (("spec",), ("spec", "template"))
# Fields that name a container as the engine does, with what may stand before and after the name.
_SHARED = re.compile(r"((?:container:)?)([^:]+)((?::r[ow])?)")


def rename(items: list[Item], prefix: str, suffix: str, namespace: str) -> None:
    """Gives all of them their new names. What refers to one of them by a name that it has, or had, follows."""
    old = [item.id for item in items]
    known = _by_name(items)
    containers = {world_name(item.id.namespace, item.id.name): item for item in items if _is_named_after_itself(item)}
    for item, was in zip(items, old, strict=True):
        metadata = item.content["metadata"]
        metadata["name"] = f"{prefix}{metadata['name']}{suffix}"
        if namespace:
            metadata["namespace"] = namespace
        if item.id != was:
            item.before.append(was)
    for item, was in zip(items, old, strict=True):
        for reference in _references(item.content):
            _follow(reference, was.namespace, item.id.namespace, known)
        for companion in _companions(item.content):
            _follow_container(companion, containers)


def _by_name(items: list[Item]) -> dict[Id, Item]:
    """Each by the name it has, and by those it had, as far as only one had them."""
    had: dict[Id, list[Item]] = {}
    for item in items:
        for each in dict.fromkeys(item.before):
            had.setdefault(each, []).append(item)
    return {each: those[0] for each, those in had.items() if len(those) == 1} | {item.id: item for item in items}


def add_labels(items: list[Item], labels: Mapping[str, str]) -> None:
    _add(items, "labels", labels)


def add_annotations(items: list[Item], annotations: Mapping[str, str]) -> None:
    _add(items, "annotations", annotations)


def _add(items: list[Item], field: str, entries: Mapping[str, str]) -> None:
    for item in items if entries else ():
        metadata = item.content["metadata"]
        metadata[field] = {**(metadata.get(field) or {}), **entries}


class _Reference(NamedTuple):
    """Where a name stands; `kind` is empty where it is `Kind/name` or `Kind/namespace/name`."""

    holder: Any
    field: str | int
    kind: str


def _references(content: dict[str, Any]) -> Iterator[_Reference]:
    for path in _TEMPLATES:
        spec: Any = content
        for part in path:
            spec = spec.get(part) if isinstance(spec, dict) else None
        if not isinstance(spec, dict):
            continue
        written = spec.get("dependsOn")
        for number, _ in enumerate(written) if isinstance(written, list) else ():
            yield _Reference(written, number, "")
        for network in _mappings(spec.get("networks")):
            yield _Reference(network, "name", "Network")
        for mount in _mappings(spec.get("volumes")):
            if mount.get("type") == "volume":
                yield _Reference(mount, "source", "Volume")


def _companions(content: dict[str, Any]) -> Iterator[_Reference]:
    """Where other containers are named whose network, processes, memory or volumes are shared."""
    for path in _TEMPLATES:
        spec: Any = content
        for part in path:
            spec = spec.get(part) if isinstance(spec, dict) else None
        if isinstance(spec, dict):
            yield from (_Reference(spec, name, "Container") for name in ("networkMode", "pid", "ipc"))
            for name, holder in (("volumesFrom", spec.get("volumesFrom")), ("links", spec.get("links"))):
                fields = range(len(holder)) if isinstance(holder, list) else holder if isinstance(holder, dict) else ()
                yield from (_Reference(holder, field, name) for field in fields)


def _is_named_after_itself(item: Item) -> bool:
    spec = item.content.get("spec")
    return item.id.kind == "Container" and isinstance(spec, dict) and not spec.get("containerName")


def _follow_container(reference: _Reference, containers: Mapping[str, Item]) -> None:
    holder, field = reference.holder, reference.field
    written = holder.get(field) if isinstance(holder, dict) else holder[field]
    found = _SHARED.fullmatch(written) if isinstance(written, str) else None
    if found is None or (reference.kind == "Container") != bool(found[1]):
        return
    if meant := containers.get(found[2]):
        holder[field] = f"{found[1]}{world_name(meant.id.namespace, meant.id.name)}{found[3]}"


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict) and not each.get("external"):
            yield each


def _follow(reference: _Reference, was: str, namespace: str, known: Mapping[Id, Item]) -> None:
    """`was`: the namespace that the reference was written for; `namespace`: that of who refers now."""
    holder, field = reference.holder, reference.field
    written = holder.get(field) if isinstance(holder, dict) else holder[field]
    if not isinstance(written, str):
        return
    parts = [reference.kind, written] if reference.kind else written.split("/")
    if len(parts) not in (2, 3):
        return
    meant = known.get(Id(API_VERSION, parts[0], parts[1] if len(parts) == 3 else was, parts[-1]))
    if meant is None:
        return
    new = meant.id
    if reference.kind:
        holder[field] = new.name
    elif len(parts) == 3 or new.namespace != namespace:
        holder[field] = f"{new.kind}/{new.namespace}/{new.name}"
    else:
        holder[field] = f"{new.kind}/{new.name}"
