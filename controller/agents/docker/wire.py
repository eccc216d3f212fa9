"""Reading from a Docker engine over a plain socket: kept-alive HTTP/1.1, GET only, many questions in one go.

The SDK needs 0.1-0.3 s to import and asks one question at a time; a cold `p2 diff` can afford neither. `client.py` reads
through this. Nothing here can change the engine: there is no method but GET. `writing.py` adds what changes it, for engines
that may be changed.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from threading import Event as Flag
from threading import Lock
from typing import Any

WINDOW = 32  # questions under way on one connection; some 4 KB, which no socket buffer refuses
BUFFER = 1 << 18  # bytes read at once: each read may have to wait for another thread to let go of the interpreter
IDLE = 4  # connections kept open for the next question
CONNECT = 10.0  # seconds until a connection to another machine must be there
GLANCE = 0.5  # seconds between looks at the stop flag while a stream is silent


class Unreached(OSError):
    """No connection, and `advice` says what to do about it."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: whose signature to believe (else the system's authorities), and who we are."""

    ca: str = ""
    cert: str = ""
    key: str = ""


_SSH = r"(?:([\w.][\w.-]*)@)?(\w[\w.-]*|\[[0-9a-fA-F:]+\])(?::([0-9]{1,5}))?(/.*)?"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens: a Unix socket at `path`, or `host` and `port`, with `tls` or not, or a machine's ssh."""

    path: str = ""
    host: str = ""
    port: int = 0
    tls: Tls | None = None
    ssh: bool = False
    user: str = ""

    @classmethod
    def parse(cls, text: str, tls: Tls | None = None) -> Address | None:
        """The address in a DOCKER_HOST, or None for what is none."""
        scheme, _, rest = text.partition("://")
        if scheme == "unix":
            return cls(path=rest) if rest else None
        if scheme == "ssh":
            found = re.fullmatch(_SSH, rest.removesuffix("/"))
            if not found:
                return None
            user, host, port, path = found.groups()
            return cls(path or "", host.strip("[]"), int(port or 0), ssh=True, user=user or "")
        if scheme not in ("tcp", "http", "https"):
            return None
        tls = tls or (Tls() if scheme == "https" else None)
        place = rest.rstrip("/")
        host, _, port = (
            place.rpartition(":") if re.search(r":[0-9]+$", place) else (place, "", "2376" if tls else "2375")
        )
        return cls(host=host.strip("[]"), port=int(port), tls=tls) if host and "/" not in host else None

    @classmethod
    def of_environment(cls, text: str) -> Address | None:
        """As the variables DOCKER_TLS_VERIFY and DOCKER_CERT_PATH go with the DOCKER_HOST in `text`."""
        if not os.environ.get("DOCKER_TLS_VERIFY") or not text.startswith("tcp://"):
            return cls.parse(text)
        folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")  # noqa: PTH111  (imports nothing)
        return cls.parse(text, Tls(f"{folder}/ca.pem", f"{folder}/cert.pem", f"{folder}/key.pem"))

    @property
    def is_elsewhere(self) -> bool:
        return bool(self.host)

    def connect(self, timeout: float) -> socket.socket:
        """A connection; to engines elsewhere it need not be a plain socket, but is one to all who use it."""
        if self.ssh:
            from controller.agents.docker.tunnels import connect_ssh

            return connect_ssh(self, timeout)
        if self.tls:
            from controller.agents.docker.tunnels import connect_tls

            return connect_tls(self, self.tls, timeout)
        if not self.path:
            connected = connected_to(self.host, self.port, timeout)
            connected.settimeout(timeout)
            return connected
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(timeout)
        try:
            connected.connect(self.path)
        except OSError:
            connected.close()
            raise
        return connected


def connected_to(host: str, port: int, timeout: float) -> socket.socket:
    """A connection that ends when the other machine has gone: builds and events may be silent for hours, and wait for ever."""
    connected = socket.create_connection((host, port), min(timeout, CONNECT))
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3)):
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
    return connected


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `version` is the engine's API version, which stands in every answer."""

    status: int
    body: bytes
    version: str = ""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The engine's own words about an error."""
        try:
            return str(json.loads(self.body)["message"])
        except (ValueError, KeyError, TypeError):
            return self.body.decode(errors="replace").strip() or f"HTTP status {self.status}"


