"""The estate declared in a cluster: its wishes are objects there, applied and deleted as kubectl would.

An object that is going can't be declared again before it is gone, so what is wished is written until it stands.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from controller.sources.kube.cluster import APPLY_PATCH, Cluster, ClusterError, Json, Missing
from controller.sources.kube.objects import collection, place
from resources.meta import Key
from tests.chaos.estate import THINGS, Estate
from tests.chaos.yard import Yard
from tests.cli.story import Story

NAMESPACE = "default"
KINDS = sorted({thing.kind for thing in THINGS.values()})


class ClusterEstate(Estate):
    """The fifty as objects of one namespace, which is theirs alone."""

    def __init__(self, story: Story, yard: Yard, chance: random.Random, cluster: Cluster) -> None:
        super().__init__(story, yard, chance)
        self._cluster = cluster
        self._applied: dict[str, Json] = {}

    def write(self) -> None:
        """Raises ClusterError when the API server is away; nothing is forgotten for that."""
        self._write(self.objects())

    def wish_nothing(self) -> None:
        """Deletes all objects."""
        self.wishes = {short: replace(wish, declared=False) for short, wish in self.wishes.items()}
        self.write()

    def settled(self) -> bool:
        """Whether every wish is an object that says of its newest spec that it is Ready, and there is none beside them."""
        try:
            there = self.objects()
            self._write(there)
        except ClusterError:
            return False
        wished = {short for short, wish in self.wishes.items() if wish.declared}
        return there.keys() == wished and all(map(_is_ready, there.values()))

    def unsettled(self) -> str:
        """What is not as it should be, for whoever reads of the failure."""
        there = self.objects()
        lines = [f"{short}: not there" for short, wish in self.wishes.items() if wish.declared and short not in there]
        for short, found in there.items():
            if not (self.wishes[short].declared and _is_ready(found)):
                about = {
                    name: found["metadata"].get(name) for name in ("generation", "deletionTimestamp", "finalizers")
                }
                lines.append(f"{short}: {about} {found.get('status')}")
        return "\n".join(lines)

    def objects(self) -> dict[str, Json]:
        """All there are, by their short names."""
        return dict(self._objects())

    def _objects(self) -> Iterator[tuple[str, Json]]:
        for kind in KINDS:
            for found in self._cluster.list(collection(kind, NAMESPACE)):
                yield found["metadata"]["name"].removeprefix(self._yard.name("")), found

    def _write(self, there: dict[str, Json]) -> None:
        for short, wish in self.wishes.items():
            found = there.get(short)
            going = bool(found and found["metadata"].get("deletionTimestamp"))
            if wish.declared:
                self.ever.add(short)
                if not going:
                    self._apply(short, json.loads(self._document(THINGS[short], wish)), anew=found is None)
            elif found and not going:
                self._delete(short)

    def _apply(self, short: str, document: Json, *, anew: bool) -> None:
        if anew or self._applied.get(short) != document:
            query: dict[str, Any] = {"fieldManager": "ada", "force": "true"}
            self._cluster.request("PATCH", place(self.key(short)), document, query, content=APPLY_PATCH)
            self._applied[short] = document

    def _delete(self, short: str) -> None:
        try:
            self._cluster.request("DELETE", place(self.key(short)))
        except Missing:
            return

    def key(self, short: str) -> Key:
        return Key(THINGS[short].kind, NAMESPACE, self._yard.name(short))


def _is_ready(found: Json) -> bool:
    metadata, status = found["metadata"], found.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    return (
        not metadata.get("deletionTimestamp")
        and status.get("observedGeneration") == metadata["generation"]
        and conditions == {"Ready": "True"}
    )
