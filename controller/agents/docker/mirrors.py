"""Pulls an image through the mirrors of its registry. `WritableEngine.pull` does so, and nobody else calls this.

What a mirror has is pulled by its digest and tagged with the name that was asked for: so the engine knows it by that name
alone, and the mirror leaves no tag of its own. A mirror may be late: where it has another image than is here, or than is known
to be the newest, the registry itself says which one is meant.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from controller.agents.docker import paths
from controller.agents.docker.references import Reference
from controller.engine.agent import Retry, Stalled

if TYPE_CHECKING:
    from controller.agents.docker.client import WritableEngine
    from controller.agents.docker.registry_settings import Mirror

log = logging.getLogger(__name__)


def pull(engine: WritableEngine, reference: str, platform: str | None = None) -> Iterator[dict[str, Any]]:
    """The engine's messages; those of the registry itself where no mirror has the image.

    A digest is asked of the registry itself: the engine gives no image the name of another repository's digest.
    """
    wanted = Reference.parse(reference)
    for mirror in () if wanted.digest else engine.registries.mirrors(wanted.host):
        if (yield from _through(engine, mirror, wanted, platform)):
            return
    yield from engine.pull_from_registry(reference, platform)


def _through(
    engine: WritableEngine, mirror: Mirror, wanted: Reference, platform: str | None
) -> Generator[dict[str, Any], None, bool]:
    from controller.agents.docker.client import EngineError

    try:
        digest = engine.registries.at_mirror(mirror, wanted)
        if not _meant(engine, wanted, digest):
            log.info("a mirror has another image than the registry", extra={"mirror": mirror.host, "digest": digest})
            return False
        there = f"{mirror.host}/{mirror.path(wanted.repository.path)}@{digest}"
        for message in engine.pull_from_registry(there, platform):
            if problem := message.get("error"):
                raise EngineError(500, str(problem))
            yield message
        engine.tag(there, _name(wanted))
    except (Retry, Stalled, EngineError) as failure:
        log.info("a mirror has no such image", extra={"mirror": mirror.host, "cause": failure.message})
        return False
    return True


def _meant(engine: WritableEngine, wanted: Reference, digest: str) -> bool:
    """Whether what a mirror has is what the name stands for."""
    settled = engine.registries.settled(wanted)
    known = [settled] if settled else _here(engine, wanted)
    if not known or digest in known:
        return True
    try:
        return engine.registries.digest(_name(wanted), itself=True) == digest
    except (Retry, Stalled):
        return not settled  # nobody knows better


def _here(engine: WritableEngine, wanted: Reference) -> list[str]:
    """Digests of what has the name on the engine; empty where nothing has it."""
    from controller.agents.docker.image_difference import digests_of

    live = engine.read_each([paths.image(_name(wanted))])[0]
    return digests_of(live, _name(wanted)) if live else []


def _name(wanted: Reference) -> str:
    return f"{wanted.repository}:{wanted.tag}"
