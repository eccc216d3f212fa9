"""Names images for good, so that what was rolled out once can be rolled out again: by digest, or by a tag of our own.

What was pulled has a digest. What was built here has none until it is pushed, and no name but tags, which the next build takes
away from it: so it gets one that is made from its own id, and that nothing else will get.
"""

from __future__ import annotations

from collections.abc import Collection

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, EngineError, Json, writable
from controller.agents.docker.failures import explained
from controller.agents.docker.pulling import absent, pull
from controller.engine.agent import Context
from controller.engine.by_hand import Pinned
from resources.meta import Key
from resources.notation import canonical_image

OURS = "p2-"  # what tags of ours begin with
_LENGTH = 12  # digits of an id, as the engine shows it


def pin(engine: Engine, key: Key, reference: str, ctx: Context, *, bring: bool) -> Pinned | None:
    """As `engine.agent.Pins`."""
    with explained(f"look at the image {reference}"):
        live = engine.read_each([paths.image(reference)])[0]
        if live is None and bring:
            pull(writable(engine), reference, key, ctx)
            live = engine.read_each([paths.image(reference)])[0]
            if live is None:
                raise absent(reference)
    if live is None:
        return None
    name, identity = _repository(reference), str(live["Id"])
    if digest := _digest(live, name):
        return Pinned(digest[0], identity, digest=digest[1])
    tag = _tag_of(identity)
    with explained(f"name the image {reference} for good"):
        writable(engine).tag(identity, f"{name}:{tag}")
    return Pinned(name, identity, tag=tag)


def unpin(engine: Engine, name: str, kept: Collection[str]) -> None:
    """As `engine.agent.Pins`. A name that a container was made from stays: without it, the container would be made anew."""
    with explained(f"remove old names of the image {name}"):
        used = {canonical_image(each["Image"]) for each in engine.read(paths.containers())}
        listed = engine.read(paths.images(reference=[f"{name}:{OURS}*"]))
        named = [(tag, _tag_of(each["Id"])) for each in listed for tag in each["RepoTags"] or ()]
        for tag in [
            tag for tag, ours in named if tag.rpartition(":")[2] == ours
        ]:  # others may begin their tags so, too
            if tag.rpartition(":")[2] in kept or canonical_image(tag) in used:
                continue
            try:
                writable(engine).remove_image(tag)
            except EngineError as error:
                if error.status not in (404, 409):
                    raise


def _tag_of(identity: str) -> str:
    return OURS + identity.removeprefix("sha256:")[:_LENGTH]


def _repository(reference: str) -> str:
    """Without tag and digest."""
    rest = reference.partition("@")[0]
    name, colon, tag = rest.rpartition(":")
    return name if colon and "/" not in tag else rest


def _digest(live: Json, name: str) -> tuple[str, str] | None:
    """Repository and digest by which it can be had again; of its own repository, if there is one of that."""
    found = [each.partition("@") for each in live.get("RepoDigests") or ()]
    canonical = _repository(canonical_image(name))
    for repository, _, digest in sorted(found, key=lambda each: _repository(canonical_image(each[0])) != canonical):
        if repository != "<none>":
            return (name if _repository(canonical_image(repository)) == canonical else repository), digest
    return None
