"""A project of Compose files -> resources. Pure. Kind `Compose` expands by it, and `p2 import compose` prints what it gives.

In the order of one service: `scene.py` knows what everything is called, `service.py` makes the spec of its containers with
`networking.py`, `mounts.py` and `granted.py`, `images.py` that of its image. What can't be kept is in the table of `fields.py`,
and gathered in `notes.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from resources import kinds
from resources.compose.mapping.images import images_of
from resources.compose.mapping.marks import UNCOMPARED, network_labels, volume_labels
from resources.compose.mapping.names import Names
from resources.compose.mapping.notes import Notes, Path, note_fields
from resources.compose.mapping.plain import text
from resources.compose.mapping.scene import Scene
from resources.compose.mapping.service import container_spec, written_as
from resources.meta import API_VERSION, DEFAULT_NAMESPACE, Problem, Resource, world_name
from resources.wording import spec_mistakes

if TYPE_CHECKING:
    from resources.compose.project import Project
    from resources.meta import Read

Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mapped:
    """The resources of a project. With problems they lack what these are about."""

    resources: tuple[Resource, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def resources_of(
    project: Project,
    *,
    read: Read,
    namespace: str = DEFAULT_NAMESPACE,
    scale: Mapping[str, int] | None = None,
    images: Mapping[str, str] | None = None,
    completed: Collection[str] = (),
    underscores: bool = False,
    common: Mapping[str, Any] | None = None,
) -> Mapped:
    """All that the project's services need, and they themselves.

    `scale`: how many containers a service has, in place of what the files say; `images`: what they are made from, likewise.
    `completed`: services that do their work and end. `underscores`: containers and images are called as version 1 of Docker
    Compose calls them. `common`: fields that every spec gets; dependsOn and ignore are added to its own.
    """
    notes = Notes(project)
    names = Names(project.name, underscores=underscores)
    scene = Scene(project, names, notes, read, scale or {}, images or {}, frozenset(completed), namespace)
    note_fields(project, notes, scene.implied)
    _unknown_services(scene)
    maker = _Maker(scene, common or {})
    found = (
        resource
        for part in (_networks(scene), _volumes(scene), _images(scene), _containers(scene))
        for each in part
        if (resource := maker.make(*each))
    )
    return Mapped(tuple(found), notes.problems, (*project.warnings, *notes.warnings))


# Kind, name, spec, and where the spec comes from.
_Parts = Iterator[tuple[str, str, Spec, Path]]


def _networks(scene: Scene) -> _Parts:
    for name, written in sorted(scene.project.networks.items()):
        declared = written or {}
        if declared.get("external"):
            continue
        spec = {
            **_driven(declared, network_labels(scene.project, name)),
            "internal": declared.get("internal") or None,
            "attachable": declared.get("attachable") or None,
            "enableIpv6": declared.get("enable_ipv6"),
            **_addresses(declared.get("ipam") or {}),
        }
        yield (
            "Network",
            scene.resources["networks"][name],
            _named("networkName", scene, "networks", name, spec),
            ("networks", name),
        )


def _driven(declared: Mapping[str, Any], marks: Mapping[str, str]) -> Spec:
    """What networks and volumes have in common."""
    return {
        "driver": declared.get("driver"),
        "options": _texts(declared.get("driver_opts")),
        "labels": {**(_texts(declared.get("labels")) or {}), **marks},
        "ignore": [UNCOMPARED],
    }


def _addresses(ipam: Mapping[str, Any]) -> Spec:
    names = {"subnet": "subnet", "gateway": "gateway", "ip_range": "ipRange", "aux_addresses": "auxAddresses"}
    pools = [
        {field: pool[name] for name, field in names.items() if pool.get(name)}
        for pool in ipam.get("config") or ()
        if pool
    ]
    driver = ipam.get("driver") if ipam.get("driver") != "default" else None
    if len(pools) == 1 and not driver and not ipam.get("options") and pools[0].keys() <= {"subnet", "gateway"}:
        return pools[0]
    found = {"driver": driver, "options": _texts(ipam.get("options")), "config": pools or None}
    return {"ipam": {name: value for name, value in found.items() if value} or None}


def _volumes(scene: Scene) -> _Parts:
    for name, written in sorted(scene.project.volumes.items()):
        declared = written or {}
        if declared.get("external"):
            continue
        spec = _driven(declared, volume_labels(scene.project, name))
        yield (
            "Volume",
            scene.resources["volumes"][name],
            _named("volumeName", scene, "volumes", name, spec),
            ("volumes", name),
        )


def _images(scene: Scene) -> _Parts:
    for service, name, spec in images_of(scene):
        yield "Image", name, spec, ("services", service)


def _containers(scene: Scene) -> _Parts:
    for service, instances in scene.instances.items():
        for instance in instances:
            spec = container_spec(scene, instance)
            if instance.container != world_name(scene.namespace, instance.resource):
                spec["containerName"] = instance.container
            yield "Container", instance.resource, spec, ("services", service)


def _named(field: str, scene: Scene, section: str, name: str, spec: Spec) -> Spec:
    """With its name in the engine, where the resource's own name does not say it."""
    called = scene.called(section, name)
    if called != world_name(scene.namespace, scene.resources[section][name]):
        spec[field] = called
    return spec


def _texts(values: Mapping[str, Any] | None) -> dict[str, str] | None:
    return {name: text(value) for name, value in values.items() if value is not None} if values else None


def _unknown_services(scene: Scene) -> None:
    """What is said of a service that is not there would be a typing error without a consequence."""
    known = ", ".join(sorted(scene.project.services))
    for name in sorted(set(scene.scale) - set(scene.project.services)):
        scene.notes.refuse(("services",), f"cannot scale {name}: there is no such service; known here: {known}")
    for name in sorted(set(scene.images) - set(scene.project.services)):
        # No mistake: p2 deploy has written it, and the service has left the files since.
        scene.notes.warn(
            ("services",), f"the image of {name} is left out: there is no such service; known here: {known}"
        )
    for name in sorted(scene.completed - set(scene.project.services)):
        scene.notes.refuse(("services",), f"cannot let {name} complete: there is no such service; known here: {known}")


class _Maker:
    """Makes resources of specs, and problems of what their kinds refuse; what is refused is left out of the resource."""

    def __init__(self, scene: Scene, common: Mapping[str, Any]) -> None:
        self._scene = scene
        self._common = common

    def make(self, kind: str, name: str, spec: Spec, path: Path) -> Resource | None:
        model = kinds.model_of(kind)
        assert model is not None
        whole = {field: value for field, value in spec.items() if value is not None} | self._shared(spec)
        metadata = {"name": name, "namespace": self._scene.namespace}
        content = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": whole}
        try:
            return model.model_validate(content)
        except ValidationError as error:
            mistakes = spec_mistakes(error, model, content)
        for mistake in mistakes:
            self._scene.notes.refuse((*path, *written_as(mistake.path[1:])), mistake.message)
        wrong = {mistake.path[1] for mistake in mistakes if len(mistake.path) > 1}
        left = {field: value for field, value in spec.items() if field not in wrong}
        return self.make(kind, name, left, path) if left.keys() < spec.keys() and "image" not in wrong else None

    def _shared(self, spec: Spec) -> Spec:
        common = dict(self._common)
        for field in ("dependsOn", "ignore"):
            both: Sequence[str] = (*common.get(field, ()), *spec.get(field, ()))
            if both:
                common[field] = list(dict.fromkeys(both))
        return common
