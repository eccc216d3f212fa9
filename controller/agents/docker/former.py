"""Former images of a name: which of them are kept no more, and clearing them away. The agent of kind `Image` asks.

Only what we have brought ourselves is ever cleared away, and only what no container uses and nobody has named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from controller.agents.docker import paths
from controller.agents.docker.brought import Brought, Shelf
from controller.agents.docker.client import Engine, EngineError, Json, WritableEngine
from resources.kinds.image import Image
from resources.meta import Key


@dataclass(frozen=True, slots=True)
class Former:
    """`surplus`: ids of those that can go; `crowded`: more would, if no container used them."""

    surplus: tuple[str, ...] = ()
    crowded: bool = False


def surplus(
    engine: Engine, shelves: Sequence[tuple[Image, str, Sequence[Brought]]], stuck: Collection[str]
) -> dict[Key, Former]:
    """For each image with its present id and what was brought. Asks nothing where no name had more than it may keep."""
    full = [each for each in shelves if len(_former(each[1], each[2])) > each[0].spec.keep]
    if not full:
        return {}
    identities = sorted({brought.identity for _, now, brought_ in full for brought in _former(now, brought_)})
    answers = engine.try_each([paths.image(identity) for identity in identities])
    there = {identity: answer for identity, answer in zip(identities, answers, strict=True) if isinstance(answer, dict)}
    used = users(engine)
    return {image.key: _judged(image, _former(now, brought), there, used, stuck) for image, now, brought in full}


def users(engine: Engine) -> dict[str, list[str]]:
    """Names of the containers that were made from each image, those at rest among them."""
    found: dict[str, list[str]] = {}
    for each in engine.read(paths.containers()):
        found.setdefault(each["ImageID"], []).append((each["Names"] or [each["Id"][:12]])[0].removeprefix("/"))
    return found


def unnamed(engine: Engine, identities: Sequence[str]) -> list[str]:
    """Those that are here and have no name: the engine removes an image by its id together with the one name that it has."""
    answers = engine.try_each([paths.image(identity) for identity in identities])
    there = zip(identities, answers, strict=True)
    return [identity for identity, live in there if isinstance(live, dict) and not _named(live)]


def clear(
    engine: WritableEngine, shelf: Shelf, image: Image, now: str, refused: Collection[str], stuck: set[str]
) -> None:
    """Removes what is kept no more. What was given up stays in memory, or it would be brought again."""
    name = image.spec.image
    brought = shelf.of(name)
    for identity in surplus(engine, [(image, now, brought)], stuck).get(image.key, Former()).surplus:
        try:
            engine.remove_image(identity)
        except EngineError as error:
            if error.status != 404:
                stuck.add(identity)  # another image is built on it
    former = _former(now, brought)
    if len(former) > image.spec.keep:
        answers = engine.try_each([paths.image(each.identity) for each in former])
        gone = {each.identity for each, answer in zip(former, answers, strict=True) if answer is None}
        shelf.drop(name, gone - set(refused))


def _judged(
    image: Image, former: Sequence[Brought], there: Mapping[str, Json], used: Collection[str], stuck: Collection[str]
) -> Former:
    ours = [each.identity for each in former if not each.found]
    here = [identity for identity in ours if identity in there and identity not in stuck]
    over = [identity for identity in here[image.spec.keep :] if not _named(there[identity])]
    return Former(
        tuple(identity for identity in over if identity not in used), any(identity in used for identity in over)
    )


def _named(live: Json) -> bool:
    return any(tag != "<none>:<none>" for tag in live.get("RepoTags") or ())


def _former(now: str, brought: Sequence[Brought]) -> list[Brought]:
    """Newest first."""
    return [each for each in reversed(brought) if each.identity != now]
