"""What passes over `$PEGASUS2_HOME/run/p2.sock`: a line of JSON a frame. Both ends use this; it imports next to nothing.

The controller greets with `{"p2": version, "pid": number}`. Then the client sends what was typed and where:

    {"words": ["diff"], "directory": "/srv", "paint": [true, true], "live": true, "asks": true, "width": 80, "err_width": 80}

and gets `{"out": text}`, `{"err": text}` and `{"ask": question}` until `{"exit": code}`. It may send `{"answer": true}` to a
question and `{"stop": true}` for Ctrl-C. Whoever hangs up is no longer waited for.
"""

from __future__ import annotations

# A sent command is a matter of milliseconds. json imports re and enum, socket selectors and enum, typing and threading much
# else, each as long as all that the client has to do; the parts in C under them cost nothing.
from _socket import SHUT_RDWR
from _thread import allocate_lock

TYPE_CHECKING = False  # as typing has it
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Iterator
    from typing import Any

    Frame = dict[str, Any]

_CHUNK = 65_536
LONGEST = 4 * 1024 * 1024  # bytes of one frame: a longer one is no frame of ours


class _Plain:
    """How JSON is read: as `json.loads` does by default."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = parse_constant = float
    parse_int = int


def _in_c() -> tuple[Any, Any]:
    """Called as json.decoder and json.encoder do. Raises ImportError and TypeError in a Python that has them otherwise."""
    from _json import encode_basestring, make_encoder, make_scanner

    scanner: Any = make_scanner(_Plain)  # type: ignore[arg-type]
    return scanner, make_encoder(None, repr, encode_basestring, None, ":", ",", False, False, False)


def _by_json() -> tuple[Any, Any]:
    """The same, of any Python."""
    from json import JSONDecoder, JSONEncoder

    return JSONDecoder().raw_decode, JSONEncoder(ensure_ascii=False, separators=(",", ":")).iterencode


try:
    _scan, _pieces = _in_c()
except (ImportError, TypeError):
    _scan, _pieces = _by_json()


class Line:
    """One end of a connection. Sending is thread-safe; one thread reads."""

    def __init__(self, connection: socket) -> None:
        self._connection = connection
        self._lock = allocate_lock()
        self._rest = b""

    def send(self, **frame: Any) -> None:
        """Raises OSError when the other end is gone."""
        data = "".join(_pieces(frame, 0)).encode(errors="surrogateescape") + b"\n"
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
        return _object(line.decode(errors="surrogateescape"))

    def frames(self) -> Iterator[Frame]:
        """All frames until the other end hangs up."""
        while (frame := self.read()) is not None:
            yield frame

    def hang_up(self) -> None:
        """From any thread: whoever sends or reads here gets an error, or hears that the other end has gone."""
        from contextlib import suppress

        with suppress(OSError):
            self._connection.shutdown(SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()


def _object(text: str) -> Frame:
    try:
        found, end = _scan(text, 0)
    except (StopIteration, SystemError):  # the latter by Python 3.11 where json has not been imported
        raise ValueError("a frame is no JSON") from None
    if not isinstance(found, dict) or end != len(text):
        raise ValueError("a frame is no object")
    return found
