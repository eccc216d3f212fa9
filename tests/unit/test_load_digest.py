"""The digest of a resource says whether it was edited: only what it wants counts, not how or where that is written."""

from __future__ import annotations

import json
import random
import timeit
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from resources.load import load_text
from resources.meta import Declared, Key
from resources.parsed import digest_of, restore
from tests.kube.documents import TABLES, cases

SPEC: dict[str, Any] = {
    "image": "busybox:1",
    "env": {"A": "1", "B": "2", "C": "3"},
    "labels": {"tier": "1", "team": "2"},
    "networks": [{"name": "front", "aliases": ["a", "b"]}],
}


def declared(spec: dict[str, Any], *, base: str = "/base", before: str = "", **metadata: Any) -> Declared:
    document = {
        "apiVersion": "pegasus2.dev/v1",
        "kind": "Container",
        "metadata": {"name": "a", **metadata},
        "spec": spec,
    }
    loaded = load_text((before + yaml.safe_dump(document, sort_keys=False)).encode(), "f.yaml", Path(base))
    assert loaded.problems == ()
    return loaded.documents[-1]


def digest(spec: dict[str, Any], **more: Any) -> str:
    return declared(spec, **more).digest


def test_comments_and_place_in_the_file_do_not_count() -> None:
    other = "apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {name: f}\nspec: {path: /x, content: ''}\n---\n"
    assert digest(SPEC) == digest(SPEC, before="# hello\n\n---\n") == digest(SPEC, before=other)


@given(st.randoms())
def test_the_order_of_keys_does_not_count(shuffle: random.Random) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        items = list(value.items())
        shuffle.shuffle(items)
        return {name: shuffled(item) for name, item in items}

    assert digest(shuffled(SPEC)) == digest(SPEC)


def test_a_default_that_is_spelled_out_is_no_edit() -> None:
    assert digest({**SPEC, "suspend": False, "interval": "10m", "dependsOn": [], "state": "running"}) == digest(SPEC)


def test_annotations_are_no_edit_and_labels_are() -> None:
    assert digest(SPEC, annotations={"note": "x"}) == digest(SPEC)
    assert digest(SPEC, labels={"app": "x"}) != digest(SPEC)


@pytest.mark.parametrize(
    "edit",
    [
        {"image": "busybox:2"},
        {"env": {"A": "1", "B": "2"}},
        {"env": {"A": "1", "B": "2", "C": "4"}},
        {"networks": [{"name": "back"}]},
        {"suspend": True},
        {"interval": "5m"},
        {"deletionPolicy": "Retain"},
    ],
)
def test_every_edit_of_the_spec_counts(edit: dict[str, Any]) -> None:
    assert digest({**SPEC, **edit}) != digest(SPEC)


def test_another_folder_counts_only_where_a_path_changes() -> None:
    assert digest(SPEC, base="/elsewhere") == digest(SPEC)
    assert digest({**SPEC, "envFile": ["/etc/env"]}, base="/elsewhere") == digest({**SPEC, "envFile": ["/etc/env"]})
    assert digest({**SPEC, "envFile": ["env"]}, base="/elsewhere") != digest({**SPEC, "envFile": ["env"]})
    assert digest({**SPEC, "envFile": ["../base/env"]}, base="/a") == digest({**SPEC, "envFile": ["./env"]})


def test_a_digest_is_the_same_in_every_process() -> None:
    assert digest({"image": "busybox:1"}) == "30213eda75462eecdfc5960f4731a9dc"


def test_a_kept_document_makes_the_same_resource() -> None:
    loaded = load_text(yaml.safe_dump_all([{"a": None}]).encode() + b"", "f.yaml", None)
    assert loaded.parsed == ()
    text = b"apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {name: a}\nspec: {path: /x, source: s}\n"
    loaded = load_text(text, "f.yaml", Path("/base"))
    assert tuple(restore(parsed, "f.yaml", Path("/base")) for parsed in loaded.parsed) == loaded.documents
    assert loaded.documents[0].key == Key("File", "default", "a")


def test_a_digest_costs_little() -> None:
    resource = declared(SPEC).resource
    best = min(timeit.repeat(lambda: digest_of(resource), number=200, repeat=5)) / 200
    assert best < 100e-6  # 5-20 µs; a busy machine is allowed for


@pytest.mark.parametrize("kind", TABLES)
def test_digest_is_that_of_the_spec_by_itself_and_the_labels(kind: str) -> None:
    """It is worked out by way of the whole resource. Were it another one, all that is recorded would count as edited."""
    valid = [case.document for case in cases() if case.kind == kind and case.loader]
    loaded = load_text("\n---\n".join(map(json.dumps, valid)).encode(), "f.yaml", Path("/base"))
    assert len(loaded.documents) == len(valid) > 0
    for each in loaded.documents:
        wanted = [each.resource.spec.model_dump(mode="json", exclude_defaults=True), each.resource.metadata.labels]
        assert each.digest == blake2b(json.dumps(wanted, sort_keys=True).encode(), digest_size=16).hexdigest()
        parsed = loaded.parsed[each.origin.document]
        assert restore(parsed, "f.yaml", Path("/base")) == each
