"""The objects of a cluster, read and watched without kopf: what the commands with `--context` work with. Nothing here writes."""

from __future__ import annotations

import queue
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Timer
from types import TracebackType
from typing import Any, Self

from controller.sources.kube.cluster import Cluster, ClusterError, Forbidden, Missing, Refusal, Unreachable
from controller.sources.kube.objects import GROUP, Json, Object, collection, read_object
from resources import kinds

_CORE = '""'  # how a rule names the API's own group
_SETTLED = 0.05  # seconds without a change after which what has changed is handed out
_GLANCE = 5.0  # seconds after which all is handed out again, for time passes for Leases, too
_AGAIN = 1.0  # seconds until an API server that did not answer is asked again


class NoKinds(ClusterError):
    """The cluster has no CRDs of ours."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of some kinds at one moment; `absent` are kinds that the cluster does not know."""

    objects: tuple[Object, ...]
    absent: tuple[str, ...] = ()


def read_listing(cluster: Cluster, wanted: Collection[str]) -> Listing:
    """Raises NoKinds where the cluster knows none of the kinds, Forbidden with the rule that is missing."""
    found = [_collected(cluster, kind) for kind in wanted]
    return _whole(cluster, [each for each in found if each], wanted)


class Watching:
    """The objects of some kinds, and then whatever becomes of them. Used by one thread, as a context."""

    def __init__(self, cluster: Cluster, wanted: Collection[str]) -> None:
        self._cluster = cluster
        self._wanted = wanted
        self._known: dict[str, dict[tuple[str, str], Json]] = {}
        self._news: queue.SimpleQueue[tuple[str, Json | None]] = queue.SimpleQueue()
        self._streams: dict[str, Future[None]] = {}
        self._closed = False
        self.trouble = ""  # why nothing new is heard just now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for stream in self._streams.values():
            stream.cancel()

    def listings(self) -> Iterator[Listing]:
        """At once, and whenever something has changed, or might look otherwise by now. Raises as `read_listing` at first."""
        for kind in self._wanted:
            self._begin(kind)
        while True:
            yield _whole(
                self._cluster, [(kind, list(found.values())) for kind, found in self._known.items()], self._wanted
            )
            self._wait()

    def _wait(self) -> None:
        patience = _GLANCE
        while True:
            try:
                kind, event = self._news.get(timeout=patience)
            except queue.Empty:
                return
            patience = _SETTLED
            if event is None:
                self._begin_again(kind)
            else:
                self._take(kind, event)

    def _begin(self, kind: str) -> None:
        try:
            found, version = self._cluster.list_at(collection(kind))
        except Missing:
            return
        except Forbidden as error:
            raise _not_allowed(kind, error) from error
        self._known[kind] = {_identity(each): each for each in found}
        stream = self._cluster.follow(collection(kind), version, lambda event: self._news.put((kind, event)))
        self._streams[kind] = stream
        stream.add_done_callback(partial(self._ended, kind))

    def _ended(self, kind: str, stream: Future[None]) -> None:
        if not self._closed:
            self._news.put((kind, None))

    def _begin_again(self, kind: str) -> None:
        try:
            self._begin(kind)
            self.trouble = ""
        except Unreachable as error:
            self.trouble = str(error)
            self._retry(kind)

    def _retry(self, kind: str) -> None:
        timer = Timer(_AGAIN, self._news.put, [(kind, None)])
        timer.daemon = True
        timer.start()

    def _take(self, kind: str, event: Json) -> None:
        changed = event.get("object") or {}
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                self._known[kind][_identity(changed)] = changed
            case "DELETED":
                self._known[kind].pop(_identity(changed), None)
            case "ERROR":  # what was left off is too old by now (410): the stream ends, and all is listed again
                self._streams[kind].cancel()
            case _:
                pass  # a bookmark


def _collected(cluster: Cluster, kind: str) -> tuple[str, list[Json]] | None:
    try:
        return kind, list(cluster.list(collection(kind)))
    except Missing:
        return None
    except Forbidden as error:
        raise _not_allowed(kind, error) from error


def _whole(cluster: Cluster, found: Collection[tuple[str, list[Json]]], wanted: Collection[str]) -> Listing:
    known = {kind for kind, _ in found}
    if not known:
        raise NoKinds(
            f"cannot find {', '.join(sorted(wanted))} at {cluster.server}: this cluster has no CRDs of Pegasus2; "
            "install them with: p2 operator manifest | kubectl apply -f -"
        )
    objects = (read_object({"kind": kind, **body}) for kind, bodies in found for body in bodies)
    return Listing(tuple(sorted(objects, key=lambda each: each.key)), tuple(sorted(set(wanted) - known)))


def _not_allowed(kind: str, error: Refusal) -> Forbidden:
    model = kinds.model_of(kind)
    return not_allowed(error, model.about.plural if model else kind.lower())


def not_allowed(error: Refusal, resources: str = '"*"', group: str = GROUP) -> Forbidden:
    """The refusal with the rule that would allow it."""
    rule = f"{{apiGroups: [{group or _CORE}], resources: [{resources}], verbs: [get, list, watch]}}"
    return Forbidden(
        f"{error}; what is missing is a ClusterRole with the rule {rule}, bound to this user",
        error.status,
        error.reason,
    )


def _identity(body: Mapping[str, Any]) -> tuple[str, str]:
    metadata = body.get("metadata") or {}
    return metadata.get("namespace") or "", metadata.get("name") or ""
