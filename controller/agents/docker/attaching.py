"""Takes over a connection to the streams of a program within a container. `client.py` asks for it, `execution.py` uses it.

The engine upgrades the connection (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach):
from then on what is sent is the program's input, and what comes is its output, in frames unless it has a terminal.
"""

from __future__ import annotations

import json
import socket

from controller.agents.docker.wire import Address, Answer, RefusedStream, begun, rest


def attached(address: Address, timeout: float, program: str, *, terminal: bool) -> tuple[socket.socket, bytes]:
    """Starts the program. Returns its connection, and what has come of its output. Raises RefusedStream and OSError."""
    stream = address.connect(timeout)
    try:
        body = json.dumps({"Detach": False, "Tty": terminal}).encode()
        head = (
            f"POST /exec/{program}/start HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
            f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        stream.sendall(head.encode() + body)
        status, headers, received = begun(stream)
        if status not in (101, 200):
            raise RefusedStream(Answer(status, rest(stream, headers, received)))
    except BaseException:
        stream.close()
        raise
    stream.settimeout(None)
    return stream, received
