"""Which objects the `target` of a patch means. `patching.py` asks.

Patterns are for the whole of a name, and are asked of its first name as well as of its present one, as Kustomize does;
selectors are written as for `kubectl get --selector`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from resources.kustomize.items import Item
from resources.kustomize.kustomization import Target

Labels = Mapping[str, str]

_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_EXISTS = re.compile(rf"\s*(!?)\s*({_NAME})\s*")
_EQUAL = re.compile(rf"\s*({_NAME})\s*(==|=|!=)\s*({_NAME})?\s*")
_AMONG = re.compile(rf"\s*({_NAME})\s+(in|notin)\s*\(([^()]*)\)\s*")


class CannotSelect(Exception):
    """Why, and which field of the target is wrong."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def selected(items: list[Item], target: Target) -> list[Item]:
    """Raises CannotSelect."""
    patterns = {
        field: _pattern(text, field)
        for field in ("group", "version", "kind", "name", "namespace")
        if (text := getattr(target, field))
    }
    labels = _selector(target.labelSelector or "", "labelSelector")
    annotations = _selector(target.annotationSelector or "", "annotationSelector")
    found = []
    for item in items:
        metadata = item.content["metadata"]
        if (
            all(any(pattern.fullmatch(text) for text in _asked(item, field)) for field, pattern in patterns.items())
            and labels(metadata.get("labels") or {})
            and annotations(metadata.get("annotations") or {})
        ):
            found.append(item)
    return found


def _pattern(text: str, field: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise CannotSelect(f'cannot read the pattern "{text}": {error}', field) from None


def _asked(item: Item, field: str) -> tuple[str, ...]:
    first, now = item.ids[0], item.id
    group, _, version = now.version.rpartition("/")
    match field:
        case "group":
            return (group,)
        case "version":
            return (version,)
        case "kind":
            return (now.kind,)
        case "name":
            return first.name, now.name
    return first.namespace, now.namespace


def _selector(text: str, field: str) -> Callable[[Labels], bool]:
    wanted = [_requirement(part, text, field) for part in _parts(text)]
    return lambda labels: all(each(labels) for each in wanted)


def _parts(text: str) -> list[str]:
    """At the commas that stand in no parentheses."""
    return re.split(r",(?![^()]*\))", text) if text.strip() else []


def _requirement(part: str, text: str, field: str) -> Callable[[Labels], bool]:
    if found := _EXISTS.fullmatch(part):
        negated, name = bool(found[1]), found[2]
        return lambda labels: (name in labels) != negated
    if found := _EQUAL.fullmatch(part):
        name, negated, value = found[1], found[3] == "!=", found[4] or ""
        return lambda labels: (labels.get(name) == value) != negated
    if found := _AMONG.fullmatch(part):
        name, negated, among = found[1], found[3] == "notin", [each.strip() for each in found[4].split(",")]
        return lambda labels: (labels.get(name) in among) != negated
    raise CannotSelect(
        f'cannot read the selector "{text}": write it like app=web,tier!=db,env in (a, b),!legacy', field
    )
