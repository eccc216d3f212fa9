"""The last lines of a container's log, for messages about one that does not work.

They are short, for they are kept with the status and shown in one line. What a program prints is its own business; the values
of the spec's secrets are taken out of it as out of all that an agent says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, EngineError, Json
from controller.engine.agent import Retry

LINES = 5
WIDTH = 120  # characters of a line
_HEADER = 8  # bytes before each part of a log without a terminal, of which the last four say how long it is
_COLOR = re.compile("\x1b\\[[0-9;]*[A-Za-z]")


def last_words(engine: Engine, live: Json) -> str:
    """In one line, such as ` (its log ends: no such table | giving up)`; empty where nothing was logged or can be read."""
    try:
        log = engine.content(paths.last_of_log(live["Id"], LINES))
    except (EngineError, Retry):  # the log goes elsewhere, or the container is gone
        return ""
    text = log if live["Config"].get("Tty") else b"".join(_parts(log))
    lines = [_plain(line) for line in text.decode(errors="replace").splitlines()]
    told = " | ".join(line for line in lines if line)
    return f" (its log ends: {told})" if told else ""


def _parts(log: bytes) -> Iterator[bytes]:
    """https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach"""
    while len(log) >= _HEADER:
        size = int.from_bytes(log[4:_HEADER])
        yield log[_HEADER : _HEADER + size]
        log = log[_HEADER + size :]


def _plain(line: str) -> str:
    """Without colors and what does not print; `; ` is what parts a message from its advice."""
    printed = "".join(each for each in _COLOR.sub("", line) if each.isprintable()).strip()
    short = printed if len(printed) <= WIDTH else printed[: WIDTH - 1] + "…"
    return short.replace("; ", ", ")
