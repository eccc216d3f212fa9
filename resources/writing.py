"""Resources -> YAML text for people: what was written and no defaults, in the order in which one reads it.

`p2 import` writes with it, `p2 get -o yaml` shows with it. What it writes reads back as the same resource, by `load.py` and by
kubectl: texts that either would take for something else stand in quotes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from resources.meta import COMMON_FIELDS, Resource
from resources.scalars import resolve

_WIDTH = 100  # columns at which a long text is folded
_TEXT = "tag:yaml.org,2002:str"


def yaml_of(resources: Iterable[Resource]) -> str:
    """One document a resource, without defaults."""
    return yaml_text(document(resource) for resource in resources)


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
