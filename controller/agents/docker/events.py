"""Hints from the engine's event stream. The agents of this folder say which events matter to whom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Event as Flag

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, Json
from controller.engine.agent import Relist
from resources.meta import Key

REWIND = 3.0  # seconds by which the stream begins in the past, so that nothing falls between it and the Relist


def hints(
    engine: Engine, stop: Flag, concerned: Callable[[Json], Iterable[Key]], **filters: Sequence[str]
) -> Iterator[Key | Relist]:
    """A Relist once the stream flows, then the keys that are `concerned` by each event. Raises Retry when it breaks."""
    stream = paths.events(time.time() - REWIND, **filters)
    for event in engine.follow(stream, stop):
        if event is None:
            yield Relist()
        else:
            yield from concerned(event)


def attributes(event: Json) -> Mapping[str, str]:
    return event["Actor"].get("Attributes") or {}
