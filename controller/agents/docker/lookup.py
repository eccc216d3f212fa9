"""Finds the container of each resource, and what an interrupted replacement left beside it.

A container is found by its name, or by the key on its label when somebody has renamed it. During a replacement (see
`replacement.py`) there are two with one key: until the new one has been started, the old one is the container, whatever
its name; from then on the new one is. The other one is a leftover.
"""

from __future__ import annotations

from _blake2 import blake2b
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, EngineError, Json, understood
from controller.agents.docker.marks import KEY, PREDECESSOR, mark_in, new_name, old_name, temporary
from controller.agents.docker.remembered import Remembered
from controller.agents.docker.surroundings import companions
from resources.docker.names import INSTALLATION, OLD_SUFFIX
from resources.docker.parts import State
from resources.kinds.container import Container
from resources.meta import Key

# From this many missing containers on, one listing of all of ours is cheaper than one for each.
LIST_ALL = 4
# From this many on, a list of all that have a name for the time of a replacement (3 µs for each container of the engine)
# takes less of it and of us than to ask for two such names of each (60 µs), which are hardly ever there.
LIST_PASSING = 24


@dataclass(frozen=True, slots=True)
class Found:
    """`live` is what the engine says of the container, None when there is none; `leftovers` are ours, too.

    `said` tells the answer that `live` was read from apart from all others; empty where it was not found by its name.
    """

    live: Json | None
    leftovers: tuple[Json, ...] = ()
    said: bytes = b""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the engine. `images` holds what each image that a spec names is, None where it is not here."""

    containers: dict[Key, Found | EngineError]
    images: dict[str, Json | None] = field(default_factory=dict)

    def image_ids(self) -> set[str]:
        """Of the images that the containers were made from."""
        return {each.live["Image"] for each in self.containers.values() if isinstance(each, Found) and each.live}


def look(
    engine: Engine, resources: Sequence[Container], installation: str, heard: Remembered[Json] | None = None
) -> Sight:
    """One round trip, however many resources, where each is found by its name and nothing was left beside it; else three.

    `heard` has what was read from some answers, by key and by what tells them apart.
    """
    own = {resource.key: paths.container(resource.container_name) for resource in resources}
    many = len(resources) >= LIST_PASSING
    beside = {} if many else {resource.key: _beside(resource) for resource in resources}
    passing = [paths.temporary_containers()] if many else [path for both in beside.values() for path in both]
    images = {name: paths.image(name) for name in sorted({resource.spec.image for resource in resources})}
    # Names first: what is being replaced just now has one of the others by then.
    answers = engine.ask(asked := [*own.values(), *passing, *images.values()])
    told = {key: blake2b(answer.body, digest_size=16).digest() for key, answer in zip(own, answers, strict=False)}
    known = {own[key]: before for key in own if heard and (before := heard.find(key, (told[key],)))}
    said = {path: known.get(path) or understood(answer) for path, answer in zip(asked, answers, strict=True)}
    found = {key: [said[path] for path in (own[key], *beside.get(key, ()))] for key in own}
    missing = [key for key, path in own.items() if not _ours(said[path], key, installation)]
    others = [*_renamed(engine, missing, installation), *(_listed(resources, said[passing[0]]) if many else ())]
    lives = engine.try_each([paths.container(identity) for _, identity in others]) if others else []
    for (key, _), live in zip(others, lives, strict=True):
        found[key].append(live)
    containers = {each.key: _choose(each, found[each.key], told[each.key], installation) for each in resources}
    return Sight(containers, {name: _image(said[path]) for name, path in images.items()})


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


def _beside(resource: Container) -> tuple[str, str]:
    """Where those are that a replacement gives a name for its time."""
    name = resource.container_name
    return paths.container(old_name(name)), paths.container(new_name(name))


def _listed(resources: Sequence[Container], listed: Any) -> list[tuple[Key, str]]:
    """Whose the containers in a list are, by such a name; with their ids."""
    if isinstance(listed, EngineError):
        raise listed
    there = {name.removeprefix("/"): each["Id"] for each in listed or () for name in each["Names"]}
    names = [
        (each.key, name(each.container_name)) for each in (resources if there else ()) for name in (old_name, new_name)
    ]
    return [(key, there[name]) for key, name in names if name in there]


def _ours(live: Json | EngineError | None, key: Key, installation: str) -> bool:
    mark = mark_in(live["Config"]["Labels"]) if isinstance(live, dict) else None
    return mark is not None and (mark.key, mark.installation) == (key, installation)


def _renamed(engine: Engine, keys: Sequence[Key], installation: str) -> list[tuple[Key, str]]:
    """The containers that carry one of `keys`, whatever they are called, by their ids."""
    if not keys:
        return []
    ours = f"{INSTALLATION}={installation}"
    filters = [[ours]] if len(keys) >= LIST_ALL else [[ours, f"{KEY}={key}"] for key in keys]
    listed = [each for labels in filters for each in engine.read(paths.containers(label=labels))]
    marks = [(mark_in(each["Labels"]), each["Id"]) for each in listed]
    return [(mark.key, identity) for mark, identity in marks if mark and mark.key in keys]


def _image(said: Json | EngineError | None) -> Json | None:
    return None if isinstance(said, EngineError) else said


def _choose(
    resource: Container, found: Sequence[Json | EngineError | None], said: bytes, installation: str
) -> Found | EngineError:
    """Of all that was found for it; `said` is of what the first was read from."""
    if refused := next((answer for answer in found if isinstance(answer, EngineError)), None):
        return refused
    there = [live for live in found if isinstance(live, dict)]
    ours = [live for live in there if _ours(live, resource.key, installation)]
    # One that was adopted carries no mark; what was about to replace it tells of it.
    replaced = {live["Config"]["Labels"].get(PREDECESSOR) for live in ours}
    candidates = {live["Id"]: live for live in there if live in ours or live["Id"] in replaced}
    if not candidates:
        named = _first(live for live in there if live["Name"] == f"/{resource.container_name}")
        return Found(named, (), said if named is found[0] else b"")
    settled = [live for live in candidates.values() if not _passing(resource, live)]
    passing = [live for live in candidates.values() if _passing(resource, live)]
    chosen = _first(settled) or _first(live for live in passing if live["Name"].endswith(OLD_SUFFIX)) or passing[0]
    leftovers = tuple(live for live in passing if live is not chosen)
    return Found(chosen, leftovers, said if chosen is found[0] else b"")


def _passing(resource: Container, live: Json) -> bool:
    """Whether a container is there for the time of a replacement only: by its name, or because it has yet to be started.

    A second one that is neither is no leftover: somebody has copied a container of ours with its labels.
    """
    started = resource.spec.state is State.STOPPED or live["State"]["Status"] != "created"
    return temporary(live["Name"]) or not started


def _first(containers: Iterable[Json]) -> Json | None:
    return next(iter(containers), None)
