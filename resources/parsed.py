"""From a document's JSON to the resource, and to the digest of what it wants. `load.py` and the parse cache come here.

Apart from `load.py` because a start with a warm cache needs no YAML, whose import alone costs as much as a command may.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from resources import kinds
from resources.meta import Declared, Origin, Resource


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document that was in order, ready to be kept: `restore` makes the same resource of it without reading YAML."""

    number: int  # within its file, from 0
    kind: str
    digest: str
    json: bytes


def restore(parsed: Parsed, file: str, base: Path | None) -> Declared:
    """The resource of a document parsed before. Raises ValueError if it is none any more."""
    model = kinds.model_of(parsed.kind)
    if model is None:
        raise ValueError(f"cannot find the kind {parsed.kind}")
    return Declared(validated(model, parsed.json, base), Origin(file, parsed.number), parsed.digest)


def validated(model: type[Resource], written: bytes, base: Path | None) -> Resource:
    """Raises ValidationError. Strict, as a cluster is: the text "8080" is no number, and 8080 no text."""
    return model.model_validate_json(written, strict=True, context={"base": base})


def digest_of(resource: Resource) -> str:
    """Digest of the desired state: spec and labels. Order, comments and defaults that are spelled out do not count."""
    # By way of the whole: a spec by itself needs a serializer of its own, and making one takes as long as a hundred digests.
    spec = resource.model_dump(mode="json", include={"spec"}, exclude_defaults=True)["spec"]
    wanted = [spec, resource.metadata.labels]
    return blake2b(json.dumps(wanted, sort_keys=True).encode(), digest_size=16).hexdigest()
