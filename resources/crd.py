"""The kinds as CustomResourceDefinitions (apiextensions.k8s.io/v1). `p2 crds` prints them, the operator's manifest has them.

They come from the models, as all checking does; what of it an API server can check stands in their schemas, as rules in CEL
beside the validators (`rules.py`). The files in crds/ are made by

    python -m resources.crd crds

and a test fails when they are not what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from resources import kinds
from resources.machine import MachineStatus
from resources.meta import API_VERSION, COMMON_FIELDS, Metadata, Resource
from resources.reported import ObjectStatus
from resources.rules import KEYWORD, said_by_a_rule
from resources.schema import model_of

Schema = dict[str, Any]

GROUP, _, VERSION = API_VERSION.partition("/")
CATEGORY = "pegasus2"


def definitions() -> tuple[Schema, ...]:
    """The CustomResourceDefinitions of all known kinds and of Machine."""
    return (*(definition(model_of(name)) for name in kinds.names()), machines())


def definition(model: type[Resource]) -> Schema:
    """The CustomResourceDefinition of one kind."""
    about = model.about
    schema = structural(model)
    spec, rules = schema["properties"]["spec"], schema.get(KEYWORD, [])
    if _can_be_empty(model):  # else a second `kubectl apply --server-side` of `spec: {}` fails: it becomes null
        spec["default"] = {}
    if model.expands:
        _leave_open(spec)
    first = [
        _column(heading, f".{path}", priority=0 if at < 2 else 1) for at, (heading, path) in enumerate(about.columns)
    ]
    columns = [*_READY, *first, *_NODE, _AGE]
    root = _root(model.__doc__ or "", spec, _status(ObjectStatus), [_LABEL_RULE, *rules])
    return _crd(model.__name__, about.plural, about.short, "Namespaced", root, columns)


def _can_be_empty(model: type[Resource]) -> bool:
    spec = model.model_fields["spec"].annotation
    assert spec is not None
    try:
        spec()
    except ValidationError:
        return False
    return True


def _leave_open(spec: Schema) -> None:
    """No defaults for what it hands on to those that it stands for: an API server would write them into the object, and they
    would win over those of other kinds, such as that of volumes to be retained.
    """
    for name in COMMON_FIELDS:
        spec["properties"][name].pop("default", None)


def machines() -> Schema:
    """The CustomResourceDefinition of Machine, which operators keep and nobody declares."""
    nothing = {"type": "object", "description": "Nothing: a machine reports, and wants nothing."}
    root = _root(
        "A machine whose operator works on the resources that are for it.",
        nothing,
        _status(MachineStatus),
        [_LABEL_RULE],
    )
    del root["required"]
    columns = [
        _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        _column("Agents", ".status.summary.agents"),
        _column("Version", ".status.version"),
        _column("CPUs", ".status.capacity.cpus", type_="integer"),
        _column("Memory", ".status.capacity.memory"),
        _column("Resources", ".status.summary.resources"),
        _column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
        _column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
        _column("System", ".status.system.os", priority=1),
        _AGE,
    ]
    return _crd("Machine", "machines", ("pm",), "Cluster", root, columns)


def _crd(kind: str, plural: str, short: Iterable[str], scope: str, root: Schema, columns: list[Schema]) -> Schema:
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": list(short),
        "categories": [CATEGORY],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": root},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": CATEGORY}},
        "spec": {
            "group": GROUP,
            "names": {name: value for name, value in names.items() if value},
            "scope": scope,
            "versions": [version],
        },
    }


def _root(description: str, spec: Schema, status: Schema, rules: list[Schema]) -> Schema:
    name = Metadata.model_fields["name"].description
    return {
        "type": "object",
        "description": _folded(description),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"Version of the format: {API_VERSION}."},
            "kind": {"type": "string", "description": "What is declared."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "description": name}}},
            "spec": spec,
            "status": status,
        },
        KEYWORD: rules,
    }


def _status(model: type[BaseModel]) -> Schema:
    """Without defaults: what an operator has not said, nobody says."""
    schema = structural(model)
    _drop_defaults(schema)
    return schema


def _drop_defaults(schema: Schema) -> None:
    schema.pop("default", None)
    for below in (*schema.get("properties", {}).values(), *filter(None, (schema.get("items"),))):
        _drop_defaults(below)


# Kubernetes takes DNS subdomains for names; with us a name is a DNS label, because it is one in the world, too.
_LABEL_RULE = {
    "rule": "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "message": "cannot use this metadata.name: use lower-case letters, digits and hyphens, a letter or digit at both "
    "ends, at most 63 characters",
    "fieldPath": ".metadata.name",
}


# -- columns of kubectl get ----------------------------------------------------------------------------------------


def _column(name: str, path: str, *, type_: str = "string", priority: int = 0) -> Schema:
    column: Schema = {"name": name, "type": type_, "jsonPath": path}
    return {**column, "priority": priority} if priority else column


_READY = (
    _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    _column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
)
_NODE = (
    _column("Node", ".status.node", priority=1),
    _column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1),
)
_AGE = _column("Age", ".metadata.creationTimestamp", type_="date")


# -- structural schemas --------------------------------------------------------------------------------------------


def structural(model: type[BaseModel]) -> Schema:
    """The schema of a model as an API server takes it: one type a field, no references. Raises ValueError."""
    schema = model.model_json_schema(schema_generator=GenerateJsonSchema)
    return _structural(schema, schema.get("$defs", {}), model.__name__)


# What means the same there, and is taken over as it is.
_SAME = (
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
# Formats that an API server checks as we mean them; "duration" is something else there.
_FORMATS = ("date-time", "int32", "int64")


def _structural(schema: Schema, defs: Mapping[str, Schema], at: str) -> Schema:
    schema, nullable = _flat(schema, defs, at)
    found: Schema = {}
    if text := schema.get("description"):
        found["description"] = _folded(text)
    if schema.get("format") in _FORMATS:
        found["format"] = schema["format"]
    if "const" in schema:
        schema = {**schema, "enum": [schema["const"]]}
    if nullable:
        found["nullable"] = True
    if "[]" not in at and schema.get("default") not in (None, [], {}):
        # Within a list it would make kubectl apply find a difference every time: it compares lists as a whole.
        found["default"] = schema["default"]
    found |= {name: schema[name] for name in _SAME if name in schema}
    for word, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if word in schema:
            found |= {limit: schema[word], word: True}
    if "enum" in found:
        # Null is never one of the values there. Of a field that must not be null it is taken for nothing, as it is meant.
        found.pop("nullable", None)
    if rules := schema.get(KEYWORD):
        found[KEYWORD] = rules
        if "pattern" in found and said_by_a_rule(found["pattern"], rules):
            del found["pattern"]  # the rule says in words what to write
    return {**_typed(schema, defs, at), **found}


def _typed(schema: Schema, defs: Mapping[str, Schema], at: str) -> Schema:
    """The type, and what lies below it."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"x-kubernetes-int-or-string": True}
    kind = schema.get("type")
    if kind is None:
        return {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
    if kind == "array":
        return {"type": kind, "items": _structural(schema.get("items", {}), defs, f"{at}[]")}
    if kind != "object":
        return {"type": kind}
    below = schema.get("additionalProperties")
    if isinstance(below, dict):
        return {"type": kind, "additionalProperties": _structural(below, defs, f"{at}{{}}")}
    if below is True or "properties" not in schema:
        return {"type": kind, "x-kubernetes-preserve-unknown-fields": True}
    found: Schema = {"type": kind}
    if required := schema.get("required"):
        found["required"] = required
    properties = schema["properties"].items()
    return {**found, "properties": {name: _structural(each, defs, f"{at}.{name}") for name, each in properties}}


def _flat(schema: Schema, defs: Mapping[str, Schema], at: str) -> tuple[Schema, bool]:
    """Without references and unions, and whether it may be null. What stands further out wins; rules add up."""
    nullable = False
    while "$ref" in schema or "anyOf" in schema:
        outer = {name: value for name, value in schema.items() if name not in ("$ref", "anyOf")}
        if "$ref" in schema:
            inner = defs[schema["$ref"].rpartition("/")[2]]
        else:
            choices = [each for each in schema["anyOf"] if each.get("type") != "null"]
            nullable = nullable or len(choices) < len(schema["anyOf"])
            inner = _one_of(choices, at)
        rules = [*inner.get(KEYWORD, ()), *outer.get(KEYWORD, ())]
        schema = {**inner, **outer, **({KEYWORD: rules} if rules else {})}
    return schema, nullable


def _one_of(choices: list[Schema], at: str) -> Schema:
    if len(choices) == 1:
        return choices[0]
    if sorted(str(each.get("type")) for each in choices) == ["integer", "string"]:
        return {"x-kubernetes-int-or-string": True}
    raise ValueError(f"cannot write a schema for {at}: an API server knows one type a field; give it one")


def _folded(text: str) -> str:
    return " ".join(text.split())


# -- as text -------------------------------------------------------------------------------------------------------


def as_yaml(documents: Iterable[Schema]) -> str:
    """The definitions as YAML documents, each with its `---`."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    written: str = yaml.dump_all(
        documents, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120, explicit_start=True
    )
    return written


def files(known: Iterable[Schema]) -> dict[str, str]:
    """The definitions by the names of their files: one file a kind, called after its plural."""
    return {f"{each['spec']['names']['plural']}.yaml": as_yaml([each]) for each in known}


def built_in() -> tuple[Schema, ...]:
    """What crds/ has: the kinds that come with the program, whatever else is installed here."""
    return (*(definition(model_of(name)) for name in sorted(kinds.built_in())), machines())


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files(built_in()).items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main()
