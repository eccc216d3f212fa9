"""Writing statuses back when the API server refuses or does not answer: told once, tried again, and forgotten when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event as Flag
from typing import Any

import pytest

from controller.sources.kube.catalogue import Catalogue, Taken
from controller.sources.kube.cluster import Forbidden, Json, Refusal
from controller.sources.kube.objects import FINALIZER, read_object
from controller.sources.kube.publishing import Publisher
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import Key
from tests.support import eventually
from tests.unit.test_kube_source import body, key

READY = Status(1, 1, (Condition(Type.READY, Truth.TRUE, Reason.CONVERGED, "", 1, 0.0),), digest="d1")


class Server:
    """Keeps the statuses that are patched; `refuse` says what it has against a path."""

    def __init__(self) -> None:
        self.refuse: Callable[[str], Exception | None] = lambda path: None
        self.written: dict[str, Any] = {}
        self.tried: list[str] = []

    def patch(self, path: str, body_: Json) -> Json:
        self.tried.append(path)
        if error := self.refuse(path):
            raise error
        self.written[path] = body_.get("status")
        name = path.split("/")[-2]
        return body(name, metadata={"finalizers": [FINALIZER]}, status=body_.get("status"))

    def request(self, *arguments: Any) -> Json:
        return {"metadata": {"name": "event"}}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def publisher(server: Server) -> Iterator[Publisher]:
    catalogue = Catalogue()
    for name in ("a", "b"):
        catalogue.put(Taken(read_object(body(name, metadata={"finalizers": [FINALIZER]})), "d1"))
    made = Publisher(server, catalogue, "atlas", lambda k: None, lambda k: True)  # type: ignore[arg-type]
    made.start()
    yield made
    made.close()


def path(name: str) -> str:
    return f"/apis/pegasus2.dev/v1/namespaces/default/files/{name}/status"


def test_one_object_that_is_refused_is_trouble_until_it_is_written_whatever_becomes_of_others(
    server: Server, publisher: Publisher
) -> None:
    server.refuse = lambda at: Refusal("cannot do that: status.handle is too long", 422) if at == path("a") else None
    publisher.settled(key("a"), READY)
    eventually(lambda: "too long" in publisher.trouble, "it is told")
    publisher.settled(key("b"), READY)
    eventually(lambda: path("b") in server.written, "the other is written")
    assert "too long" in publisher.trouble
    server.refuse = lambda at: None
    eventually(lambda: path("a") in server.written, "it is tried again")
    eventually(lambda: publisher.trouble == "", "it is over")


def test_mistake_while_writing_is_not_the_end_of_it(server: Server, publisher: Publisher) -> None:
    failed = Flag()

    def once(at: str) -> Exception | None:
        if failed.is_set():
            return None
        failed.set()
        return ZeroDivisionError()

    server.refuse = once
    publisher.settled(key("a"), READY)
    eventually(lambda: path("a") in server.written, "it is tried again")
    assert publisher.alive


def test_right_that_is_missing_is_named(server: Server, publisher: Publisher) -> None:
    server.refuse = lambda at: Forbidden("cannot do that: files.pegasus2.dev/status is forbidden", 403)
    publisher.settled(Key("File", "default", "a"), READY)
    eventually(lambda: "files.pegasus2.dev/status is forbidden" in publisher.trouble, "it is told")
