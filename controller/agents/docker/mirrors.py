"""Pulls an image through the mirrors of its registry. `WritableEngine.pull` does so, and nobody else calls this.

What a mirror has is pulled by its digest and tagged with the name that was asked for: so the engine knows it by that name
alone, and the mirror leaves no tag of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

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
        there = f"{mirror.host}/{mirror.path(wanted.repository.path)}@{digest}"
        for message in engine.pull_from_registry(there, platform):
            if problem := message.get("error"):
                raise EngineError(500, str(problem))
            yield message
        engine.tag(there, f"{wanted.repository}:{wanted.tag}")
    except (Retry, Stalled, EngineError) as failure:
        log.info("a mirror has no such image", extra={"mirror": mirror.host, "cause": failure.message})
        return False
    return True
