"""How things of a project are called: resources, containers, networks, volumes, images. All pure.

https://github.com/docker/compose names a container `<project>-<service>-<number>`, version 1 with underscores; a network or
volume is `<project>_<name>` in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

_LONGEST = 63  # characters of a resource's name
_DIGITS = 8  # of a digest in a name


class Names:
    """The resources' names in one project: of each thing the same as long as it is called the same."""

    def __init__(self, project: str, *, underscores: bool) -> None:
        self.project = project
        self.underscores = underscores
        self._separator = "_" if underscores else "-"

    def joined(self, *parts: str | int) -> str:
        return self._separator.join(map(str, parts))

    def container(self, service: str, number: int) -> str:
        """Its name in the engine, where the service gives none."""
        return self.joined(self.project, service, number)

    def image(self, service: str) -> str:
        """What a service's built image is called, where the service gives no name."""
        return self.joined(self.project, service).lower()

    def resource(self, *parts: str | int) -> str:
        """`shop-web-1`: what a resource can be called, of that many characters."""
        text = "-".join(map(str, (self.project, *parts)))
        plain = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")
        return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - _DIGITS - 1].rstrip('-')}-{_digest(text)}"


def unique(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`names` (what is named, its resource's name) with a digest behind those of which there would be two."""
    given = dict(names)
    wanted = list(given.values())
    return {
        each: name if wanted.count(name) == 1 else f"{name[: _LONGEST - _DIGITS - 1]}-{_digest(each)}"
        for each, name in given.items()
    }


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]
