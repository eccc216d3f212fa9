"""Paths of the engine's API: https://docs.docker.com/reference/api/engine/version/v1.41/.

They carry no version, so that the engine answers in its own newest one, whatever its age.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from resources.docker.names import PASSING

VERSION = "/version"
INFO = "/info"


def container(name: str) -> str:
    return f"/containers/{quote(name)}/json"


def last_of_log(identity: str, lines: int) -> str:
    return f"/containers/{quote(identity)}/logs?stdout=1&stderr=1&tail={lines}"


def logs(identity: str, *, follow: bool, tail: int | None, since: float) -> str:
    """With the time of each line. `since` in seconds since the epoch."""
    lines = "all" if tail is None else str(tail)
    asked = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow), "tail": lines, "since": f"{since:.9f}"}
    return f"/containers/{quote(identity)}/logs?{urlencode(asked)}"


def program(identity: str) -> str:
    """One that was started within a container."""
    return f"/exec/{quote(identity)}/json"


def stats(identity: str) -> str:
    """Once, without waiting for a second sample."""
    return f"/containers/{quote(identity)}/stats?stream=0&one-shot=1"


def running() -> str:
    """The containers that run."""
    return "/containers/json"


def archive(container: str, path: str) -> str:
    """What is at `path` in a container, as a tar archive."""
    return f"/containers/{quote(container)}/archive?{urlencode({'path': path})}"


def image(reference: str) -> str:
    return f"/images/{quote(reference, safe='/:@')}/json"


def images(**filters: Sequence[str]) -> str:
    """Without the layers in between that a classic build leaves."""
    return f"/images/json?{_query(filters)}"


def network(name: str, change: str = "") -> str:
    """`change`: connect or disconnect."""
    return f"/networks/{quote(name)}{change and '/'}{change}"


def volume(name: str) -> str:
    return f"/volumes/{quote(name)}"


def containers(**filters: Sequence[str]) -> str:
    """All containers, stopped ones among them."""
    return f"/containers/json?all=1&{_query(filters)}"


def temporary_containers() -> str:
    """Those that have a name for the time of a replacement, whoever made them: what was adopted carries no mark.

    Perhaps some more: an engine compiles the expression anew for each name, so it is as short as can be.
    """
    return containers(name=[re.escape(PASSING)])


def networks(**filters: Sequence[str]) -> str:
    return f"/networks?{_query(filters)}"


def volumes(**filters: Sequence[str]) -> str:
    return f"/volumes?{_query(filters)}"


def events(since: float, **filters: Sequence[str]) -> str:
    """`since` in seconds since the epoch."""
    return f"/events?{urlencode({'since': f'{since:.3f}'})}&{_query(filters)}"


def creation(things: str, **query: str | None) -> str:
    """`things`: containers, networks or volumes."""
    return _asking(f"/{things}/create", {name: value for name, value in query.items() if value})


def change(container: str, what: str, **query: str | int) -> str:
    return _asking(f"/containers/{quote(container)}/{what}", query)


def removal(container: str, **query: int) -> str:
    return _asking(f"/containers/{quote(container)}", query)


def resizing(program: str, columns: int, lines: int) -> str:
    return _asking(f"/exec/{quote(program)}/resize", {"h": lines, "w": columns})


def naming(reference: str, change: str = "") -> str:
    """An image by one of its names, to take that away or to give it more."""
    return f"/images/{quote(reference, safe='/:@')}{change}"


def tagging(reference: str, name: str) -> str:
    """`name`: with a tag, or it is `latest`."""
    repository, _, tag = name.rpartition(":")
    if not repository or "/" in tag:
        repository, tag = name, "latest"
    return _asking(naming(reference, "/tag"), {"repo": repository, "tag": tag})


def cancelling(build: str) -> str:
    return _asking("/build/cancel", {"id": build})


def _asking(path: str, query: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _query(filters: Mapping[str, Sequence[str]]) -> str:
    return urlencode({"filters": json.dumps(filters)})
