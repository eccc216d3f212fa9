"""Whether the definition of a kind is itself being deleted, and with it all objects of the kind. `source.py` asks.

Who deletes a CustomResourceDefinition to install another one deletes no containers and no files: their objects go, they stay.
"""

from __future__ import annotations

import logging
import time

from controller.sources.kube.cluster import Cluster, ClusterError
from controller.sources.kube.objects import GROUP
from resources import kinds

log = logging.getLogger(__name__)

FRESH = 1.0  # seconds that an answer counts: objects go by the hundred

_ALL = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Leaving:
    """Used by one thread at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[str, tuple[float, bool]] = {}  # with monotonic seconds

    def leaving(self, kind: str) -> bool:
        """Also when there is none any more. Where nobody may look, a deletion is taken for an order."""
        at, leaves = self._known.get(kind, (float("-inf"), False))
        if time.monotonic() - at < FRESH:
            return leaves
        leaves = self._look(kind)
        self._known[kind] = time.monotonic(), leaves
        if leaves:
            log.warning(
                "the definition of a kind is being deleted: its objects go, and what was made of them stays",
                extra={"kind": kind},
            )
        return leaves

    def _look(self, kind: str) -> bool:
        model = kinds.model_of(kind)
        assert model is not None, kind
        try:
            found = self._cluster.find(f"{_ALL}/{model.about.plural}.{GROUP}")
        except ClusterError as error:
            log.warning("a definition could not be looked at", extra={"kind": kind, "cause": str(error)})
            return False
        return found is None or bool(found["metadata"].get("deletionTimestamp"))
