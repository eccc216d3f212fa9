"""Takes apart what a container without a terminal writes: the engine sends stdout and stderr in one stream, in frames.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach (stream format)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_HEAD = struct.Struct(">BxxxL")  # which stream, and how many bytes follow
_STDERR = 2


@dataclass(frozen=True, slots=True)
class Frame:
    content: bytes
    error: bool = False  # of stderr


def frames(stream: Iterable[bytes], *, terminal: bool) -> Iterator[Frame]:
    """The frames of a stream. That of a terminal has none: each piece is passed on as it comes."""
    if terminal:
        yield from map(Frame, stream)
        return
    rest = b""
    for piece in stream:
        rest += piece
        while len(rest) >= _HEAD.size:
            which, size = _HEAD.unpack_from(rest)
            end = _HEAD.size + size
            if len(rest) < end:
                break
            yield Frame(rest[_HEAD.size : end], which == _STDERR)
            rest = rest[end:]
