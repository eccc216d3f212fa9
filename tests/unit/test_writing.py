"""What is written for people reads back as the same resource, by us and by kubectl, and says no more than it has to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import kinds
from resources.documents import read
from resources.load import load_text
from resources.writing import document, yaml_of, yaml_text
from tests.pages import ROOT, Document, documents


@pytest.mark.parametrize("page", [each for each in documents() if each.mark == ""], ids=str)
def test_every_example_is_written_as_it_can_be_read(page: Document) -> None:
    found = [declared.resource for declared in load_text(page.text.encode(), page.place, ROOT / "docs").documents]
    again = load_text(yaml_of(found).encode(), "again.yaml", None)
    assert again.problems == ()
    assert [declared.resource for declared in again.documents] == found


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029")))
def test_every_text_is_written_as_that_text(text: str) -> None:
    written = yaml_text([{text: [text]}])
    if text.isprintable():
        assert read(written.encode(), "a.yaml").documents[0].content == {text: [text]}


@pytest.mark.parametrize(
    "text", ["22:22", "1e3", "0o17", "y", "No", "null", "~", "", "1_000", ".5", "<<", "=", "- a", "a: b"]
)
def test_what_kubectl_would_take_for_something_else_stands_in_quotes(text: str) -> None:
    assert read(yaml_text([{"a": text}]).encode(), "a.yaml").documents[0].content == {"a": text}


def test_defaults_are_left_out_and_the_kinds_own_fields_come_first() -> None:
    model = kinds.model_of("Container")
    assert model is not None
    spec = {"image": "a:1", "suspend": False, "dependsOn": ["Container/b"], "entrypoint": [], "pullPolicy": "missing"}
    metadata = {"name": "a", "namespace": "default", "labels": {}}
    resource = model.model_validate(
        {"apiVersion": "pegasus2.dev/v1", "kind": "Container", "metadata": metadata, "spec": spec}
    )
    assert list(document(resource)["spec"].items()) == [
        ("image", "a:1"),
        ("entrypoint", []),
        ("dependsOn", ["Container/b"]),
    ]
    assert document(resource)["metadata"] == {"name": "a"}
