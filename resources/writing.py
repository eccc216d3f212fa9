"""Resources -> YAML text for people: what was written and no defaults, in the order in which one reads it.

`p2 import` writes with it, `p2 get -o yaml` shows with it. What it writes reads back as the same resource, by `load.py` and by
kubectl: texts that either would take for something else stand in quotes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.meta import COMMON_FIELDS, Resource
from resources.scalars import resolve

_WIDTH = 100  # columns at which a long text is folded
_TEXT = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Beside:
    """Where the text is to be kept. It is below `root`, and paths to what is so, too, are written as they are seen from there."""

    directory: Path
    root: Path


def yaml_of(resources: Iterable[Resource], beside: Beside | None = None) -> str:
    """One document a resource, without defaults."""
    documents = (document(resource) if beside is None else _seen_from(resource, beside) for resource in resources)
    return yaml_text(documents)


def document(resource: Resource) -> dict[str, Any]:
    """A resource as plain values, less what is a default anyway. The kind's own fields come before the common ones."""
    spec = resource.spec.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    ordered = sorted(spec, key=lambda name: name in COMMON_FIELDS)
    return {
        "apiVersion": resource.apiVersion,
        "kind": resource.kind,
        "metadata": resource.metadata.model_dump(mode="json", exclude_defaults=True),
        "spec": {name: spec[name] for name in ordered},
    }


def _seen_from(resource: Resource, beside: Beside) -> dict[str, Any]:
    """The document, each absolute path in it relative to where it is kept, if it then says the same."""
    found = document(resource)
    if not beside.directory.is_relative_to(beside.root):
        return found
    for holder, name in list(_texts(found["spec"])):
        written = holder[name]
        if not Path(written).is_absolute() or not Path(written).is_relative_to(beside.root):
            continue
        holder[name] = os.path.relpath(written, beside.directory)
        if not _says(found, resource, beside.directory):
            holder[name] = written
    return found


def _says(written: dict[str, Any], resource: Resource, directory: Path) -> bool:
    """Whether a document in this directory says what `resource` does."""
    try:
        found = type(resource).model_validate(written, context={"base": directory})
    except ValueError:
        return False
    return found == resource


def _texts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each text in `value`, as what holds it and where."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        if isinstance(inner, str):
            yield value, name
        else:
            yield from _texts(inner)


def yaml_text(documents: Iterable[Any]) -> str:
    """Documents as YAML for people: in the given order, texts of several lines as blocks."""
    import yaml  # takes longer than many a command that shows no YAML

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, content: str) -> yaml.ScalarNode:
        style = "|" if "\n" in content else '"' if resolve(content) != content else None
        return dumper.represent_scalar(_TEXT, content, style=style)

    Dumper.add_representer(str, text)
    plain = json.loads(json.dumps(list(documents), default=str))
    found: str = yaml.dump_all(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return found
