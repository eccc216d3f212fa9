"""Images that were given up: containers that were made from them did not become Ready, and went back to the former one.

The agent of kind `Container` refuses an image when it rolls an update back; that of kind `Image` then does not bring it
again, until there is a newer one or its spec is edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.agents.docker.notes import Content, Notes
from resources.notation import canonical_image


class Refused:
    """By reference, which may be written in any way (`nginx:1.27`, `docker.io/library/nginx:1.27`). Thread-safe."""

    def __init__(self, home: Path) -> None:
        """`home`: $PEGASUS2_HOME."""
        self._notes = Notes(home, "refused")

    def refuse(self, reference: str, identity: str, why: str) -> None:
        """Notes that the image with this id is not to be brought under this name again. Raises Retry."""
        name = canonical_image(reference)
        self._notes.change(lambda content: _refuse(content, name, identity, why))

    def all(self) -> Content:
        """What is noted of all names."""
        return self._notes.read()

    def refused(self, reference: str, among: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Why each image was given up, by its id; `among` what `all` has just said."""
        found = (self.all() if among is None else among).get(canonical_image(reference))
        return {str(identity): str(why) for identity, why in found.items()} if isinstance(found, dict) else {}

    def forget(self, reference: str) -> None:
        """Of this name no image is given up any more. Raises Retry."""
        name = canonical_image(reference)
        if name in self._notes.read():
            self._notes.change(lambda content: _forget(content, name))


def _refuse(content: Content, name: str, identity: str, why: str) -> None:
    content[name] = {**(content.get(name) or {}), identity: why}


def _forget(content: Content, name: str) -> None:
    content.pop(name, None)
