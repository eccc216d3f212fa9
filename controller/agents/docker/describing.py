"""Describes containers that nobody has declared as resources: Container, and the Network and Volume that they use.

`describe` belongs to the agent of kind Container; `p2 import docker` prints what it gives. What the image supplies and what the
engine fills in is left out, so that taking the resources over changes nothing: each is compared with what it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, Json
from controller.agents.docker.describing_spec import NO_SECRETS, container_spec, lost
from controller.agents.docker.describing_world import Around
from controller.agents.docker.failures import explained
from controller.agents.docker.images import Supplied, platform_of
from controller.agents.docker.marks import mark_in
from controller.agents.docker.translation import IMAGE_ID, observed_container
from controller.engine.agent import Stalled
from controller.engine.by_hand import Described
from controller.engine.diff import changed_fields
from resources.docker.confidence import looks_secret
from resources.kinds.container import Container
from resources.labels import label_of
from resources.meta import API_VERSION, Key

DEPENDS_ON = "com.docker.compose.depends_on"
PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"


def describe(engine: Engine, names: Sequence[str], owned: Mapping[str, Key], *, plain: bool) -> Described:
    """See `Describes.describe`."""
    with explained("look at the containers"):
        listed: list[Json] = engine.read(paths.containers())
        chosen, notes = _chosen(listed, names, owned)
        lives = [live for live in engine.read_each([paths.container(each["Id"]) for each in chosen]) if live]
        view = _view(engine, listed, lives, owned)
    made, secrets = [], []
    for live in lives:
        one = _One(live, view, plain)
        if container := one.container():
            made.append(container)
            secrets += one.secrets
        notes += one.notes
    around, more = view.around.resources(made)
    return Described((*around, *made), (*notes, *more), tuple(secrets))


def _chosen(listed: Sequence[Json], names: Sequence[str], owned: Mapping[str, Key]) -> tuple[list[Json], list[str]]:
    """Those of these names or ids, or all that run; and what is to be said of those that are not taken."""
    found = [each for each in listed if each["State"] in ("running", "paused", "restarting")] if not names else []
    for name in names:
        found.append(_of_name(listed, name))
    notes, free = [], []
    for each in {each["Id"]: each for each in found}.values():
        mark = mark_in(each["Labels"])
        if key := owned.get(each["Id"]) or (mark and mark.key):
            if names:
                notes.append(f"{_name(each)} is {key.short} already, and is left out")
        else:
            free.append(each)
    return sorted(free, key=_name), notes


def _of_name(listed: Sequence[Json], name: str) -> Json:
    for each in listed:
        if f"/{name}" in each["Names"]:
            return each
    alike = [each for each in listed if len(name) >= 4 and each["Id"].startswith(name)]
    if len(alike) == 1:
        return alike[0]
    raise Stalled("Absent", f'cannot find the container "{name}": see docker ps -a for those there are')


def _name(listed: Json) -> str:
    """Links give a container names of other containers' own; its name is the one without a further part."""
    return next((str(name[1:]) for name in listed["Names"] if "/" not in name[1:]), str(listed["Id"][:12]))


@dataclass(frozen=True)
class _View:
    """What is known beside the containers that are described."""

    info: Json
    images: Mapping[str, Json]  # by id
    named: Mapping[str, Json | None]  # by what containers call them
    callers: Mapping[str, str]  # names of all containers, by id and by name
    resources: Mapping[str, str]  # names of resources, by those of containers
    services: Mapping[tuple[str, str], list[str]]  # names of resources, by project and service
    around: Around


def _view(engine: Engine, listed: Sequence[Json], lives: Sequence[Json], owned: Mapping[str, Key]) -> _View:
    ids, called = sorted({live["Image"] for live in lives}), sorted({live["Config"]["Image"] for live in lives})
    info: Json = engine.read(paths.INFO)
    answers = engine.try_each([paths.image(each) for each in (*ids, *called)])
    found = [answer if isinstance(answer, dict) else None for answer in answers]
    images = {identity: image or {"Id": identity} for identity, image in zip(ids, found, strict=False)}
    taken: set[str] = set()
    resources = {name: label_of(name, taken) for name in sorted(live["Name"][1:] for live in lives)}
    services: dict[tuple[str, str], list[str]] = {}
    for live in lives:
        labels = live["Config"].get("Labels") or {}
        place = (labels.get(PROJECT, ""), labels.get(SERVICE, ""))
        services.setdefault(place, []).append(resources[live["Name"][1:]])
    callers = {call: _name(each) for each in listed for call in (each["Id"], _name(each))}
    named = dict(zip(called, found[len(ids) :], strict=True))
    return _View(info, images, named, callers, resources, services, Around.of(engine, lives, info, owned))


