"""Sample keys and records for the tests of the store."""

from __future__ import annotations

from controller.engine.stores import Record
from resources.meta import Key


def key(name: str) -> Key:
    return Key("File", "default", name)


def record(name: str, source: str = "/srv/state", generation: int = 1) -> Record:
    return Record(key(name), source, generation, "digest", "handle", '{"kind": "File"}', f"{source}/{name}.yaml")
