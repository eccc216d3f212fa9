"""What no single field shows: things that are referred to and not there, and fields that contradict each other.

`project.py` calls `check` when a project is whole. The rules are those that Docker Compose refuses a project by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from resources.compose.nodes import Fields, Path, Place, Report, each
from resources.wording import nearest


def check(project: Fields, disabled: Mapping[str, Any], report: Report) -> None:
    """Reports what contradicts itself in `project`, whose services are the enabled ones."""
    checker = _Checker(project, disabled, report)
    for name, service in project["services"].items():
        checker.service(name, service)
    for section in ("secrets", "configs"):
        for name, thing in project[section].items():
            checker.content(section, name, thing)
    checker.circles()


class _Checker:
    def __init__(self, project: Fields, disabled: Mapping[str, Any], report: Report) -> None:
        self._project = project
        self._services: Fields = project["services"]
        self._disabled = disabled
        self._report = report

    def service(self, name: str, service: Fields) -> None:
        path: Path = ("services", name)
        if not service.get("image") and service.get("build") is None and service.get("provider") is None:
            at = self._services.names[name]
            self._report.fail(at, path, "cannot run a service without an image: give image or build")
        self._build(service, path)
        if service.get("network_mode") and service.get("networks"):
            message = "cannot have network_mode and networks together: remove one of them"
            self._report.fail(service.names["network_mode"], (*path, "network_mode"), message)
        for section, things, source in self._used(service):
            self._defined(section, things, source, path)
        self._dependencies(service, path)
        self._numbers(service, path)
        self._mounts(service, path)

    def _build(self, service: Fields, path: Path) -> None:
        build = service.get("build")
        if build is None:
            return
        if build.get("dockerfile") and build.get("dockerfile_inline"):
            message = "cannot have dockerfile and dockerfile_inline together: remove one of them"
            self._report.fail(build.names["dockerfile_inline"], (*path, "build", "dockerfile_inline"), message)
        platform, platforms = service.get("platform"), build.get("platforms")
        if platform and platforms and platform not in platforms:
            message = f'cannot run on a platform that is not built for: add "{platform}" to build.platforms'
            self._report.fail(service.place("platform"), (*path, "platform"), message)
        for name, context in (build.get("additional_contexts") or {}).items():
            if context.startswith("service:"):
                at = build["additional_contexts"].place(name)
                self._known_service(context.partition(":")[2], at, (*path, "build", "additional_contexts", name))

    def _used(self, service: Fields) -> Iterator[tuple[str, list[tuple[str, Place, Path]], str]]:
        networks = service.get("networks") or Fields()
        models = service.get("models") or Fields()
        yield "networks", [(name, networks.names[name], ("networks", name)) for name in networks], "network"
        yield "models", [(name, models.names[name], ("models", name)) for name in models], "model"
        named: list[tuple[str, Place, Path]] = [
            (mount["source"], at, ("volumes", index))
            for index, mount, at in each(service.get("volumes"))
            if mount.get("type") == "volume" and mount.get("source")
        ]
        yield "volumes", named, "volume"
        for section, word in (("configs", "config"), ("secrets", "secret")):
            yield section, [*_sources(service.get(section), (section,))], word
        build = service.get("build") or {}
        yield "secrets", [*_sources(build.get("secrets"), ("build", "secrets"))], "secret"

    def _defined(self, section: str, things: Iterable[tuple[str, Place, Path]], word: str, path: Path) -> None:
        known = self._project[section]
        for name, at, field in things:
            if name not in known:
                message = f'cannot find the {word} "{name}": define it under {section}{nearest(name, known)}'
                self._report.fail(at, (*path, *field), message)

    def _dependencies(self, service: Fields, path: Path) -> None:
        depends_on = service.get("depends_on") or Fields()
        for name, dependency in depends_on.items():
            if name not in self._services and not (name in self._disabled and not dependency.get("required", True)):
                self._known_service(name, depends_on.names[name], (*path, "depends_on", name))

    def _known_service(self, name: str, at: Place, path: Path) -> None:
        if name in self._services:
            return
        if profiles := (self._disabled.get(name) or {}).get("profiles"):
            way_out = f'enable its profile ("{profiles[0]}"), or write required: false'
            self._report.fail(
                at, path, f'cannot depend on the service "{name}": its profiles are not enabled; {way_out}'
            )
        else:
            message = f'cannot find the service "{name}": define it under services{nearest(name, self._services)}'
            self._report.fail(at, path, message)

    def _numbers(self, service: Fields, path: Path) -> None:
        deploy = service.get("deploy") or {}
        resources = deploy.get("resources") or {}
        limits, reservations = resources.get("limits") or {}, resources.get("reservations") or {}
        for field, other, where in (
            ("scale", deploy.get("replicas"), "deploy.replicas"),
            ("cpus", limits.get("cpus"), "deploy.resources.limits.cpus"),
            ("mem_limit", limits.get("memory"), "deploy.resources.limits.memory"),
            ("pids_limit", limits.get("pids"), "deploy.resources.limits.pids"),
            ("mem_reservation", reservations.get("memory"), "deploy.resources.reservations.memory"),
        ):
            value = service.get(field)
            if value is not None and other is not None and value != other:
                message = f"cannot be other than {where}: give both the same value, or remove one"
                self._report.fail(service.place(field), (*path, field), message)
        scale = service.get("scale", deploy.get("replicas"))
        if scale is not None and scale < 0:
            self._report.fail(service.place("scale"), (*path, "scale"), "cannot be less than 0")
        if scale is not None and scale > 1 and service.get("container_name"):
            message = f"cannot give {scale} containers one name: remove container_name, or scale to 1"
            self._report.fail(service.place("container_name"), (*path, "container_name"), message)

    def _mounts(self, service: Fields, path: Path) -> None:
        seen: dict[str, Path] = {}
        places: list[tuple[str, Place, Path]] = [
            (text.partition(":")[0], at, ("tmpfs", index)) for index, text, at in each(service.get("tmpfs"))
        ]
        places += [(mount["target"], at, ("volumes", index)) for index, mount, at in each(service.get("volumes"))]
        for target, at, field in places:
            if target in seen:
                self._report.fail(at, (*path, *field), f"cannot mount two things on {target}: remove one of them")
            seen[target] = field
        for index, watch, at in each((service.get("develop") or {}).get("watch")):
            if not watch.get("target") and watch.get("action") not in ("rebuild", "restart"):
                message = 'cannot do without "target" for this action: add it'
                self._report.fail(at, (*path, "develop", "watch", index), message)

    def content(self, section: str, name: str, thing: Fields) -> None:
        """A config or secret has one source."""
        kinds = ("file", "environment", "content") if section == "configs" else ("file", "environment")
        given = [kind for kind in kinds if thing.get(kind) is not None]
        at = self._project[section].names[name]
        if len(given) > 1:
            message = f"cannot have {' and '.join(given)} together: keep one of them"
            self._report.fail(at, (section, name), message)
        if not given and not thing.get("external") and not thing.get("driver"):
            message = f"cannot do without content: give one of {', '.join(kinds)}, or external: true"
            self._report.fail(at, (section, name), message)

    def circles(self) -> None:
        """Services that wait for each other, each circle once."""
        done: set[str] = set()
        for name in self._services:
            self._follow(name, done)

    def _follow(self, start: str, done: set[str]) -> None:
        """All that `start` waits for. No recursion: thousands may wait for one another."""
        chain: list[str] = []
        ahead = [(start, 0)]
        while ahead:
            name, depth = ahead.pop()
            done.update(chain[depth:])
            del chain[depth:]
            if name in chain:
                self._circle([*chain[chain.index(name) :], name])
            elif name not in done and name in self._services:
                chain.append(name)
                ahead += [(other, depth + 1) for other in self._services[name].get("depends_on") or ()]
        done.update(chain)

    def _circle(self, circle: list[str]) -> None:
        at = self._services.names[circle[0]]
        told = circle if len(circle) <= 12 else [*circle[:10], "…", circle[-1]]
        message = f"cannot start services that wait for each other: {' -> '.join(told)}; remove one dependency"
        self._report.fail(at, ("services", circle[0], "depends_on"), message)


def _sources(mounts: Any, field: Path) -> Iterator[tuple[str, Place, Path]]:
    for index, mount, at in each(mounts):
        yield mount.get("source", ""), at, (*field, index)