class Wire:
    """A few kept-alive connections to one engine, shared by all threads. Raises OSError when the engine is not there."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address, self._timeout = address, timeout
        self._idle: list[Connection] = []
        self._lock = Lock()

    def read_all(self, questions: Sequence[str]) -> list[Answer]:
        """The answers to these paths, in order, over one connection with up to `WINDOW` questions under way."""
        connection = self._take()
        try:
            try:
                answers = connection.converse(questions)
            except ConnectionError:
                if not connection.used:
                    raise
                # It died of old age, or with an engine that is back by now.
                connection.close()
                connection = Connection(self._address, self._timeout)
                answers = connection.converse(questions)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answers

    def follow(self, path: str, stop: Flag) -> Iterator[bytes]:
        """Lines of an answer without end, until `stop` is set; the first one, empty, says that the answer has begun.

        Raises ConnectionError when the stream ends, which it does only with the engine.
        """
        stream = self._address.connect(self._timeout)
        try:
            yield from _stream(stream, path, stop)
        finally:
            stream.close()

    def pour(self, path: str, stop: Flag) -> Iterator[bytes]:
        """The content of an answer as it comes, until it ends or `stop` is set. Raises RefusedStream."""
        stream = self._address.connect(self._timeout)
        try:
            stream.sendall(_question(path))
            yield from poured(stream, stop)
        finally:
            stream.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Connection(self._address, self._timeout)

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < IDLE and not connection.closing:
                self._idle.append(connection)
                return
        connection.close()


class Connection:
    """One socket. Questions are asked ahead of their answers, which come in the same order."""

    def __init__(self, address: Address, timeout: float) -> None:
        self.socket = address.connect(timeout)
        self._stream = BufferedReader(self.socket.makefile("rb", 0), BUFFER)
        self.used = False  # whether it has given an answer already
        self.closing = False  # whether the other side has said that it gives no more

    def converse(self, paths: Sequence[str]) -> list[Answer]:
        answers: list[Answer] = []
        asked = 0
        while len(answers) < len(paths):
            if asked < len(paths) and asked - len(answers) <= WINDOW // 2:
                ahead = paths[asked : len(answers) + WINDOW]
                self.socket.sendall(b"".join(map(_question, ahead)))
                asked += len(ahead)
            answers.append(self.answer())
        self.used = True
        return answers

    def answer(self) -> Answer:
        """The next answer. Raises ConnectionResetError when the connection ends before it has come whole."""
        status_line = self._line()
        headers = {}
        while (line := self._line()) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        self.closing = headers.get("connection", "").lower() == "close"
        status = int(status_line.split(None, 2)[1])
        return Answer(status, self._body(status, headers), headers.get("api-version", ""))

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            if self.closing and "content-length" not in headers and status not in (204, 304):
                return self._stream.read()
            return self._exactly(int(headers.get("content-length", 0)))
        parts = []
        while size := int(self._line(), 16):
            parts.append(self._exactly(size))
            self._line()
        self._line()
        return b"".join(parts)

    def _line(self) -> bytes:
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the engine closed the connection")
        return line

    def _exactly(self, size: int) -> bytes:
        found = self._stream.read(size)
        if len(found) != size:
            raise ConnectionResetError("the engine closed the connection in the middle of an answer")
        return found


def _question(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: docker\r\n\r\n".encode()


def _stream(stream: socket.socket, path: str, stop: Flag) -> Iterator[bytes]:
    stream.sendall(_question(path))
    received = b""
    while b"\r\n\r\n" not in received:
        received += _received(stream)
    head, _, received = received.partition(b"\r\n\r\n")
    if head.split(None, 2)[1] != b"200":
        raise ConnectionError(f"the engine refused the stream: {received.decode(errors='replace').strip()}")
    yield b""
    stream.settimeout(GLANCE)
    text = b""
    while not stop.is_set():
        content, received, ended = _dechunked(received)
        *lines, text = (text + content).split(b"\n")
        yield from filter(None, lines)
        if ended:
            raise ConnectionResetError("the engine ended the stream")
        try:
            received += _received(stream)
        except TimeoutError:
            continue


class RefusedStream(Exception):
    """The engine refused to begin a stream; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def poured(stream: socket.socket, stop: Flag) -> Iterator[bytes]:
    """The content of the answer that is about to come on `stream`, as it comes."""
    status, headers, received = begun(stream)
    if status != 200:
        raise RefusedStream(Answer(status, rest(stream, headers, received)))
    chunked = headers.get("transfer-encoding") == "chunked"
    stream.settimeout(GLANCE)
    while not stop.is_set():
        content, received, ended = _dechunked(received) if chunked else (received, b"", False)
        if content:
            yield content
        if ended:
            return
        try:
            more = stream.recv(65536)
        except TimeoutError:
            continue
        if not more:
            return
        received += more


def begun(stream: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status and headers of an answer, and what has come of its content with them."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _received(stream)
    head, _, received = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(status_line.split(None, 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}, received


def rest(stream: socket.socket, headers: dict[str, str], received: bytes) -> bytes:
    """The content of a short answer, such as an error's."""
    if headers.get("transfer-encoding") == "chunked":
        content = b""
        while True:
            part, received, ended = _dechunked(received)
            content += part
            if ended:
                return content
            received += _received(stream)
    while len(received) < int(headers.get("content-length", 0)):
        received += _received(stream)
    return received


def _received(stream: socket.socket) -> bytes:
    found = stream.recv(65536)
    if not found:
        raise ConnectionResetError("the engine closed the stream")
    return found


def _dechunked(raw: bytes) -> tuple[bytes, bytes, bool]:
    """The content of the whole HTTP chunks at the start of `raw`, what is left of it, and whether the last chunk came."""
    content = b""
    while True:
        size, found, rest = raw.partition(b"\r\n")
        if not found or len(rest) < (count := int(size, 16)) + 2:
            return content, raw, False
        if not count:
            return content, b"", True
        content, raw = content + rest[:count], rest[count + 2 :]
