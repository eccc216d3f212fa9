"""The objects of the cluster that are this machine's, as they were seen last. `source.py` keeps it, `publishing.py` reads it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from threading import Lock

from controller.sources.kube.objects import Object
from resources.meta import Key


@dataclass(frozen=True, slots=True)
class Taken:
    """One object that this machine works on."""

    object: Object
    digest: str = ""  # of the desired state that it declares; empty of one that is deleted or can't be used
    problem: str = ""  # why it can't be used


class Catalogue:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: dict[Key, Taken] = {}

    def find(self, key: Key) -> Taken | None:
        return self._taken.get(key)

    def keys(self) -> Collection[Key]:
        with self._lock:
            return list(self._taken)

    def put(self, taken: Taken) -> None:
        """Takes in what the watch has seen, unless a later moment of the same object is known already."""
        with self._lock:
            known = self._taken.get(taken.object.key)
            later = known and known.object.uid == taken.object.uid and _is_later(known.object, taken.object)
            self._taken[taken.object.key] = replace(taken, object=known.object) if known and later else taken

    def wrote(self, found: Object) -> None:
        """Takes in what came of a write of ours. What it declares is the watch's to say."""
        with self._lock:
            known = self._taken.get(found.key)
            if known and known.object.uid == found.uid and known.object.generation == found.generation:
                self._taken[found.key] = replace(known, object=found)

    def drop(self, key: Key) -> None:
        with self._lock:
            self._taken.pop(key, None)


def _is_later(one: Object, other: Object) -> bool:
    """Versions of one object can be compared as numbers: https://kep.k8s.io/5504, and long before in practice."""
    if not (one.version.isdecimal() and other.version.isdecimal()):
        return False
    return int(one.version) > int(other.version)
