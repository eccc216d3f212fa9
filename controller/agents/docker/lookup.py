"""Finds the container of each resource, and what an interrupted replacement left beside it.

A container is found by its name, or by the key on its label when somebody has renamed it. During a replacement (see
`replacement.py`) there are two with one key: until the new one has been started, the old one is the container, whatever
its name; from then on the new one is. The other one is a leftover.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, EngineError, Json
from controller.agents.docker.marks import KEY, PREDECESSOR, mark_in, new_name, old_name, temporary
from controller.agents.docker.surroundings import companions
from resources.docker.names import INSTALLATION, OLD_SUFFIX
from resources.docker.parts import State
from resources.kinds.container import Container
from resources.meta import Key

# From this many missing containers on, one listing of all of ours is cheaper than one for each.
LIST_ALL = 4


@dataclass(frozen=True, slots=True)
class Found:
    """`live` is what the engine says of the container, None when there is none; `leftovers` are ours, too."""

    live: Json | None
    leftovers: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the engine. `images` holds what each image that a spec names is, None where it is not here."""

    containers: dict[Key, Found | EngineError]
    images: dict[str, Json | None] = field(default_factory=dict)

    def image_ids(self) -> set[str]:
        """Of the images that the containers were made from."""
        return {each.live["Image"] for each in self.containers.values() if isinstance(each, Found) and each.live}


def look(engine: Engine, resources: Sequence[Container], installation: str) -> Sight:
    """Two round trips at most, however many resources."""
    references = sorted({resource.spec.image for resource in resources})
    wanted = [paths.container(name) for resource in resources for name in _names(resource)]
    answers = engine.try_each([*wanted, *map(paths.image, references)])
    named = {resource.key: answers[3 * at : 3 * at + 3] for at, resource in enumerate(resources)}
    missing = [resource for resource in resources if not _ours(named[resource.key][0], resource.key, installation)]
    renamed = _renamed(engine, [resource.key for resource in missing], installation)
    images = zip(references, answers[len(wanted) :], strict=True)
    return Sight(
        {
            resource.key: _choose(resource, named[resource.key], renamed.get(resource.key, []), installation)
            for resource in resources
        },
        {reference: None if isinstance(image, EngineError) else image for reference, image in images},
    )


def names_of_companions(engine: Engine, sight: Sight) -> dict[str, str]:
    """The names of the containers that those in sight share something with, by what the engine calls them there: ids.

    Asks for those alone that are not in sight themselves; what is gone is left out.
    """
    lives = [each.live for each in sight.containers.values() if isinstance(each, Found) and each.live]
    wanted = {other for live in lives for other in companions(live)}
    if not wanted:
        return {}
    known = {call: live for live in lives for call in (live["Id"], live["Name"].removeprefix("/"))}
    missing = sorted(wanted - known.keys())
    answers = zip(missing, engine.try_each([paths.container(other) for other in missing]), strict=True)
    known |= {other: live for other, live in answers if isinstance(live, dict)}
    return {other: known[other]["Name"].removeprefix("/") for other in wanted & known.keys()}


def _names(resource: Container) -> tuple[str, str, str]:
    name = resource.container_name
    return name, old_name(name), new_name(name)


def _ours(live: Json | EngineError | None, key: Key, installation: str) -> bool:
    mark = mark_in(live["Config"]["Labels"]) if isinstance(live, dict) else None
    return mark is not None and (mark.key, mark.installation) == (key, installation)


def _renamed(engine: Engine, keys: Sequence[Key], installation: str) -> dict[Key, list[Json]]:
    """Containers that carry one of `keys`, whatever they are called."""
    if not keys:
        return {}
    ours = f"{INSTALLATION}={installation}"
    filters = [[ours]] if len(keys) >= LIST_ALL else [[ours, f"{KEY}={key}"] for key in keys]
    listed = [each for labels in filters for each in engine.read(paths.containers(label=labels))]
    marks = [(each["Id"], mark_in(each["Labels"])) for each in listed]
    wanted = [(identity, mark.key) for identity, mark in marks if mark and mark.key in keys]
    found: dict[Key, list[Json]] = {}
    answers = engine.read_each([paths.container(identity) for identity, _ in wanted])
    for (_, key), live in zip(wanted, answers, strict=True):
        if live is not None:
            found.setdefault(key, []).append(live)
    return found


def _choose(
    resource: Container, named: Sequence[Json | EngineError | None], renamed: Sequence[Json], installation: str
) -> Found | EngineError:
    if refused := next((answer for answer in named if isinstance(answer, EngineError)), None):
        return refused
    there = [live for live in (*named, *renamed) if isinstance(live, dict)]
    ours = [live for live in there if _ours(live, resource.key, installation)]
    # One that was adopted carries no mark; what was about to replace it tells of it.
    replaced = {live["Config"]["Labels"].get(PREDECESSOR) for live in ours}
    candidates = {live["Id"]: live for live in there if live in ours or live["Id"] in replaced}
    if not candidates:
        return Found(_first(live for live in there if live["Name"] == f"/{resource.container_name}"))
    settled = [live for live in candidates.values() if not _passing(resource, live)]
    passing = [live for live in candidates.values() if _passing(resource, live)]
    chosen = _first(settled) or _first(live for live in passing if live["Name"].endswith(OLD_SUFFIX)) or passing[0]
    return Found(chosen, tuple(live for live in passing if live is not chosen))


def _passing(resource: Container, live: Json) -> bool:
    """Whether a container is there for the time of a replacement only: by its name, or because it has yet to be started.

    A second one that is neither is no leftover: somebody has copied a container of ours with its labels.
    """
    started = resource.spec.state is State.STOPPED or live["State"]["Status"] != "created"
    return temporary(live["Name"]) or not started


def _first(containers: Iterable[Json]) -> Json | None:
    return next(iter(containers), None)
