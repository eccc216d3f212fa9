"""What all parts of the mapping know: the project, how its things are called, and where to put what can't be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resources.compose.mapping.names import Names, unique
from resources.compose.mapping.notes import Notes, Path

if TYPE_CHECKING:
    from resources.compose.project import Project
    from resources.meta import Read


@dataclass(frozen=True, slots=True)
class Instance:
    """One container of a service. Numbers count from 1."""

    service: str
    number: int
    container: str  # its name in the engine
    resource: str

    @property
    def reference(self) -> str:
        return f"Container/{self.resource}"


@dataclass(frozen=True)
class Scene:
    project: Project
    names: Names
    notes: Notes
    read: Read
    scale: Mapping[str, int]
    images: Mapping[str, str]
    completed: frozenset[str]
    namespace: str

    @property
    def implied(self) -> frozenset[Path]:
        """What nobody needs to be told of: what Docker Compose has written by itself, and what is so anyway."""
        shared = {
            ("services", name, "depends_on", other, "restart")
            for name, spec in self.project.services.items()
            for other in _shared_with(spec)
        }
        networks = {name for name, spec in self.project.networks.items() if (spec or {}).get("enable_ipv4") is True}
        return frozenset((*shared, *(("networks", name, "enable_ipv4") for name in networks)))

    @cached_property
    def awaited(self) -> frozenset[str]:
        """Services whose end others wait for."""
        depending = (spec.get("depends_on") or {} for spec in self.project.services.values())
        return frozenset(
            name
            for others in depending
            for name, how in others.items()
            if (how or {}).get("condition") == "service_completed_successfully"
        )

    @cached_property
    def instances(self) -> dict[str, tuple[Instance, ...]]:
        """The containers of each service."""
        counts = {name: self.count(name) for name in self.project.services}
        resources = unique(
            (f"{name}/{number}", self.names.resource(name, number))
            for name, count in counts.items()
            for number in range(1, count + 1)
        )
        return {
            name: tuple(
                Instance(name, number, self._container(name, number), resources[f"{name}/{number}"])
                for number in range(1, count + 1)
            )
            for name, count in counts.items()
        }

    def count(self, service: str) -> int:
        """How many containers a service has. `scale` of the resource that stands for the project wins."""
        if service in self.scale:
            return self.scale[service]
        spec = self.project.services[service]
        deploy = spec.get("deploy") or {}
        if str(deploy.get("mode") or "").startswith("global"):
            return 1
        written = spec.get("scale", deploy.get("replicas"))
        return 1 if written is None else int(written)

    def _container(self, service: str, number: int) -> str:
        return str(self.project.services[service].get("container_name") or self.names.container(service, number))

    @cached_property
    def resources(self) -> dict[str, dict[str, str]]:
        """The resources' names of networks, volumes and images (of services), by section and name."""
        sections = {name: getattr(self.project, name) for name in ("networks", "volumes", "services")}
        return {
            section: unique((name, self.names.resource(name)) for name in names) for section, names in sections.items()
        }

    def called(self, section: str, name: str) -> str:
        """What a network or volume of the project is called in the engine."""
        declared = getattr(self.project, section).get(name) or {}
        return str(declared.get("name") or (name if declared.get("external") else f"{self.project.name}_{name}"))

    def image(self, service: str) -> str:
        """The image of a service as the files have it, which is what is built or pulled."""
        return str(self.project.services[service].get("image") or self.names.image(service))

    def runs(self, service: str) -> str:
        """What its containers are made from. `images` of the resource that stands for the project wins."""
        return self.images.get(service) or self.image(service)


def _shared_with(spec: Mapping[str, Any]) -> set[str]:
    """The services that Docker Compose makes dependencies by itself."""
    modes = (str(spec.get(field) or "").partition(":") for field in ("network_mode", "pid", "ipc"))
    links = (str(each).partition(":")[0] for field in ("links", "volumes_from") for each in spec.get(field) or ())
    return {name for kind, _, name in modes if kind == "service"} | set(links)
