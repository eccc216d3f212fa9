"""Kubernetes Events, where the API server answers something that nobody expects."""

from __future__ import annotations

from typing import Any

from controller.engine.stores import Event, Level
from controller.sources.kube.events import KubeEvents
from controller.sources.kube.objects import read_object
from resources.meta import Key
from tests.support import eventually


class Server:
    """Answers nothing at first, as some proxies do."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def request(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.written.append(body["reason"])
        return {"metadata": {"name": "e"}} if len(self.written) > 1 else {}


def test_answer_that_makes_no_sense_ends_no_later_events() -> None:
    server = Server()
    events = KubeEvents(server, "here")  # type: ignore[arg-type]
    events.start()
    about = read_object({"kind": "File", "metadata": {"name": "a", "namespace": "default", "uid": "1"}})
    for reason in ("One", "Two"):
        events.add(Event(0.0, Key("File", "default", "a"), Level.NORMAL, reason, ""), about)
    eventually(lambda: server.written == ["One", "Two"], "both were told")
    events.close(1.0)
