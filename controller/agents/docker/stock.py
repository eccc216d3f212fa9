"""All images on this machine, with who uses them: for `p2 images`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from controller.agents.docker import paths
from controller.agents.docker.brought import Brought, Shelf
from controller.agents.docker.client import Engine, Json
from controller.agents.docker.image_difference import digests_of
from controller.agents.docker.newest import Newest, Outlook
from controller.agents.docker.recipe import BUILT_BY
from controller.engine.agent import Stocked
from resources.kinds.image import Image
from resources.notation import canonical_image

_NONE = "<none>"


def stock(engine: Engine, shelf: Shelf, outlook: Outlook, resources: Sequence[Image]) -> list[Stocked]:
    """One a name, sorted; those without a name last, the newest first."""
    outlook.ask(resources)
    declared = {canonical_image(name): each for each in resources for name in (each.spec.image, *each.tags)}
    brought = {each.identity: each for images in shelf.all().values() for each in images}
    users: dict[str, list[tuple[str, str]]] = {}
    for container in engine.read(paths.containers()):
        name = (container["Names"] or [container["Id"][:12]])[0].removeprefix("/")
        users.setdefault(container["ImageID"], []).append((container["Id"], name))
    found = [
        _stocked(
            name,
            live,
            users,
            brought,
            _newer(declared.get(canonical_image(name)) if name else None, live, brought, outlook),
        )
        for live in engine.read(paths.images())
        for name in _names(live)
    ]
    return sorted(found, key=lambda each: (not each.name, each.name, -each.created))


def _names(live: Json) -> Iterator[str]:
    names = [name for name in live.get("RepoTags") or () if not name.startswith(_NONE)]
    digests = [name for name in live.get("RepoDigests") or () if not name.startswith(_NONE)]
    yield from sorted(names or digests or [""])


def _stocked(
    name: str, live: Json, users: Mapping[str, list[tuple[str, str]]], brought: Mapping[str, Brought], newer: str
) -> Stocked:
    digests = digests_of(live, name or "none")[:-1]
    if (ours := brought.get(live["Id"])) and ours.digest != ours.identity:
        digests.append(ours.digest)
    return Stocked(
        name=name,
        handle=live["Id"],
        digest=digests[0] if digests else "",
        size=int(live["Size"]),
        created=float(live["Created"]),
        users=tuple(sorted(users.get(live["Id"], ()), key=lambda user: user[1])),
        ours=live["Id"] in brought or BUILT_BY in (live.get("Labels") or {}),
        newer=newer,
    )


def _newer(resource: Image | None, live: Json, brought: Mapping[str, Brought], outlook: Outlook) -> str:
    if resource is None or canonical_image(resource.spec.image) not in map(canonical_image, live.get("RepoTags") or ()):
        return ""
    answer = outlook.known(resource.spec)
    if not isinstance(answer, Newest):
        return "not known" if answer else ""
    ours = brought.get(live["Id"])
    if answer.digest in digests_of(live, resource.spec.image) or (ours and ours.digest == answer.digest):
        return "no"
    tag = answer.reference if resource.spec.range else ""
    return f"{tag}@{answer.digest}" if tag else answer.digest
