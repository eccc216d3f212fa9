"""What passes over `$PEGASUS2_HOME/run/p2.sock`: a line of JSON a frame. Both ends use this; it imports next to nothing.

The controller greets with `{"p2": version, "pid": number}`. Then the client sends what was typed and where:

    {"words": ["diff"], "directory": "/srv", "paint": [true, true], "live": true, "asks": true, "width": 80, "err_width": 80}

and gets `{"out": text}`, `{"err": text}` and `{"ask": question}` until `{"exit": code}`. It may send `{"answer": true}` to a
question and `{"stop": true}` for Ctrl-C. Whoever hangs up is no longer waited for.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import Any

Frame = dict[str, Any]

_CHUNK = 65_536
LONGEST = 4 * 1024 * 1024  # bytes of one frame: a longer one is no frame of ours


class Line:
    """One end of a connection. Sending is thread-safe; one thread reads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = Lock()
        self._rest = b""

    def send(self, **frame: Any) -> None:
        """Raises OSError when the other end is gone."""
        data = json.dumps(frame, ensure_ascii=False).encode(errors="surrogateescape") + b"\n"
        with self._lock:
            self._connection.sendall(data)

    def read(self) -> Frame | None:
        """The next frame; None when the other end has hung up. Raises OSError (a time-out is one) and ValueError."""
        while b"\n" not in self._rest:
            if len(self._rest) > LONGEST:
                raise ValueError("a frame is too long")
            chunk = self._connection.recv(_CHUNK)
            if not chunk:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        found = json.loads(line.decode(errors="surrogateescape"))
        if not isinstance(found, dict):
            raise ValueError("a frame is no object")
        return found

    def frames(self) -> Iterator[Frame]:
        """All frames until the other end hangs up."""
        while (frame := self.read()) is not None:
            yield frame

    def hang_up(self) -> None:
        """From any thread: whoever sends or reads here gets an error, or hears that the other end has gone."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()
