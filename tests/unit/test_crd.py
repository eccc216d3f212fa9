"""The CustomResourceDefinitions are made of the models, whole, and the files in crds/ are up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources import kinds
from resources.crd import as_yaml, built_in, definition, definitions, files, machines
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


def test_editors_see_nothing_of_what_is_for_api_servers() -> None:
    assert "x-kubernetes" not in str(editor_schema())
