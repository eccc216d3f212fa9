"""The kinds as JSON Schema for editors, and explained for people. `p2 schema`, `p2 explain` and `pages.py` call it.

Both come from the models, as does all checking: what is explained here is what is checked.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from resources import kinds
from resources.meta import API_VERSION, Resource
from resources.wording import nearest

Schema = dict[str, Any]


def editor_schema() -> Schema:
    """A JSON Schema (draft 7, which YAML language servers read) of any document of any kind."""
    models = [model_of(name) for name in kinds.names()]
    references, generated = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/definitions/{model}", schema_generator=_Untitled
    )
    by_kind = [
        {
            "if": {"type": "object", "properties": {"kind": {"const": model.__name__}}, "required": ["kind"]},
            "then": references[model, "validation"],
        }
        for model in models
    ]
    for definition in generated["$defs"].values():
        definition.pop("title", None)
        _drop_rules(definition)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pegasus2 resource",
        "type": ["object", "null"],  # an empty document is none
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "Version of the format."},
            "kind": {"enum": kinds.names(), "description": "What is declared."},
            "metadata": {},
            "spec": {"type": "object", "description": "The desired state."},
        },
        "allOf": by_kind,
        "definitions": generated["$defs"],
    }


@dataclass(frozen=True, slots=True)
class Field:
    """One field for people. `fields` are those below it, of the entries where it is a list or map."""

    path: str  # below the resource: spec.volumes[].target
    type: str
    description: str
    required: bool = False
    default: str = ""  # as YAML; empty: there is none worth a word
    fields: tuple[Field, ...] = ()

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2].removesuffix("[]").removesuffix("{}")

    def walk(self) -> Iterator[Field]:
        """This field and all below it."""
        yield self
        for field in self.fields:
            yield from field.walk()


def describe(kind: str, path: str = "") -> Field:
    """A kind (by its exact name) or the field at `path`, where `spec.` may be left out. Raises ValueError."""
    here = _tree(kind)
    steps = [step for step in path.split(".") if step]
    if steps and steps[0] not in (field.name for field in here.fields):
        steps.insert(0, "spec")
    for step in steps:
        found = next((field for field in here.fields if field.name == step), None)
        if found is None:
            place = f"{kind}.{here.path}" if here.path else kind
            known = (field.name for field in here.fields)
            raise ValueError(f'cannot find the field "{step}" in {place}{nearest(step, known)}')
        here = found
    return here


def explain(kind: str, path: str = "", width: int = 100) -> str:
    """What `p2 explain` prints. Raises ValueError for a field that is not there."""
    field = describe(kind, path)
    title = f"{kind}.{field.path}" if field.path else _names(model_of(kind))
    lines = [f"{title}  <{_type(field)}>", "", *_wrapped(field.description, "  ", width)]
    groups = [("Fields:", field.fields)]
    if not field.path:  # of a whole kind, what people came for are the fields of its spec
        groups += [("Fields of spec:", below.fields) for below in field.fields if below.name == "spec"]
    for heading, fields in groups:
        lines += ["", heading] if fields else []
        for below in fields:
            lines += [f"  {below.name}  <{_type(below)}>", *_wrapped(below.description, "      ", width)]
    return "\n".join(lines)


def model_of(kind: str) -> type[Resource]:
    """The model of a kind that is known to be there."""
    model = kinds.model_of(kind)
    if model is None:
        raise ValueError(f'cannot find the kind "{kind}"{nearest(kind, kinds.names())}')
    return model


class _Untitled(GenerateJsonSchema):
    """Without titles for fields: pydantic makes them up from the names, and an editor would show both."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _drop_rules(schema: Any) -> None:
    """Takes out what is for API servers; no editor evaluates it."""
    if isinstance(schema, dict):
        for name in [name for name in schema if name.startswith("x-kubernetes-")]:
            del schema[name]
    for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _drop_rules(below)


def _names(model: type[Resource]) -> str:
    about = model.about
    return f"{model.__name__} ({', '.join((about.plural, *about.short))})"


def _type(field: Field) -> str:
    notes = [field.type]
    if field.required:
        notes.append("required")
    if field.default:
        notes.append(f"default {field.default}")
    return ", ".join(notes)


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)


# -- from the schema of one kind -----------------------------------------------------------------------------------


def _tree(kind: str) -> Field:
    model = model_of(kind)
    schema = model.model_json_schema(schema_generator=_Untitled)
    root = _field("", schema, schema.get("$defs", {}))
    return replace(root, description=(model.__doc__ or "").strip())


def _field(path: str, schema: Schema, definitions: dict[str, Schema], required: bool = False) -> Field:
    schema = _resolved(schema, definitions)
    shape = _without_null(schema, definitions)
    mark, inner = _inner(shape, definitions)
    below = inner.get("properties", {})
    needed = inner.get("required", ())
    at = f"{path}{mark}." if path else ""
    return Field(
        path=path,
        type=_type_name(shape, definitions),
        description=" ".join(str(schema.get("description", shape.get("description", ""))).split()),
        required=required,
        default=_default(schema.get("default")),
        fields=tuple(_field(at + name, each, definitions, name in needed) for name, each in below.items()),
    )


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """`schema` with its reference followed; what stands beside the reference wins."""
    if "$ref" not in schema:
        return schema
    return {**definitions[schema["$ref"].rpartition("/")[2]], **{k: v for k, v in schema.items() if k != "$ref"}}


def _without_null(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A field that may be left out has the type that it has when it is there."""
    choices = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return _resolved(choices[0], definitions) if len(choices) == 1 else schema


def _inner(shape: Schema, definitions: dict[str, Schema]) -> tuple[str, Schema]:
    """What the entries of a list or map look like, and how that is marked in a path; else the thing itself."""
    if isinstance(items := shape.get("items"), dict):
        return "[]", _resolved(items, definitions)
    if isinstance(values := shape.get("additionalProperties"), dict):
        return "{}", _resolved(values, definitions)
    return "", shape


def _type_name(schema: Schema, definitions: dict[str, Schema]) -> str:
    schema = _resolved(schema, definitions)
    if "anyOf" in schema:
        names = [_type_name(each, definitions) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(names))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    mark, inner = _inner(schema, definitions)
    if mark == "[]":
        return f"list of {_type_name(inner, definitions)}"
    if mark == "{}":
        return f"map of {_type_name(inner, definitions)}"
    return str(schema.get("format") or schema.get("type", "any"))


def _default(value: Any) -> str:
    return "" if value in (None, [], {}) else json.dumps(value) if not isinstance(value, str) else value or '""'
