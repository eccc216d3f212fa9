"""What earlier runs have left behind that the index needs: how far generations were counted, and last good declarations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from controller.engine.ledger import applied
from controller.engine.stores import Stores
from controller.sources.tree import KUSTOMIZATIONS
from resources.meta import Declared, Key, Origin


class Generations:
    """Counts generations on from what earlier runs have kept."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def __call__(self, key: Key, digest: str) -> int:
        record, status = self._stores.inventory.find(key), self._stores.statuses.find(key)
        counted = []
        # What was given up counts, though what was Ready before it is what was applied last.
        if record:
            counted.append((record.given_up or record.digest, record.generation))
        # An edit that changed nothing in the world (suspend, and resume again) is known by its status alone.
        if status:
            counted.append((status.digest, status.generation))
        same = [generation for known, generation in counted if known == digest]
        return max(same) if same else max((generation for _, generation in counted), default=0) + 1


class Recall:
    """The last good declarations of a file that can't be used now, as the inventory has them; of a kustomization: all of them."""

    def __init__(self, stores: Stores, source: str) -> None:
        self._stores = stores
        self._source = source

    def __call__(self, file: str) -> Sequence[Declared]:
        recalled = []
        everything = str(Path(file).parent) == self._source and Path(file).name in KUSTOMIZATIONS
        for record in self._stores.inventory.records(self._source).values():
            if (everything or record.file == file) and (resource := applied(record)):
                recalled.append(Declared(resource, Origin(file), record.digest, record.owner))
        return recalled
