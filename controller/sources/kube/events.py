"""Kubernetes Events about objects, as `kubectl describe` and `kubectl get events` show them. `publishing.py` adds to them.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/: what happens again is counted, not repeated.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from controller.engine.stores import Event
from controller.sources.kube.cluster import Cluster, ClusterError, Json, Missing
from controller.sources.kube.objects import Object
from controller.sources.kube.status_document import moment
from resources.meta import API_VERSION

log = logging.getLogger(__name__)

COMPONENT = "pegasus2"
AGAIN = 3600.0  # seconds after which what happens again is told anew: the API server forgets Events after an hour
REMEMBERED = 1000
LONGEST = 1000  # characters; the API server takes 1024
WAITING = 500  # Events that are not written yet: more than that nobody reads


@dataclass(slots=True)
class _Told:
    path: str
    count: int
    at: float  # monotonic seconds


class KubeEvents:
    """Writes them one after the other from a thread of its own. What can't be written is given up: the log has it."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._cluster = cluster
        self._node = node
        self._waiting: SimpleQueue[tuple[Event, Object] | None] = SimpleQueue()
        self._told: OrderedDict[tuple[str, str, str], _Told] = OrderedDict()
        self._thread = Thread(target=self._write, name="kube-events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def add(self, event: Event, about: Object) -> None:
        if self._waiting.qsize() < WAITING:
            self._waiting.put((event, about))

    def close(self, seconds: float) -> None:
        self._waiting.put(None)
        self._thread.join(seconds)

    def _write(self) -> None:
        while found := self._waiting.get():
            try:
                self._tell(*found)
            except ClusterError as error:  # a namespace that is going takes none
                log.debug("an Event could not be written", extra={"cause": str(error)})
            except Exception:  # those that follow are to be written all the same
                log.exception("an Event could not be written", extra={"key": found[1].key})

    def _tell(self, event: Event, about: Object) -> None:
        same = (about.uid, event.reason, event.message)
        now = time.monotonic()
        told = self._told.get(same)
        if told and now - told.at < AGAIN:
            told.count, told.at = told.count + 1, now
            try:
                self._cluster.patch(told.path, {"count": told.count, "lastTimestamp": moment(event.at)})
                return
            except Missing:
                pass
        path = f"/api/v1/namespaces/{about.key.namespace}/events"
        made = self._cluster.request("POST", path, self._document(event, about))
        self._told[same] = _Told(f"{path}/{made['metadata']['name']}", 1, now)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    def _document(self, event: Event, about: Object) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{about.key.name}.", "namespace": about.key.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": about.key.kind,
                "name": about.key.name,
                "namespace": about.key.namespace,
                "uid": about.uid,
                "resourceVersion": about.version,
            },
            "reason": event.reason,
            "message": event.message[:LONGEST],
            "type": str(event.level),
            "source": {"component": COMPONENT, "host": self._node},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._node,
            "firstTimestamp": moment(event.at),
            "lastTimestamp": moment(event.at),
            "count": 1,
        }
