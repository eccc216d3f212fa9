"""The images of a deployment: which there are, and by what names they are rolled out for good. `deploying.py` calls it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.environment import images_in, set_version

if TYPE_CHECKING:
    from controller.engine.by_hand import Pinned, Pins
    from controller.engine.history import Deployment
    from controller.engine.index import Entry
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Resource

IMAGE = "Image"
_MANY = 500  # entries of the history in which deployments are looked for


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to roll out: `name` in `images:` of the kustomization, and what it is to be."""

    name: str
    reference: str
    resource: Resource  # what declares it, or names it


def wanted(entries: Mapping[Key, Entry], text: str, overrides: Iterable[str]) -> list[Wanted]:
    """The declared Images that containers of the overlay name, and what was named on the command line. Raises Refused."""
    named = _named(entries, text)
    given = dict(map(_override, overrides))
    if unknown := sorted(given.keys() - named):
        there = f"its containers name {', '.join(sorted(named))}" if named else "no container of it names an image"
        raise Refused(f"cannot set the image {unknown[0]}: nothing in this environment is called so; {there}")
    found = {name: Wanted(name, reference, named[name]) for name, reference in given.items()}
    for key, entry in sorted(entries.items()):
        if key.kind != IMAGE or entry.owner is not None:
            continue
        spec: Any = entry.resource.spec
        name = _repository(spec.image)
        if name not in named or name in given:
            continue
        if (other := found.get(name)) and other.reference != spec.image:
            raise Refused(
                f"cannot tell which image to roll out as {name}: {other.reference} and {spec.image} are both declared; "
                "give them different names, for images: in a kustomization knows no tags"
            )
        found[name] = Wanted(name, spec.image, entry.resource)
    return [found[name] for name in sorted(found)]


def _named(entries: Mapping[Key, Entry], text: str) -> dict[str, Resource]:
    """What containers call their images, as it is before the kustomization has set them, with one that does."""
    images = images_in(text)
    back = {entry["newName"]: name for name, entry in images.items() if entry.get("newName")}
    found: dict[str, Resource] = {}
    for key, entry in entries.items():
        spec: Any = entry.resource.spec
        template = getattr(spec, "template", None)
        image = getattr(spec, "image", None) or getattr(template, "image", None)
        if key.kind != IMAGE and entry.owner is None and isinstance(image, str):
            name = _repository(image)
            found.setdefault(back.get(name, name), entry.resource)
    return found


def _override(text: str) -> tuple[str, str]:
    name, separator, reference = text.partition("=")
    if not separator or not name or not reference:
        raise Refused(
            f'cannot read --image "{text}": write NAME=REFERENCE, such as shop/web=shop/web:1.4, or NAME=:TAG'
        )
    return name, name + reference if reference[0] in ":@" else reference


def _repository(reference: str) -> str:
    from resources.kustomize.images import split

    return split(reference)[0]


def contexts(resources: Iterable[Resource]) -> list[Path]:
    """The directories on this machine that images are built from."""
    builds: list[Any] = [getattr(resource.spec, "build", None) for resource in resources]
    return [Path(build.context) for build in builds if build and Path(build.context).is_dir()]


def files(entries: Iterable[Entry]) -> set[str]:
    """Where resources are declared, and what they refer to."""
    return {file for entry in entries for file in (entry.declared.origin.file, *entry.declared.inputs())}


def pinned(workspace: Workspace, images: Iterable[Wanted], *, bring: bool) -> dict[str, Pinned]:
    """By name; without `bring`, those that are here. Raises Retry and Stalled."""
    agent, context = _agent(workspace), workspace.parts.context
    found = {each.name: agent.pin(each.resource, each.reference, context, bring=bring) for each in images}
    return {name: pin for name, pin in found.items() if pin is not None}


def before(workspace: Workspace, images: Iterable[Wanted], text: str) -> dict[str, Pinned]:
    """What runs now of images that the kustomization does not say: without this there would be nothing to go back to."""
    said = images_in(text)
    return pinned(workspace, [each for each in images if not set_version(said.get(each.name))], bring=False)


def unpin(workspace: Workspace, images: Iterable[Wanted], pins: Mapping[str, Pinned], former: str, text: str) -> None:
    """Takes away old names of ours, but those of now and of the deployment before, here and in every other environment."""
    kept = {str(entry.get("newTag")) for each in (former, text) for entry in images_in(each).values()}
    kept |= _deployed_elsewhere(workspace)
    for each in images:
        if pins[each.name].tag:
            _agent(workspace).unpin(each.resource, pins[each.name].name, kept)


def _deployed_elsewhere(workspace: Workspace) -> set[str]:
    """The tags that the last two deployments to each other environment of this home have written down."""
    of_sources: dict[str, list[Deployment]] = {}
    for entry in workspace.stores.history.entries(limit=_MANY):
        if entry.deployment and entry.source != workspace.source.name:
            of_sources.setdefault(entry.source, []).append(entry.deployment)
    last = (deployment for found in of_sources.values() for deployment in found[:2])
    return {image.reference.rpartition(":")[2] for deployment in last for image in deployment.images}


def _agent(workspace: Workspace) -> Pins:
    from controller.engine.by_hand import Pins

    agent = workspace.parts.agent_of(IMAGE)
    assert isinstance(agent, Pins)
    return agent