class _One:
    """One container on its way to a resource."""

    def __init__(self, live: Json, view: _View, plain: bool) -> None:
        self._live, self._view, self._plain = live, view, plain
        self.name = str(live["Name"]).removeprefix("/")
        self.notes: list[str] = []
        self.secrets: list[tuple[str, str, str]] = []

    def container(self) -> Container | None:
        """None, with a note, for one that no resource can describe."""
        reference = self._reference()
        if reference is None:
            return None
        spec = container_spec(self._live, self._supplied(reference), reference, self._view.callers, self._view.info)
        self.notes += [f"{self.name}: {note}" for note in lost(self._live)]
        spec |= self._naming() | self._ordering() | self._view.around.of_container(spec, self._live)
        whole = self._sound(spec)
        if whole is None:
            return None
        self._compare(whole)
        return self._made(self._hiding(spec))

    def _sound(self, spec: Json) -> Container | None:
        """Leaves out of `spec`, with a note, the fields whose values can't be declared. None where that is of no help."""
        while True:
            try:
                return self._made(spec)
            except ValidationError as error:
                wrong = {str(each["loc"][1]): each["msg"] for each in error.errors() if len(each["loc"]) > 1}
                self.notes += [f"{self.name}: {field} can't be kept: {message}" for field, message in wrong.items()]
                if not wrong.keys() & spec.keys() - {"image"}:
                    problems = "; ".join(each["msg"] for each in error.errors())
                    self.notes.append(f"{self.name} can't be described, and is left out: {problems}")
                    return None
                for field in wrong:
                    spec.pop(field, None)

    def _reference(self) -> str | None:
        """What the spec calls the image: as the container does, unless that is an id."""
        called, image = str(self._live["Config"]["Image"]), self._view.images[self._live["Image"]]
        named = self._view.named.get(called)
        if not IMAGE_ID.fullmatch(called):
            if named is not None and named["Id"] != self._live["Image"]:
                self.notes.append(
                    f"{self.name} runs an older image than its tag {called} names by now: taking it over replaces it"
                )
            return called
        names = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
        if not names:
            advice = f"give it one with docker tag {called[:19]} NAME:TAG"
            self.notes.append(f"{self.name} is left out: its image {called[:19]} has no name; {advice}")
            return None
        return str(names[0])

    def _supplied(self, reference: str) -> Supplied:
        image, named = self._view.images[self._live["Image"]], self._view.named.get(reference)
        return Supplied(image.get("Config") or {}, named is None or named["Id"] == image["Id"], platform_of(image))

    def _naming(self) -> Json:
        return {} if self._view.resources[self.name] == self.name else {"containerName": self.name}

    def _ordering(self) -> Json:
        """What Compose has noted of the services that come first, where they are described, too."""
        labels = self._live["Config"].get("Labels") or {}
        services = [each.partition(":")[0] for each in (labels.get(DEPENDS_ON) or "").split(",") if each]
        found = [
            name for service in services for name in self._view.services.get((labels.get(PROJECT, ""), service), ())
        ]
        return {"dependsOn": [f"Container/{name}" for name in sorted(found)]} if found else {}

    def _made(self, spec: Json) -> Container:
        return Container.model_validate(
            {
                "apiVersion": API_VERSION,
                "kind": "Container",
                "metadata": {"name": self._view.resources[self.name]},
                "spec": {**spec, "adopt": True},
            }
        )

    def _compare(self, whole: Container) -> None:
        supplied = self._supplied(whole.spec.image)
        seen = observed_container(whole, self._live, supplied, NO_SECRETS, names=self._view.callers)
        if changed := sorted({each.path for each in changed_fields(whole.spec, None, seen)} - {"containerName"}):
            self.notes.append(
                f"{self.name} is not quite as it can be declared: taking it over changes {', '.join(changed)}"
            )

    def _hiding(self, spec: Json) -> Json:
        """With references in place of the values of variables that look secret."""
        env: dict[str, str] = spec.get("env") or {}
        hidden = [] if self._plain else sorted(name for name, value in env.items() if looks_secret(name, value))
        if not hidden:
            return spec
        resource = self._view.resources[self.name]
        self.secrets += [(self.name, name, f"{resource}/{name}") for name in hidden]
        shown = {name: value for name, value in env.items() if name not in hidden}
        references = {name: {"secret": {"name": resource, "key": name}} for name in hidden}
        rest = {field: value for field, value in spec.items() if field != "env"}
        return {**rest, **({"env": shown} if shown else {}), "secretEnv": references}
