"""Reading over a plain socket, against a server that answers in every way HTTP allows."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest

from controller.agents.docker.wire import GLANCE, WINDOW, Address, Tls, Wire

HEAD = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n"


class Server:
    """Takes connections on a Unix socket, and lets `talk` have each of them."""

    def __init__(self, path: Path, talk: Callable[[socket.socket], None]) -> None:
        self.address = Address(str(path))
        self.connections = 0
        self._talk = talk
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._talk(connection)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Callable[[socket.socket], None]], Server]]:
    servers: list[Server] = []

    def start(talk: Callable[[socket.socket], None]) -> Server:
        servers.append(Server(tmp_path / f"{len(servers)}.sock", talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Serve = Callable[[Callable[[socket.socket], None]], Server]


def paths(connection: socket.socket) -> Iterator[str]:
    """The paths that are asked for on a connection, until it ends."""
    stream = connection.makefile("rb")
    while line := stream.readline():
        while stream.readline() not in (b"\r\n", b""):
            pass
        yield line.split()[1].decode()


def answer(text: bytes) -> Callable[[socket.socket], None]:
    """A server that gives one answer, once it was asked: one that ends before would break the question off."""

    def talk(connection: socket.socket) -> None:
        next(paths(connection))
        connection.sendall(text)

    return talk


def answer_each(connection: socket.socket) -> None:
    """Each path comes back as the body, with its length or in chunks, byte by byte or at once."""
    for number, path in enumerate(paths(connection)):
        body = path.encode()
        if number % 2:
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]) if part)
            text = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        else:
            text = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        for start in range(0, len(text), 7 if number % 3 else len(text)):
            connection.sendall(text[start : start + (7 if number % 3 else len(text))])


def test_answers_come_in_the_order_of_the_questions(serve: Serve) -> None:
    server = serve(answer_each)
    wire = Wire(server.address, 5)
    asked = [f"/{number}" for number in range(5 * WINDOW + 1)]
    answers = wire.read_all(asked)
    assert [answer.body.decode() for answer in answers] == asked
    assert {(answer.status, answer.version) for answer in answers} == {(200, "1.41")}
    assert wire.read_all([]) == []
    assert wire.read_all(["/again"])[0].body == b"/again"
    assert server.connections == 1


def test_only_questions_are_ever_sent(serve: Serve) -> None:
    received = []

    def note(connection: socket.socket) -> None:
        received.append(connection.recv(65536))

    with pytest.raises(ConnectionError):
        Wire(serve(note).address, 5).read_all(["/containers/json", "/version"])
    lines = received[0].decode().split("\r\n\r\n")[:-1]
    assert [line.split()[0] for line in lines] == ["GET", "GET"]


def test_connection_that_died_of_old_age_is_made_again(serve: Serve) -> None:
    def once(connection: socket.socket) -> None:
        for path in paths(connection):
            connection.sendall(HEAD + b"Content-Length: 1\r\n\r\n" + path[-1].encode())
            return

    server = serve(once)
    wire = Wire(server.address, 5)
    assert [wire.read_all([path])[0].body for path in ("/a", "/b", "/c")] == [b"a", b"b", b"c"]
    assert server.connections == 3


def test_answer_without_a_length_lasts_until_the_connection_ends(serve: Serve) -> None:
    server = serve(answer(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nnonsense"))
    wire = Wire(server.address, 5)
    for _ in "twice":
        assert wire.read_all(["/a"])[0].body == b"nonsense"


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        HEAD + b"Content-Length: 9\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
    ids=["nothing", "head", "body", "chunk", "between chunks"],
)
def test_torn_answer_is_a_lost_connection(torn: bytes, serve: Serve) -> None:
    server = serve(answer(torn))
    with pytest.raises(ConnectionError):
        Wire(server.address, 5).read_all(["/a"])


def test_answer_that_never_comes_runs_into_the_time_limit(serve: Serve) -> None:
    hold = Flag()

    def silent(connection: socket.socket) -> None:
        hold.wait(10)

    with pytest.raises(TimeoutError):
        Wire(serve(silent).address, 0.1).read_all(["/a"])
    hold.set()


def test_refusal_is_given_in_the_engines_words(serve: Serve) -> None:
    body = b'{"message":"No such container: x"}\n'
    server = serve(answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    refusal = Wire(server.address, 5).read_all(["/containers/x/json"])[0]
    assert (refusal.status, refusal.message) == (404, "No such container: x")


def stream(connection: socket.socket, *pieces: bytes) -> None:
    next(paths(connection))
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for piece in pieces:
        connection.sendall(piece)


def test_stream_gives_whole_lines_however_they_arrive(serve: Serve) -> None:
    content = b'{"a":1}\n{"b":2}\n'
    torn = [content[start : start + 3] for start in range(0, len(content), 3)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in torn)
    server = serve(lambda connection: stream(connection, chunks[:5], chunks[5:11], chunks[11:], b"0\r\n\r\n"))
    lines = []
    with pytest.raises(ConnectionError):
        for line in Wire(server.address, 5).follow("/events", Flag()):
            lines.append(line)
    assert lines == [b"", b'{"a":1}', b'{"b":2}']


def test_silent_stream_ends_when_told_to(serve: Serve) -> None:
    hold, stop = Flag(), Flag()

    def silent(connection: socket.socket) -> None:
        stream(connection)
        hold.wait(10)

    lines = Wire(serve(silent).address, 5).follow("/events", stop)
    assert next(lines) == b""
    follower = Thread(target=lambda: list(lines))
    follower.start()
    stop.set()
    follower.join(GLANCE * 4)
    hold.set()
    assert not follower.is_alive()


def test_refused_stream_says_why(serve: Serve) -> None:
    server = serve(answer(b'HTTP/1.1 500 Oops\r\n\r\n{"message":"no events today"}'))
    with pytest.raises(ConnectionError, match="no events today"):
        next(Wire(server.address, 5).follow("/events", Flag()))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("unix:///run/docker.sock", Address(path="/run/docker.sock")),
        ("tcp://10.0.0.1:2375", Address(host="10.0.0.1", port=2375)),
        ("tcp://[::1]:2375", Address(host="::1", port=2375)),
        ("tcp://10.0.0.1", Address(host="10.0.0.1", port=2375)),
        ("https://there:1", Address(host="there", port=1, tls=Tls())),
        ("ssh://me@there", Address(host="there", ssh=True, user="me")),
        ("ssh://there:22/run/d.sock", Address(path="/run/d.sock", host="there", port=22, ssh=True)),
        ("ssh://-oProxyCommand=x", None),
        ("ssh://me@-oProxyCommand=x", None),
        ("npipe:////./pipe/docker", None),
        ("unix://", None),
        ("nas", None),
    ],
)
def test_host_is_read_as_docker_writes_it(host: str, address: Address | None) -> None:
    assert Address.parse(host) == address


def test_variables_of_docker_ask_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")
    tls = Tls("/certs/ca.pem", "/certs/cert.pem", "/certs/key.pem")
    assert Address.of_environment("tcp://10.0.0.1") == Address(host="10.0.0.1", port=2376, tls=tls)
    assert Address.of_environment("unix:///run/docker.sock") == Address(path="/run/docker.sock")
    monkeypatch.delenv("DOCKER_TLS_VERIFY")
    assert Address.of_environment("tcp://10.0.0.1") == Address(host="10.0.0.1", port=2375)
