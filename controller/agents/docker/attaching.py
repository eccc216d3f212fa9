"""Takes over a connection: to the streams of a program within a container, or for a protocol of its own (a build's session).

The engine upgrades the connection (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach):
from then on what is sent is the program's input, and what comes is its output, in frames unless it has a terminal.
`client.py` asks for it; `execution.py` and `session.py` use it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

from controller.agents.docker.wire import Address, Answer, RefusedStream, begun, rest


def attached(address: Address, timeout: float, program: str, *, terminal: bool) -> tuple[socket.socket, bytes]:
    """Starts the program. Returns its connection, and what has come of its output. Raises RefusedStream and OSError."""
    body = json.dumps({"Detach": False, "Tty": terminal}).encode()
    return upgraded(
        address, timeout, f"/exec/{program}/start", {"Content-Type": "application/json", "Upgrade": "tcp"}, body
    )


def upgraded(
    address: Address, timeout: float, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[socket.socket, bytes]:
    """The connection as the engine leaves it, and what has come on it already. Raises RefusedStream and OSError."""
    stream = address.connect(timeout)
    try:
        told = {"Host": "docker", "Connection": "Upgrade", **headers, "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        stream.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        status, answered, received = begun(stream)
        if status not in (101, 200):
            raise RefusedStream(Answer(status, rest(stream, answered, received)))
    except BaseException:
        stream.close()
        raise
    stream.settimeout(None)
    return stream, received
