"""What editors, `p2 explain` and the pages of the documentation say of a kind is what the loader checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from resources import kinds
from resources.load import load_text
from resources.pages import example, page, pages
from resources.schema import describe, editor_schema, explain

DOCS = Path(__file__).resolve().parents[2] / "docs" / "kinds"
KINDS = sorted(kinds.built_in())


def complaints(document: Any) -> list[str]:
    validator = jsonschema.Draft7Validator(editor_schema())
    return [error.message for error in validator.iter_errors(document)]


def document(of: str, **changes: Any) -> Any:
    return {**yaml.safe_load(example(of)), **changes}


# -- the schema for editors ----------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(editor_schema())


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_each_kind_is_loaded_and_fits_the_schema(kind: str) -> None:
    loaded = load_text(example(kind).encode(), f"{kind}.yaml", Path("/base"))
    assert loaded.problems == ()
    assert [declared.key.kind for declared in loaded.documents] == [kind]
    assert complaints(document(kind)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_objects_where_the_loader_does(kind: str) -> None:
    assert any("sepc" in each for each in complaints(document(kind, sepc={})))
    assert complaints(document(kind, spec={**document(kind)["spec"], "nonsense": 1}))
    assert complaints(document(kind, metadata={}))
    assert complaints(document(kind, metadata={"name": "Not A Name"}))


def test_the_schema_objects_to_unknown_kinds_and_versions_and_to_nothing_at_all() -> None:
    assert complaints({})
    assert complaints(document("File", kind="Fiel"))
    assert complaints(document("File", apiVersion="v1"))
    assert complaints(None) == []


def test_the_schema_explains_every_field_and_invents_no_titles() -> None:
    def walk(schema: Any) -> Any:
        if isinstance(schema, dict):
            yield schema
            for value in schema.values():
                yield from walk(value)
        elif isinstance(schema, list):
            for value in schema:
                yield from walk(value)

    definitions = editor_schema()["definitions"]
    assert not any(isinstance(each.get("title"), str) for each in walk(definitions))
    for name, definition in definitions.items():
        for field, schema in definition.get("properties", {}).items():
            assert field in ("kind", "spec", "metadata") or schema.get("description"), f"{name}.{field}"


# -- p2 explain ----------------------------------------------------------------------------------------------------


def test_a_kind_is_described_with_all_its_fields() -> None:
    tree = describe("Container")
    assert [field.name for field in tree.fields] == ["apiVersion", "kind", "metadata", "spec"]
    paths = {field.path: field for field in tree.walk()}
    assert paths["spec.image"].required
    assert paths["spec.volumes"].type == "list of object"
    assert paths["spec.volumes[].type"].type == "bind | volume | tmpfs"
    assert paths["spec.ulimits{}.soft"].type == "integer"
    assert paths["spec.env"].type == "map of string"
    assert paths["spec.healthcheck.interval"].type == "duration"
    assert paths["spec.interval"].default == "10m"


@pytest.mark.parametrize("path", ["spec.volumes.target", "volumes.target", "metadata.name", "spec", ""])
def test_a_field_is_found_by_its_path_with_or_without_spec(path: str) -> None:
    assert describe("Container", path).description


def test_an_unknown_field_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "healthcheck"'):
        describe("Container", "helthcheck")
    with pytest.raises(ValueError, match='did you mean "Container"'):
        describe("Contaner")


def test_an_explanation_names_type_default_and_meaning() -> None:
    text = explain("Container", "volumes", width=60)
    assert text.startswith("Container.spec.volumes  <list of object>")
    assert "target  <string, required>" in text
    assert "readOnly  <boolean, default false>" in text
    assert max(len(line) for line in text.splitlines() if not line.endswith(">")) <= 60
    assert explain("File").startswith("File (files)")


def test_a_kind_is_explained_with_the_fields_of_its_spec() -> None:
    assert "\n  readOnly  <boolean>\n" in explain("Container").partition("Fields of spec:")[2]


# -- pages ---------------------------------------------------------------------------------------------------------


def test_the_pages_are_up_to_date() -> None:
    written = {path.name: path.read_text() for path in DOCS.iterdir()}
    assert written == pages(), "stale: run python -m resources.pages docs/kinds"


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_has_a_complete_example_and_every_field(kind: str) -> None:
    text = page(kind)
    assert f"```yaml\n{example(kind).strip()}\n```" in text
    for field in describe(kind, "spec").fields:
        assert f"| `{field.name}` |" in text
