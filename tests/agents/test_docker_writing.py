"""Changes over a plain socket: each is asked for once, whatever the other side does with its connections."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag

import pytest

from controller.agents.docker.client import EngineError, WritableEngine, connect, writable
from controller.agents.docker.writing import JSON, TAR, Unanswered, WritableWire
from controller.engine.agent import Retry, Setup
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from resources.conditions import Reason
from tests.agents.test_docker_wire import Serve, Server, serve

__all__ = ["serve"]

DONE = b"HTTP/1.1 204 No Content\r\nApi-Version: 1.41\r\n\r\n"


class Engine:
    """Takes requests, remembers them, and answers each as `says` has it; closes the connection after `lasts` of them."""

    def __init__(self, says: Callable[[str], bytes] = lambda _: DONE, lasts: int = 1000) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.ended = Flag()
        self._says, self._lasts = says, lasts

    def __call__(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        for _ in range(self._lasts):
            if not (line := stream.readline().decode()):
                return
            headers = {}
            while (header := stream.readline().decode().strip()) != "":
                name, _, value = header.partition(": ")
                headers[name] = value
            self.requests.append((line.strip(), headers, stream.read(int(headers.get("Content-Length", 0)))))
            if not (said := self._says(line)):
                break
            connection.sendall(said)
        stream.close()
        connection.shutdown(socket.SHUT_RDWR)
        self.ended.set()

    @property
    def lines(self) -> list[str]:
        return [line for line, _, _ in self.requests]


def client(server: Server, home: Path, timeout: float = 5) -> WritableEngine:
    secrets = HomeSecrets(Home(home), {})
    return writable(
        connect(Setup("x", home, secrets, timeout=timeout, config={"host": f"unix://{server.address.path}"}))
    )


def test_changes_and_questions_go_over_one_connection(serve: Serve) -> None:
    server = serve(engine := Engine())
    wire = WritableWire(server.address, 5)
    assert wire.change("POST", "/containers/a/start").status == 204
    assert wire.change("PUT", "/containers/a/archive?path=%2F", b"tar", TAR).status == 204
    assert wire.read_all(["/version"])[0].status == 204
    assert wire.change("POST", "/containers/create", b"{}", JSON).status == 204
    assert engine.lines == [
        "POST /containers/a/start HTTP/1.1",
        "PUT /containers/a/archive?path=%2F HTTP/1.1",
        "GET /version HTTP/1.1",
        "POST /containers/create HTTP/1.1",
    ]
    assert [(headers.get("Content-Type"), body) for _, headers, body in engine.requests] == [
        (None, b""),
        (TAR, b"tar"),
        (None, b""),
        (JSON, b"{}"),
    ]
    assert server.connections == 1


def test_connection_that_was_closed_while_it_was_idle_is_not_used_for_a_change(serve: Serve) -> None:
    server = serve(engine := Engine(lasts=1))
    wire = WritableWire(server.address, 5)
    for number in range(3):
        engine.ended.clear()
        wire.change("POST", f"/{number}")
        assert engine.ended.wait(5)
    assert engine.lines == [f"POST /{number} HTTP/1.1" for number in range(3)]
    assert server.connections == 3


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 204 No"], ids=["nothing", "half an answer"])
def test_change_that_was_taken_and_not_answered_is_not_asked_for_again(
    said: bytes, serve: Serve, tmp_path: Path
) -> None:
    def says(line: str) -> bytes:
        return said if "start" in line else DONE

    server = serve(engine := Engine(says, lasts=2))
    used = client(server, tmp_path)
    used.rename("a", "b")
    with pytest.raises(Retry) as failure:
        used.start("b")
    assert failure.value.reason == Reason.AGENT_UNAVAILABLE
    assert [line.split()[1] for line in engine.lines] == ["/containers/a/rename?name=b", "/containers/b/start"]
    used.rename("b", "c")


def test_engine_that_never_answers_a_change_is_not_waited_for_any_longer(serve: Serve, tmp_path: Path) -> None:
    hold = Flag()

    def silent(connection: socket.socket) -> None:
        hold.wait(10)

    server = serve(silent)
    with pytest.raises(Unanswered):
        WritableWire(server.address, 0.1).change("POST", "/containers/a/start")
    with pytest.raises(Retry) as failure:
        client(server, tmp_path, timeout=0.1).start("a")
    assert failure.value.reason == Reason.TIMEOUT
    hold.set()


def test_stopping_is_given_its_grace_on_top_of_the_time_limit(serve: Serve, tmp_path: Path) -> None:
    late = Flag()

    def says(line: str) -> bytes:
        late.wait(0.5)  # longer than the limit, shorter than the grace
        return DONE

    client(serve(Engine(says)), tmp_path, timeout=0.1).stop("a", grace=20)


def test_refusal_of_a_change_is_given_in_the_engines_words(serve: Serve, tmp_path: Path) -> None:
    body = b'{"message":"you cannot remove a running container"}\n'
    refusal = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with pytest.raises(EngineError) as failure:
        client(serve(Engine(lambda _: refusal)), tmp_path).remove_container("a")
    assert (failure.value.status, failure.value.message) == (409, "you cannot remove a running container")


def test_what_is_done_already_is_no_failure(serve: Serve, tmp_path: Path) -> None:
    server = serve(Engine(lambda _: b"HTTP/1.1 304 Not Modified\r\n\r\n"))
    used = client(server, tmp_path)
    used.start("a")
    used.stop("a", 1)
    assert server.connections == 1


def test_answer_to_a_body_that_was_not_read_to_its_end_is_heard(serve: Serve, tmp_path: Path) -> None:
    """As when files are put into a container that is not there."""
    body = b'{"message":"No such container: a"}\n'

    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    with pytest.raises(EngineError, match="No such container: a"):
        client(serve(refuse), tmp_path).place("a", b"x" * 5_000_000)
