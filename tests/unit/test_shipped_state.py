"""The shipped `state/` as an editor sees it: it names a schema, which is there, up to date, and finds nothing wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from resources.schema import editor_schema

STATE = Path(__file__).resolve().parents[2] / "state"
SCHEMA = STATE / ".schema"
MANIFESTS = sorted(STATE.rglob("*.yaml"))


def test_schema_is_what_the_models_say() -> None:
    assert json.loads(SCHEMA.read_text()) == editor_schema(), (
        f"make it anew: p2 schema -o {SCHEMA.relative_to(STATE.parent)}"
    )


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_every_manifest_names_the_schema_and_follows_it(manifest: Path) -> None:
    comment = manifest.read_text().splitlines()[0]
    written = comment.removeprefix("# yaml-language-server: $schema=")
    assert (manifest.parent / written).resolve() == SCHEMA
    for document in yaml.safe_load_all(manifest.read_text()):
        check(document)


@pytest.mark.parametrize(
    "mistake",
    [
        {"contnet": "x"},
        {"mode": 420},
        {"mode": "rw-r--r--"},
        {"type": "direktory"},
        {"path": "motd"},
        {"variables": {"a": 1}},
    ],
    ids=str,
)
def test_editor_is_told_of_a_mistake(mistake: dict[str, Any]) -> None:
    document = {
        "apiVersion": "pegasus2.dev/v1",
        "kind": "File",
        "metadata": {"name": "x"},
        "spec": {"path": "/x", "content": ""},
    }
    check(document)
    with pytest.raises(jsonschema.ValidationError):
        check(document | {"spec": {"path": "/x", "content": ""} | mistake})


def check(document: Any) -> None:
    jsonschema.Draft7Validator(editor_schema()).validate(document)
