"""The CRDs of this program, and how those that a cluster has compare with them. Pure; the manifest and `preflight.py` call it.

They are compared keyword by keyword: the API server keeps them in a way of its own, and others can have changed them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from controller import __version__
from controller.sources.kube.objects import GROUP, Json
from resources.crd import definitions as generated
from resources.meta import API_VERSION

VERSION = f"{GROUP}/version"  # annotation of a CRD: version of the program that wrote it

_WORDS = frozenset({"description", "title", "example"})  # of a schema; they change nothing


class Standing(StrEnum):
    """How the CRD of a cluster compares with that of this program."""

    SAME = "same"
    OLDER = "older"
    NEWER = "newer"
    DIFFERENT = "different"  # each has what the other lacks


def definitions() -> Sequence[Json]:
    """The CRDs of all kinds and of Machine, each with our version in its annotations."""
    return tuple(map(signed, generated()))


def signed(definition: Json) -> Json:
    """The CRD with the version of this program."""
    metadata = definition["metadata"]
    return {
        **definition,
        "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), VERSION: __version__}},
    }


def version_of(definition: Json) -> str:
    """Of the program that wrote it; empty when it does not say."""
    return str((definition["metadata"].get("annotations") or {}).get(VERSION, ""))


def compare(ours: Json, served: Json) -> Standing:
    """`served` as the API server has it. What it says of its version only counts where the schemas leave it open."""
    here, there = set(_keywords(ours)), set(_keywords(served))
    match bool(here - there), bool(there - here):
        case False, False:
            return Standing.SAME
        case True, False:
            return Standing.OLDER
        case False, True:
            return Standing.NEWER
    return _by_version(version_of(served))


def _by_version(theirs: str) -> Standing:
    """Of one that has other things, not just more or fewer."""
    own, other = _numbers(__version__), _numbers(theirs)
    if not other or own == other:
        return Standing.DIFFERENT
    return Standing.NEWER if other > own else Standing.OLDER


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def _keywords(definition: Json) -> Iterator[tuple[str, str, str]]:
    """(path, keyword, value) of everything that the schema of our version says."""
    version = API_VERSION.partition("/")[2]
    for each in definition["spec"].get("versions", ()):
        if each["name"] == version and each.get("served"):
            yield from _walk("", each.get("schema", {}).get("openAPIV3Schema", {}))


def _walk(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for keyword, value in schema.items():
        if keyword in _WORDS or value in ({}, []):
            continue
        if keyword == "properties":
            for name, below in value.items():
                yield f"{path}.{name}", "property", ""
                yield from _walk(f"{path}.{name}", below)
        elif isinstance(value, dict) and keyword in ("items", "additionalProperties", "not"):
            yield from _walk(f"{path}[{keyword}]", value)
        elif isinstance(value, list):
            yield from ((path, keyword, _canonical(_silent(part))) for part in value)
        else:
            yield path, keyword, _canonical(value)


def _silent(part: Any) -> Any:
    """A validation rule without what it says when it is broken."""
    return {name: what for name, what in part.items() if name != "message"} if isinstance(part, dict) else part


def _canonical(value: Any) -> str:
    """Text that is equal for equal values; 1.0 is 1."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return json.dumps(whole, sort_keys=True)
