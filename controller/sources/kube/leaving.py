"""Whether the definition of a kind is itself being deleted, and with it all objects of the kind. `source.py` asks.

Who deletes a CustomResourceDefinition to install another one deletes no containers and no files: their objects go, they stay.
"""

from __future__ import annotations

import logging
import time

from controller.sources.kube.cluster import Cluster, ClusterError
from controller.sources.kube.objects import GROUP, Object
from resources import kinds

log = logging.getLogger(__name__)

_ALL = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


_NEVER = "~"  # later than all moments, as the API server writes them


class Leaving:
    """Used by one thread at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[
            str, tuple[float, str]
        ] = {}  # monotonic seconds, and since when the definition of a kind is there

    def leaving(self, found: Object, at: float) -> bool:
        """Also when there is none any more, or another than `found` was made by. Where nobody may look, a deletion is an order.

        `at`: monotonic seconds, since when the deletion is known. An older look, from before it, says nothing.
        """
        kind = found.key.kind
        looked, since = self._known.get(kind, (float("-inf"), ""))
        if looked < at:
            since = self._look(kind)
            self._known[kind] = time.monotonic(), since
            if since == _NEVER:
                log.warning(
                    "the definition of a kind is being deleted: its objects go, and what was made of them stays",
                    extra={"kind": kind},
                )
        return found.created < since

    def _look(self, kind: str) -> str:
        model = kinds.model_of(kind)
        assert model is not None, kind
        try:
            body = self._cluster.find(f"{_ALL}/{model.about.plural}.{GROUP}")
        except ClusterError as error:
            log.warning("a definition could not be looked at", extra={"kind": kind, "cause": str(error)})
            return ""
        metadata = body["metadata"] if body else {"deletionTimestamp": "by now"}
        return _NEVER if metadata.get("deletionTimestamp") else str(metadata.get("creationTimestamp") or "")
