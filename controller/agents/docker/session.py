"""A BuildKit session: the engine asks us, over a connection of its own, for the secrets of a build while it lasts.

It is HTTP/2 with gRPC the other way round: we called the engine, and the engine is the one that asks. Of BuildKit's services
only `Secrets` is offered, and the health check with which the engine makes sure that we are still there
(https://github.com/moby/buildkit/blob/master/session/secrets/secrets.proto). Secrets are in memory here and go nowhere else.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from controller.agents.docker.buildkit import fields, message
from controller.agents.docker.client import WritableEngine

if TYPE_CHECKING:
    from h2.connection import H2Connection

_GET_SECRET, _CHECK = "/moby.buildkit.secrets.v1.Secrets/GetSecret", "/grpc.health.v1.Health/Check"
_SERVING = message({1: 1})
_OK, _NOT_FOUND, _UNIMPLEMENTED = "0", "5", "12"  # https://grpc.github.io/grpc/core/md_doc_statuscodes.html


@contextmanager
def session(engine: WritableEngine, secrets: Mapping[str, bytes]) -> Iterator[str]:
    """Gives the id that a build names its session by; empty where there are no secrets, for then it needs none."""
    if not secrets:
        yield ""
        return
    identity = uuid.uuid4().hex
    headers = {
        "X-Docker-Expose-Session-Uuid": identity,
        "X-Docker-Expose-Session-Name": "pegasus2",
        "X-Docker-Expose-Session-Sharedkey": "",
        "X-Docker-Expose-Session-Grpc-Method": _GET_SECRET,
    }
    connection, received = engine.open_session(headers)
    try:
        answering = _Answering(connection, received, secrets)
        Thread(target=answering.run, name="docker-build-session", daemon=True).start()
        yield identity
    finally:
        with suppress(OSError):  # it may be closed on the other side
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


class _Answering:
    """Answers what the engine asks, until it hangs up."""

    def __init__(self, connection: socket.socket, received: bytes, secrets: Mapping[str, bytes]) -> None:
        """`received`: what has come already."""
        self._connection, self._received, self._secrets = connection, received, secrets
        self._paths: dict[int, str] = {}
        self._asked: dict[int, bytes] = {}
        self._left: dict[int, bytes] = {}  # of answers for which there was no room yet

    def run(self) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection
        from h2.exceptions import ProtocolError

        http = H2Connection(H2Configuration(client_side=False))
        http.initiate_connection()
        received = self._received
        try:
            while True:
                for event in http.receive_data(received) if received else ():
                    self._take(event, http)
                self._go_on(http)
                self._connection.sendall(http.data_to_send())
                if not (received := self._connection.recv(65536)):
                    return
        except (OSError, ProtocolError):
            return  # the build is over, or says what it lacks

    def _take(self, event: Any, http: H2Connection) -> None:
        from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

        if isinstance(event, RequestReceived):
            path = next((value for name, value in event.headers if name == b":path"), b"")
            self._paths[event.stream_id] = bytes(path).decode()
        elif isinstance(event, DataReceived):
            self._asked[event.stream_id] = self._asked.get(event.stream_id, b"") + event.data
            http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            question = self._asked.pop(event.stream_id, b"")[5:]  # behind gRPC's length
            self._answer(event.stream_id, self._paths.pop(event.stream_id, ""), question, http)
        elif isinstance(event, StreamReset):
            self._left.pop(event.stream_id, None)

    def _answer(self, stream: int, path: str, question: bytes, http: H2Connection) -> None:
        status, answer = _OK, b""
        if path == _CHECK:
            answer = _SERVING
        elif path == _GET_SECRET:
            secret = self._secrets.get(bytes(fields(question).get(1, b"")).decode())
            status, answer = (_NOT_FOUND, b"") if secret is None else (_OK, message({1: secret}))
        else:
            status = _UNIMPLEMENTED
        head = [(":status", "200"), ("content-type", "application/grpc")]
        if status != _OK:
            http.send_headers(stream, [*head, ("grpc-status", status)], end_stream=True)
            return
        http.send_headers(stream, head)
        self._left[stream] = b"\0" + len(answer).to_bytes(4, "big") + answer

    def _go_on(self, http: H2Connection) -> None:
        """Sends what there is room for: a secret may have 500 KB, and BuildKit makes room for 64 KB at once."""
        for stream, left in list(self._left.items()):
            while left and (room := min(http.local_flow_control_window(stream), http.max_outbound_frame_size)) > 0:
                http.send_data(stream, left[:room])
                left = left[room:]
            self._left[stream] = left
            if not left:
                http.send_headers(stream, [("grpc-status", _OK)], end_stream=True)
                del self._left[stream]
