"""What is written back to a cluster that does not take it at once, and of objects that had namesakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controller.sources.kube.catalogue import Catalogue, Taken
from controller.sources.kube.cluster import Missing
from controller.sources.kube.objects import FINALIZER, read_object
from controller.sources.kube.publishing import Publisher
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import Key
from tests.support import eventually

KEY = Key("File", "default", "a")


class Server:
    """Holds one File. The first `unserved` requests meet an API server that does not know the kind yet."""

    def __init__(self, unserved: int = 0) -> None:
        self.unserved = unserved
        metadata = {"name": "a", "namespace": "default", "uid": "1", "resourceVersion": "7", "generation": 1}
        self.body: dict[str, Any] = {"metadata": {**metadata, "finalizers": [FINALIZER]}, "spec": {}}

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.unserved:
            self.unserved -= 1
            raise Missing("cannot do that: the server could not find the requested resource", 404)
        self.body = {**self.body, "status": body["status"]}
        return self.body

    def ready(self) -> str:
        """The reason."""
        return next((str(each["reason"]) for each in self.body.get("status", {}).get("conditions", ())), "")


def status(reason: Reason, generation: int) -> Status:
    ready = Condition(Type.READY, Truth.TRUE, reason, "", generation, 0.0)
    return Status(generation, generation, (ready,), digest="d" if generation else "")


@contextmanager
def publishing(server: Server, kept: Status | None = None) -> Iterator[Publisher]:
    catalogue = Catalogue()
    catalogue.put(Taken(read_object({"kind": "File", **server.body}), "d"))
    made = Publisher(server, catalogue, "here", lambda key: kept, lambda key: True)  # type: ignore[arg-type]
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_status_is_written_when_its_kind_is_served_again() -> None:
    server = Server(unserved=1)
    with publishing(server) as publisher:
        publisher.settled(KEY, status(Reason.CONVERGED, 1))
        eventually(lambda: server.ready() == Reason.CONVERGED, "it is written")


def test_object_is_not_told_what_became_of_its_namesake_that_has_gone() -> None:
    server = Server()
    with publishing(server, kept=status(Reason.RETAINED, 0)) as publisher:
        publisher.changed([KEY])
        eventually(lambda: publisher._queue.depth() == 0, "it was looked at")
        assert not server.ready()
        publisher.settled(KEY, status(Reason.CONVERGED, 1))
        eventually(lambda: server.ready() == Reason.CONVERGED, "what is said of itself is written")
