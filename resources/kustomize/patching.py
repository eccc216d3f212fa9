"""`patches:` of a kustomization, and their two older spellings. `resolving.py` calls it with the texts of the patches.

A text that is a list is a JSON patch, any other a strategic merge patch; that one needs no target, for it says itself what it
is for. A patch that is for nothing is an error, also where kubectl passes over it in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import from_json, to_json

from resources.kustomize import json_patch
from resources.kustomize.items import Id, Item, Place, id_of, lacking
from resources.kustomize.kustomization import Target
from resources.kustomize.scripts import Script, Unresolvable, dotted
from resources.kustomize.selecting import CannotSelect, selected
from resources.kustomize.strategic import CannotPatch, Merge
from resources.meta import Problem
from resources.values import Document


@dataclass(frozen=True, slots=True)
class Patch:
    """`place` is that of its entry in the kustomization, to be blamed for what the text itself is not."""

    text: Script
    target: Target | None
    place: Place


def patch(items: list[Item], entry: Patch) -> list[Item]:
    """The items after the patch, which are changed in place; what it deletes is left out. Raises Unresolvable."""
    documents = entry.text.documents
    if not documents:
        raise Unresolvable(_blamed(entry, "cannot use an empty patch: write what is to be changed, or remove it"))
    if isinstance(documents[0].content, list) and len(documents) == 1:
        if entry.target is None:
            raise Unresolvable(_blamed(entry, "cannot tell what this JSON patch is for: add a target"))
        for item in _targets(items, entry, entry.target):
            _apply_operations(item, entry.text, documents[0])
        return items
    if entry.target is not None and len(documents) > 1:
        raise Unresolvable(_blamed(entry, "cannot use several patches with one target: give each an entry of its own"))
    for document in documents:
        if reason := lacking(document.content):
            raise Unresolvable(entry.text.problem(reason, document.line, ()))
        found = _targets(items, entry, entry.target) if entry.target else [_named(items, entry.text, document)]
        gone = [item for item in found if not _merge(item, entry.text, document)]
        items = [item for item in items if not any(item is each for each in gone)]
    return items


def _targets(items: list[Item], entry: Patch, target: Target) -> list[Item]:
    try:
        found = selected(items, target)
    except CannotSelect as error:
        raise Unresolvable(_blamed(entry, str(error), "target", error.field)) from None
    if not found:
        raise Unresolvable(
            _blamed(entry, f"cannot patch anything: no resource fits this target{_known(items)}", "target")
        )
    return found


def _named(items: list[Item], text: Script, document: Document) -> Item:
    wanted = id_of(document.content)
    found = [item for item in items if wanted in item.ids]
    if len(found) == 1:
        return found[0]
    if found:
        reason = (
            f"cannot tell which {wanted.shown} is meant: {' and '.join(item.id.shown for item in found)} were called so"
        )
    else:
        reason = (
            f"cannot patch {wanted.shown}: no resource here is called so{_left(text, wanted)}{_near(items, wanted)}"
        )
    raise Unresolvable(text.problem(reason, document.line, ("metadata", "name"), "metadata.name"))


def _left(text: Script, wanted: Id) -> str:
    """What to do about a document of ours, which nobody has seen being written."""
    from resources.kustomize.deployed import of_deployments  # which reads kustomizations itself

    if not of_deployments(text.file, wanted):
        return ""
    return (
        "; p2 deploy wrote this for a resource that has left: remove this document (with the last one the file, and its entry "
        "under patches), or give it the resource's new name"
    )


def _near(items: list[Item], wanted: Id) -> str:
    for item in items:
        if (item.id.kind, item.id.name) == (wanted.kind, wanted.name):
            what = "apiVersion" if item.id.version != wanted.version else "namespace"
            value = item.id.version if item.id.version != wanted.version else item.id.namespace
            return f'; did you mean the one with {what} "{value}"?'
    return _known(items)


def _known(items: list[Item]) -> str:
    names = sorted(item.id.shown for item in items)
    return (
        f"; there is {', '.join(names[:8])}{' and more' if len(names) > 8 else ''}"
        if names
        else "; there is none at all"
    )


def _merge(item: Item, text: Script, document: Document) -> bool:
    """False: the patch deletes it."""
    merge, old, content = Merge(), item.id, item.content
    try:
        merged = merge.apply(content, from_json(to_json(document.content)))  # it may be applied to several
    except CannotPatch as error:
        raise Unresolvable(
            text.problem(f"{error} in {item.id.shown}", document.line, error.path, dotted(error.path), name=True)
        ) from None
    if merged is None:
        return False
    _keep_identity(merged, old, content)
    item.content = merged
    for path in merge.written:
        item.mark(path, Place(text, document.line, path))
    if reason := lacking(merged):
        raise Unresolvable(text.problem(f"{reason}: {old.shown} has none after this patch", document.line, ()))
    return True


def _keep_identity(merged: dict[str, object], old: Id, content: dict[str, object]) -> None:
    """What a thing is, and is called, is no matter of a patch's."""
    metadata, before = merged.get("metadata"), content["metadata"]
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    assert isinstance(before, dict)
    metadata["name"] = before["name"]
    metadata.pop("namespace", None)
    if "namespace" in before:
        metadata["namespace"] = before["namespace"]
    merged["metadata"], merged["kind"] = metadata, old.kind
    if "apiVersion" in content:
        merged["apiVersion"] = content["apiVersion"]


def _apply_operations(item: Item, text: Script, document: Document) -> None:
    old = item.id
    try:
        content, written = json_patch.applied(item.content, document.content)
    except CannotPatch as error:
        raise Unresolvable(
            text.problem(f"{error} in {old.shown}", document.line, error.path, dotted(error.path))
        ) from None
    if reason := lacking(content):
        raise Unresolvable(text.problem(f"{reason}: {old.shown} has none after this patch", document.line, ()))
    item.content = content
    for path, number in written:
        item.mark(path, Place(text, document.line, (number, "value")))
    if item.id != old:
        item.before.append(old)


def _blamed(entry: Patch, message: str, *below: str) -> Problem:
    path = (*entry.place.path, *below)
    return entry.place.script.problem(message, entry.place.document, path, dotted(path), name=True)
