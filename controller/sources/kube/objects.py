"""Custom resources as the API server has them: where they are, and what of them the loop needs. Pure.

`source.py` makes revisions of them, `publishing.py` writes their statuses, the commands with `--context` show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from resources import kinds
from resources.meta import API_VERSION, Declared, DeletionPolicy, Key, Origin, Problem
from resources.parsed import digest_of, validated
from resources.wording import spec_mistakes

Json = dict[str, Any]

GROUP = API_VERSION.partition("/")[0]
FINALIZER = "pegasus2.dev/finalizer"
# What the API server and other writers put into metadata, and a file does not have.
_OUR_METADATA = ("name", "namespace", "labels", "annotations")


def collection(kind: str, namespace: str = "") -> str:
    """The path of all objects of a kind, of one namespace or of all."""
    model = kinds.model_of(kind)
    assert model is not None, kind
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{API_VERSION}{within}/{model.about.plural}"


def place(key: Key, sub: str = "") -> str:
    """The path of one object, or of its subresource `sub` ("status")."""
    return f"{collection(key.kind, key.namespace)}/{key.name}{f'/{sub}' if sub else ''}"


@dataclass(frozen=True, slots=True)
class Object:
    """One custom resource at one moment."""

    key: Key
    uid: str
    version: str  # resourceVersion
    generation: int
    deleting: bool  # kubectl delete was called; it goes when its finalizers are gone
    finalizers: tuple[str, ...]
    created: str  # as the API server writes moments, which sort like texts
    node: str  # spec.node; empty when it has none
    retains: bool  # spec.deletionPolicy says Retain
    body: Json

    @property
    def status(self) -> Mapping[str, Any]:
        found = self.body.get("status")
        return found if isinstance(found, dict) else {}

    @property
    def held(self) -> bool:
        """Whether our finalizer keeps it from going."""
        return FINALIZER in self.finalizers

    @property
    def file(self) -> str:
        """What stands for it where a file is named."""
        return f"kubernetes:{self.key}"

    @property
    def policy(self) -> DeletionPolicy:
        return DeletionPolicy.RETAIN if self.retains else DeletionPolicy.DELETE


def read_object(body: Json) -> Object:
    """Takes apart what the API server has sent. Who wrote which field, half of it, is left out: nothing here asks for that."""
    metadata = {name: value for name, value in (body.get("metadata") or {}).items() if name != "managedFields"}
    body = {**body, "metadata": metadata}
    spec = body.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    return Object(
        key=Key(body["kind"], metadata.get("namespace") or "", metadata["name"]),
        uid=metadata.get("uid", ""),
        version=metadata.get("resourceVersion", ""),
        generation=metadata.get("generation", 0),
        deleting=bool(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        created=metadata.get("creationTimestamp") or "",
        node=str(spec.get("node") or ""),
        retains=spec.get("deletionPolicy") == DeletionPolicy.RETAIN,
        body=body,
    )


def manifest(found: Object) -> Json:
    """The object as a file would declare it."""
    metadata = found.body.get("metadata", {})
    ours = {name: metadata[name] for name in _OUR_METADATA if name in metadata}
    return {
        "apiVersion": API_VERSION,
        "kind": found.key.kind,
        "metadata": ours,
        "spec": found.body.get("spec") or {},
    }


def declared(found: Object) -> Declared | tuple[Problem, ...]:
    """The resource, or why it can't be used: what an older or newer CRD let through."""
    model = kinds.model_of(found.key.kind)
    if model is None:
        return (Problem(found.file, f"unknown kind {found.key.kind}", key=found.key),)
    document = manifest(found)
    try:
        resource = validated(model, to_json(document), None)
    except ValidationError as error:
        mistakes = spec_mistakes(error, model, document)
        return tuple(Problem(found.file, each.message, field=each.field, key=found.key) for each in mistakes)
    return Declared(resource, Origin(found.file), digest_of(resource))
