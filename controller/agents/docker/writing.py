"""Changing a Docker engine over the connections of `wire.py`. `client.py` gives this to engines that may be changed alone.

Importing the SDK takes 60 ms, a tenth of the whole change of a container; so nothing here does.

A change must not be asked for twice. So it goes out on a connection that is there beyond doubt: on a kept one that has been
neither ended nor spoken on, or else on a new one. It is sent once more only when the very first byte could not be sent; what
is lost later is reported as lost, and the next look at the world says what has come of it.
"""

from __future__ import annotations

import select
from contextlib import suppress

from controller.agents.docker.wire import Answer, Connection, Wire

JSON, TAR = "application/json", "application/x-tar"


class Unanswered(Exception):
    """The change was sent, and no answer came in time."""


class WritableWire(Wire):
    """As `Wire`; and changes the engine."""

    def change(self, method: str, path: str, content: bytes = b"", kind: str = JSON, patience: float = 0.0) -> Answer:
        """Sends `content`, and waits for the answer `patience` seconds longer than usual. Raises Unanswered and OSError."""
        request = _request(method, path, content, kind)
        connection = self._proven()
        try:
            if not _sent(connection, request):
                connection.close()
                connection = Connection(self._address, self._timeout)
                if not _sent(connection, request):
                    raise ConnectionResetError("the engine closed the connection")
            connection.socket.settimeout(self._timeout + patience)
            answer = _answer(connection)
            connection.socket.settimeout(self._timeout)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answer

    def _proven(self) -> Connection:
        """A kept connection that the engine has not closed meanwhile (as it does when it restarts), or a new one."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return Connection(self._address, self._timeout)
            if _is_quiet(connection):
                return connection
            connection.close()


def _request(method: str, path: str, content: bytes, kind: str) -> bytes:
    about = f"Content-Type: {kind}\r\n" if content else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: docker\r\n{about}Content-Length: {len(content)}\r\n\r\n".encode() + content
    )


def _is_quiet(connection: Connection) -> bool:
    """Whether nothing has come, neither the end nor what was not asked for."""
    looking = select.poll()
    looking.register(connection.socket, select.POLLIN)
    return not looking.poll(0)


def _sent(connection: Connection, request: bytes) -> bool:
    """False when nothing of it could be sent. One that was refused half-way may have been answered all the same."""
    view = memoryview(request)
    try:
        begun = connection.socket.send(view)
    except ConnectionError:
        return False
    with suppress(ConnectionError):
        connection.socket.sendall(view[begun:])
    return True


def _answer(connection: Connection) -> Answer:
    try:
        answer = connection.answer()
    except TimeoutError:
        raise Unanswered from None
    connection.used = True
    return answer
