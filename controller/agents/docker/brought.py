"""Which images we have brought under a name: pulled or built, and from what. The agent of kind `Image` keeps this.

The engine tells what a name stands for now. What it stood for before, and what it should stand for when somebody has moved it,
stands here; so does what an image was built from that somebody else has built, for it can't be marked any more.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from controller.agents.docker.notes import Content, Notes
from resources.notation import canonical_image

MOST = 100  # images that are remembered of a name


@dataclass(frozen=True, slots=True)
class Brought:
    """One image. `digest`: what it is called at its registry, or its id; `built`: what it was built from, else empty.

    `found`: it had its name before we came, and nobody said that we may adopt it; it is never removed.
    """

    identity: str
    digest: str
    built: dict[str, str] = field(default_factory=dict)
    at: float = 0.0  # seconds since the epoch
    found: bool = False


class Shelf:
    """By name, the newest last. Thread-safe."""

    def __init__(self, home: Path) -> None:
        """`home`: $PEGASUS2_HOME."""
        self._notes = Notes(home, "images")

    def of(self, name: str) -> tuple[Brought, ...]:
        return _entries(self._notes.read(), canonical_image(name))

    def all(self) -> dict[str, tuple[Brought, ...]]:
        """By canonical name."""
        content = self._notes.read()
        return {name: _entries(content, name) for name in content}

    def put(self, name: str, image: Brought) -> None:
        """`image` is what the name stands for from now on. Raises Retry."""

        def change(content: Content) -> None:
            known = _entries(content, canonical_image(name))
            others = [each for each in known if each.identity != image.identity]
            found = image.found or any(each.found for each in known if each.identity == image.identity)
            newest = replace(image, at=image.at or time.time(), found=found)
            content[canonical_image(name)] = [asdict(each) for each in (*others, newest)][-MOST:]

        self._notes.change(change)

    def drop(self, name: str, identities: Collection[str] | None = None) -> None:
        """Forgets these images of the name, or all of them. Raises Retry."""

        def change(content: Content) -> None:
            kept = [] if identities is None else _entries(content, canonical_image(name))
            left = [asdict(each) for each in kept if each.identity not in (identities or ())]
            content.pop(canonical_image(name), None)
            if left:
                content[canonical_image(name)] = left

        self._notes.change(change)


def _entries(content: Content, name: str) -> tuple[Brought, ...]:
    """What can be read of them: somebody may have written into the file."""
    found = content.get(name)
    return tuple(entry for each in found if (entry := _entry(each))) if isinstance(found, list) else ()


def _entry(written: Any) -> Brought | None:
    try:
        identity, digest, built = str(written["identity"]), str(written["digest"]), dict(written["built"])
        return Brought(identity, digest, built, float(written["at"]), written.get("found") is True)
    except (KeyError, TypeError, ValueError):
        return None
