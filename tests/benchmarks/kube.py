"""An API server for benchmarks: its watch as somebody else sees it, and a log of who asked it what."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench import Bench

from controller.sources.cluster import Cluster, ClusterError
from controller.sources.objects import Object, collection, read_object
from tests import apiserver
from tests.apiserver import Kubernetes, kubernetes

_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata"}],
}


def missing() -> str:
    """Why there can be no API server here; empty when there can."""
    return apiserver.missing()


@dataclass(frozen=True)
class Requests:
    """What the API server was asked. `path`: its audit log; None where it is not ours to have one."""

    path: Path | None

    def between(self, since: float, until: float) -> Counter[str]:
        """Those that ended within this time (seconds since the epoch), by verb and resource, but for kubectl's and its own."""
        found: Counter[str] = Counter()
        for entry in self._entries():
            if since <= _moment(entry["stageTimestamp"]) < until and _is_ours(entry):
                about = entry.get("objectRef") or {"resource": entry["requestURI"]}
                sub = f"/{about['subresource']}" if about.get("subresource") else ""
                found[f"{entry['verb']} {about['resource']}{sub}"] += 1
        return found

    def _entries(self) -> Iterator[dict[str, Any]]:
        assert self.path is not None
        with self.path.open() as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _is_ours(entry: Mapping[str, Any]) -> bool:
    agent = str(entry.get("userAgent", ""))
    return (
        not agent.startswith(("kube-apiserver/", "kubectl/", "Python-urllib/")) and entry["user"]["username"] == "admin"
    )


@contextmanager
def cluster(bench: Bench) -> Iterator[tuple[Kubernetes, Requests]]:
    """An API server with our kinds, and what it is asked."""
    place = bench.place("kube")
    policy, log = place / "policy.json", place / "audit.log"
    policy.write_text(json.dumps(_POLICY))
    with kubernetes(place, (f"--audit-policy-file={policy}", f"--audit-log-path={log}")) as found:
        yield found, Requests(log if found.own else None)


class Watch:
    """The objects of one kind in one namespace, as a watch of its own tells them."""

    def __init__(self, client: Cluster, kind: str, namespace: str) -> None:
        self._kind = kind
        self._objects: dict[str, Object] = {}
        self._changed = threading.Condition()
        self._client = client
        self._path = collection(kind, namespace)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """What there is, and then what changes; from the beginning again when the API server ends it, as it does now and then."""
        with suppress(ClusterError, OSError):  # the client was closed, or the API server has ended
            while True:
                listed = json.load(_opened(self._client, self._path))
                for body in listed["items"]:
                    self._take(read_object({"kind": self._kind, **body}))
                since = listed["metadata"]["resourceVersion"]
                for line in _opened(self._client, f"{self._path}?watch=1&resourceVersion={since}"):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        break
                    self._take(read_object({"kind": self._kind, **event["object"]}))

    def _take(self, found: Object) -> None:
        with self._changed:
            self._objects[found.key.name] = found
            self._changed.notify_all()

    def wait(self, settled: Callable[[Mapping[str, Object]], bool], what: str, patience: float = 120.0) -> float:
        """Seconds since the epoch when `settled` was first seen true. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: settled(self._objects), patience):
                raise TimeoutError(f"{what} did not come about within {patience:g} s")
            return time.time()

    def ready(self, name: str, is_it: Callable[[Mapping[str, Any]], bool]) -> float:
        """When the object was seen Ready with a spec that `is_it` knows."""
        return self.wait(lambda seen: name in seen and is_it(seen[name].body["spec"]) and is_ready(seen[name]), name)


def is_ready(found: Object) -> bool:
    """Whether its status says Ready of the generation that it has."""
    return any(
        each["type"] == "Ready" and each["status"] == "True" and each["observedGeneration"] == found.generation
        for each in found.status.get("conditions") or ()
    )


def _opened(client: Cluster, path: str) -> Any:
    access = client.access()
    trust = ssl.create_default_context(cafile=access.ca_path)
    if access.certificate_path:
        trust.load_cert_chain(access.certificate_path, access.private_key_path)
    headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    return urllib.request.urlopen(urllib.request.Request(access.server + path, headers=headers), context=trust)
