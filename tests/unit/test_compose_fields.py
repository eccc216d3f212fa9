"""The table of what becomes of each field of a Compose file is complete, true, and what the docs show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from resources.compose import schema
from resources.compose.mapping.fields import FIELDS, WITHIN, How
from resources.compose.mapping.table import table
from resources.compose.shapes import Shape
from resources.compose.structures import Listed, Named, Object
from resources.schema import describe

ROOT = Path(__file__).resolve().parents[2]
LEAVES = {path for path in FIELDS if path not in WITHIN}


def fields(shape: Shape, path: str = "") -> Iterator[str]:
    """The paths of all that may be written, in the way of the table."""
    if isinstance(shape, Object):
        for name, inner in shape.fields.items():
            below = f"{path}.{name}".removeprefix(".")
            yield below
            yield from fields(inner, below)
    elif isinstance(shape, Named | Listed):
        yield from fields(shape.shape, f"{path}.*")


def covered(path: str) -> bool:
    """Whether the field is in the table, or below or around one that is."""
    above = {path[:at] for at, sign in enumerate(path) if sign == "."}
    return path in FIELDS or path in WITHIN or bool(above & LEAVES)


@cache
def spec_fields(kind: str) -> frozenset[str]:
    return frozenset(re.sub(r"\[\]|\{\}", "", field.path) for field in describe(kind).walk())


def test_the_table_has_every_field_that_can_be_written() -> None:
    assert [path for path in fields(schema.FILE) if not covered(path)] == []


def test_the_table_has_no_field_that_cannot_be_written() -> None:
    known = set(fields(schema.FILE))
    assert [path for path in FIELDS if path not in known] == []


@pytest.mark.parametrize("path", sorted(path for path, field in FIELDS.items() if field.how is How.KEPT))
def test_a_field_is_kept_where_the_table_says(path: str) -> None:
    for kind, name in re.findall(r"\b(Container|Image|Network|Volume)\.([a-zA-Z0-9.]+[a-zA-Z0-9])", FIELDS[path].text):
        assert f"spec.{name}" in spec_fields(kind)


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_what_is_not_kept_has_a_reason(field: object) -> None:
    assert getattr(field, "text", "")


def test_the_docs_show_the_table() -> None:
    assert table() in (ROOT / "docs" / "compose.md").read_text()
