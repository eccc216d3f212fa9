"""The images of a deployment: which there are, and by what names they are rolled out for good. `deploying.py` calls it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.engine.history import Ending
from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.environment import taken_back
from controller.surfaces.cli.pinning import Service, Wanted, images_in
from resources.notation import canonical_image

if TYPE_CHECKING:
    from controller.engine.by_hand import Pinned, Pins
    from controller.engine.history import Deployment
    from controller.engine.index import Entry
    from controller.surfaces.cli.environment import Environment
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Resource

IMAGE = "Image"
_MANY = 500  # entries of the history in which deployments are looked for


def wanted(entries: Mapping[Key, Entry], environment: Environment, overrides: Iterable[str]) -> list[Wanted]:
    """The declared Images that what the overlay runs is made from, and what was named on the command line. Raises Refused."""
    named = _named(entries, environment)
    given = dict(map(_override, overrides))
    if unknown := sorted(given.keys() - named):
        there = f"its containers name {', '.join(sorted(named))}" if named else "no container of it names an image"
        raise Refused(f"cannot set the image {unknown[0]}: nothing in this environment is called so; {there}")
    found = {name: replace(named[name], reference=reference) for name, reference in given.items()}
    for key, entry in sorted(entries.items()):
        runs = (_rolled(one, entry.resource) for name, one in named.items() if key.kind == IMAGE and name not in given)
        for image in filter(None, runs):
            if (other := found.get(image.name)) and other.reference != image.reference:
                raise Refused(
                    f"cannot tell which image to roll out as {image.name}: {other.reference} and {image.reference} are both "
                    "declared; give them different names, for images: in a kustomization knows no tags"
                )
            found[image.name] = image
    return [found[name] for name in sorted(found)]


def _rolled(one: Wanted, declared: Any) -> Wanted | None:
    """What of `one` is made from a declared Image: services that run just that, and what a kustomization finds by repository."""
    image = replace(
        one,
        reference=declared.spec.image,
        resource=declared,
        listed=one.listed and one.name == _repository(declared.spec.image),
        former=one.former or declared.spec.image,
        names=frozenset(map(canonical_image, (declared.spec.image, *declared.tags))),
    )
    services = tuple(service for service in one.services if image.meant_by(service.reference))
    return replace(image, services=services) if image.listed or services else None


def _named(entries: Mapping[Key, Entry], environment: Environment) -> dict[str, Wanted]:
    """What is run, by what it is called before anything here has set it; each with a resource that names it."""
    images = images_in(environment.written.kustomization)
    back = {entry["newName"]: name for name, entry in images.items() if entry.get("newName")}
    found: dict[str, Wanted] = {}
    for key, entry in entries.items():
        spec: Any = entry.resource.spec
        template = getattr(spec, "template", None)
        image = getattr(spec, "image", None) or getattr(template, "image", None)
        if key.kind != IMAGE and entry.owner is None and isinstance(image, str):
            name = back.get(_repository(image), _repository(image))
            one = found.setdefault(name, Wanted(name, image, entry.resource, former=image))
            if one.former != image:
                found[name] = replace(one, former="")
    for name, uses in _called(found, _services(entries, environment)).items():
        one = found.setdefault(name, Wanted(name, uses[0].reference, uses[0].resource, listed=False))
        found[name] = replace(one, services=tuple(service for use in uses for service in use.services))
    return found


def _services(entries: Mapping[Key, Entry], environment: Environment) -> Iterator[Wanted]:
    """One for each service of each Compose resource."""
    from resources.kinds.compose import Compose
    from resources.kustomize.deployed import names_before
    from resources.kustomize.items import Id

    projects = [entry.resource for _, entry in sorted(entries.items()) if isinstance(entry.resource, Compose)]
    names = names_before(environment.overlay.resolve(), Path.read_bytes) if projects else {}
    for project in projects:
        metadata, said = project.metadata, project.spec.images or {}
        last = Id(project.apiVersion, project.kind, metadata.namespace, metadata.name)
        for name, image in project.services(Path.read_bytes).items():
            service = Service(names.get(last, last), name, image, name in said)
            yield Wanted(_repository(image), image, project, listed=False, services=(service,))


def in_tests(entries: Mapping[Key, Entry], around: Environment, images: Iterable[Wanted]) -> list[Wanted]:
    """The services of Compose resources that run one of these images, for a patch in the kustomization `around` them."""
    services = list(_services(entries, around))
    found = ((image, each) for image in images for each in services if image.meant_by(each.reference))
    return [replace(image, listed=False, services=each.services) for image, each in found]


def _called(named: Collection[str], services: Iterable[Wanted]) -> dict[str, list[Wanted]]:
    """By repository; by repository and tag where services alone run several of one."""
    of_repository: dict[str, list[Wanted]] = {}
    for each in services:
        of_repository.setdefault(each.name, []).append(each)
    found: dict[str, list[Wanted]] = {}
    for name, uses in of_repository.items():
        alike = name in named or len({canonical_image(each.reference) for each in uses}) == 1
        for each in uses:
            found.setdefault(name if alike else each.reference, []).append(each)
    return found


def _override(text: str) -> tuple[str, str]:
    name, separator, reference = text.partition("=")
    if not separator or not name or not reference:
        raise Refused(
            f'cannot read --image "{text}": write NAME=REFERENCE, such as shop/web=shop/web:1.4, or NAME=:TAG'
        )
    return name, _repository(name) + reference if reference[0] in ":@" else reference


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


def made_from(environment: Environment) -> set[str]:
    """All paths that have a say in what it declares, wherever they lie. Read anew: a controller's own source keeps no list."""
    from controller.sources.files import FilesSource

    source = FilesSource(environment.overlay, lasts=False)
    source.read()
    return source.looked_at()


def pinned(workspace: Workspace, images: Iterable[Wanted], *, bring: bool) -> dict[str, Pinned]:
    """By name; without `bring`, those that are here. Raises Retry and Stalled."""
    agent, context = _agent(workspace), workspace.parts.context
    found = {each.name: agent.pin(each.resource, each.reference, context, bring=bring) for each in images}
    return {name: pin for name, pin in found.items() if pin is not None}


def refuse_again(
    workspace: Workspace, environment: Environment, images: Iterable[Wanted], pins: Mapping[str, Pinned]
) -> None:
    """Raises Refused for just what was deployed last, and taken back, where nothing was committed since.

    Then the names of `pins` are gone again, but those that the files have. Raises Retry and Stalled.
    """
    entries = workspace.stores.history.entries(source=workspace.source.name, limit=_MANY)
    last = next((entry for entry in entries if entry.deployment), None)
    if last is None or last.deployment is None or last.ending is not Ending.FAILED:
        return
    failed = {(image.name, image.identity) for image in last.deployment.images}
    if failed == {(name, pin.identity) for name, pin in pins.items()} and taken_back(environment, last.commit):
        unpin(workspace, images, pins, environment.written.tags())
        references = ", ".join(sorted(pin.reference for pin in pins.values()))
        raise Refused(
            f"cannot deploy {references} to {environment.name} again: that was deployed last, and taken back ({last.message}); "
            f"p2 history --revision {last.number} has all of it. Change something and commit that, name another image with "
            "--image, or roll out the same once more with --force"
        )


def unpin(workspace: Workspace, images: Iterable[Wanted], pins: Mapping[str, Pinned], kept: Collection[str]) -> None:
    """Takes away old names of ours, but those with `kept` tags, here and in every other environment."""
    kept = {*kept, *_deployed_elsewhere(workspace)}
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
