"""What the tests of several machines share: time that passes as they wait, clients that count, and a clean place."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

from controller.engine.clock import Clock
from controller.sources.kube import machines
from controller.sources.kube.cluster import Cluster, Missing
from controller.sources.kube.leases import SELECTED, collection, place
from tests.apiserver import Kubernetes

Json = dict[str, Any]


class Time:
    """Passes only while somebody waits. `at` has what is to happen then, by seconds from the beginning."""

    def __init__(self) -> None:
        self._begun = self._now = float(int(time.time()))
        self.at: dict[float, Callable[[], object]] = {}
        self.clock = Clock(monotonic=lambda: self._now, wall=lambda: self._now)

    @property
    def passed(self) -> float:
        return self._now - self._begun

    def wait(self, flag: Flag, seconds: float) -> bool:
        if not flag.is_set():
            self._now += seconds
            for due in [each for each in self.at if each <= self.passed]:
                self.at.pop(due)()
        return flag.is_set()


class Counting(Cluster):
    """Remembers what it was asked. `before` is called ahead of each request."""

    def __init__(self, kubeconfig: Path, before: Callable[[str, str], object] = lambda method, path: None) -> None:
        super().__init__(kubeconfig=kubeconfig)
        self.asked: list[tuple[str, str]] = []
        self._before = before

    def request(self, method: str, path: str, *arguments: Any, **options: Any) -> Json:
        self._before(method, path)
        self.asked.append((method, path))
        return super().request(method, path, *arguments, **options)

    def written(self, part: str = "") -> list[str]:
        """Paths that it changed, other than leases."""
        return [path for method, path in self.asked if method != "GET" and "/leases" not in path and part in path]


def clean(cluster: Kubernetes) -> None:
    """No leases and no machines are left: whatever is there is of tests, see `apiserver.kubernetes`."""
    with_client = cluster.client()
    try:
        nodes = [found["metadata"]["name"] for found in with_client.list(collection(), SELECTED)]
        found = with_client.find(machines.COLLECTION) or {}
        paths = [machines.place(each["metadata"]["name"]) for each in found.get("items", ())]
        for path in [*paths, *map(place, nodes)]:
            with suppress(Missing):
                with_client.request("DELETE", path)
    finally:
        with_client.close()


def put(client: Cluster, namespace: str, name: str, spec: Json, status: Json | None = None, **metadata: Any) -> Json:
    """Makes a File object, with a status as its operator would have written it."""
    where = f"/apis/pegasus2.dev/v1/namespaces/{namespace}/files"
    body = {
        "apiVersion": "pegasus2.dev/v1",
        "kind": "File",
        "metadata": {"name": name, **metadata},
        "spec": {"path": f"/tmp/{namespace}-{name}", "content": "hello", **spec},
    }
    made = client.request("POST", where, body)
    if status:
        made = client.patch(f"{where}/{name}/status", {"status": status})
    return made


def stands(client: Cluster, namespace: str, name: str) -> Json | None:
    """The File object as it is now."""
    return client.find(f"/apis/pegasus2.dev/v1/namespaces/{namespace}/files/{name}")


def ready(found: Json | None) -> Json:
    """The Ready condition of an object; empty when it has none."""
    assert found is not None
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((dict(each) for each in conditions if each["type"] == "Ready"), {})
