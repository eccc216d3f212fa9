"""The CustomResourceDefinitions are made of the models, whole, and the files in crds/ are up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import yaml
from pydantic import Field

from resources import kinds
from resources.crd import as_yaml, built_in, definition, definitions, files, machines, structural
from resources.meta import COMMON_FIELDS, Model
from resources.rules import KEYWORD, Rule
from resources.schema import editor_schema, model_of

CRDS = Path(__file__).resolve().parents[2] / "crds"
KINDS = sorted(kinds.built_in())


def schema_of(crd: Any) -> Any:
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def walk(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from walk(below, f"{path}.{name}")
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(word), dict):
            yield from walk(schema[word], path + mark)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if model_of(kind).expands])
def test_what_is_handed_on_to_others_gets_no_default_that_nobody_has_written(kind: str) -> None:
    spec = schema_of(definition(model_of(kind)))["properties"]["spec"]["properties"]
    assert [name for name in COMMON_FIELDS if "default" in spec[name]] == []


def test_the_files_are_up_to_date() -> None:
    written = {path.name: path.read_text() for path in CRDS.iterdir()}
    assert written == files(built_in()), "stale: run python -m resources.crd crds"


def test_the_files_are_read_as_what_was_written() -> None:
    assert list(yaml.safe_load_all(as_yaml(definitions()))) == list(definitions())


def test_there_is_one_for_each_kind_and_for_machines() -> None:
    assert [crd["spec"]["names"]["kind"] for crd in built_in()] == [*KINDS, "Machine"]


@pytest.mark.parametrize("crd", [*built_in()], ids=lambda crd: crd["spec"]["names"]["kind"])
def test_every_field_has_a_type_and_a_description(crd: Any) -> None:
    for path, schema in walk(schema_of(crd)):
        assert "$ref" not in schema and "anyOf" not in schema and "title" not in schema, path
        assert schema.get("type") or schema.get("x-kubernetes-preserve-unknown-fields"), path
        if not path.endswith(("[]", "{}", ".metadata")):
            assert schema.get("description"), path


@pytest.mark.parametrize("kind", KINDS)
def test_a_definition_has_the_fields_of_its_model(kind: str) -> None:
    model = model_of(kind)
    spec = schema_of(definition(model))["properties"]["spec"]
    assert list(spec["properties"]) == list(model.model_fields["spec"].annotation.model_fields)  # type: ignore[union-attr]


def test_machines_belong_to_no_namespace() -> None:
    assert machines()["spec"]["scope"] == "Cluster"


class Knob(Model):
    """A knob."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule("self.low < 9", "low must be low"),)

    low: int = Field(default=1, gt=0, lt=9, description="How low.")
    port: int | str | None = Field(default=None, description="Number or name.")
    anything: Any = Field(default=None, description="Anything.")


class Louder(Knob):
    rules: ClassVar[tuple[Rule, ...]] = (Rule("self.low > 1", "low must not be that low"),)

    inner: Annotated[Knob, Rule("self.low == 2", "inner must be two")] | None = Field(
        default=None, description="Another knob."
    )


class Either(Model):
    value: str | Knob = Field(description="One or the other.")


def test_rules_of_a_class_and_of_those_that_it_inherits_from_add_up() -> None:
    schema = structural(Louder)
    assert [rule["message"] for rule in schema[KEYWORD]] == ["low must be low", "low must not be that low"]
    inner = schema["properties"]["inner"]
    assert [rule["message"] for rule in inner[KEYWORD]] == ["low must be low", "inner must be two"]
    assert (inner["nullable"], inner["description"]) == (True, "Another knob.")


def test_limits_that_are_not_allowed_themselves_are_written_in_the_way_of_api_servers() -> None:
    low = structural(Knob)["properties"]["low"]
    assert low == {
        "type": "integer",
        "description": "How low.",
        "default": 1,
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 9,
        "exclusiveMaximum": True,
    }


def test_a_number_or_text_is_what_api_servers_call_int_or_string() -> None:
    properties = structural(Knob)["properties"]
    assert properties["port"]["x-kubernetes-int-or-string"] is True
    assert properties["anything"]["x-kubernetes-preserve-unknown-fields"] is True


def test_a_field_of_two_types_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"cannot write a schema for Either\.value: .* one type a field"):
        structural(Either)


def test_editors_see_nothing_of_what_is_for_api_servers() -> None:
    assert "x-kubernetes" not in str(editor_schema())
