"""What Compose files mean, case by case. The cases agree with Docker Compose 2.26, or say why not: see `compare.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resources.compose import schema
from resources.compose.shapes import Shape
from resources.compose.structures import Listed, Named, Object
from tests.compose.cases import Case, all_cases

# Fields that the long form has no more: what they say has been carried out.
CARRIED_OUT = {"version", "include", "extends", "profiles"}


@pytest.mark.parametrize("folder", all_cases(), ids=lambda folder: folder.name)
def test_files_mean_what_the_case_expects(folder: Path) -> None:
    name, outcome = Case.of(folder).outcome()
    expected = [path.name for path in (folder / "expected.json", folder / "problems.txt") if path.exists()]
    assert [name] == expected, outcome
    assert outcome == (folder / name).read_text()


def test_every_field_is_in_a_case() -> None:
    told = [json.loads((folder / "expected.json").read_text()) for folder in all_cases() if _is_project(folder)]
    found = {path for project in told for path in _present(project, schema.FILE, ())}
    missing = [".".join(path) for path in _fields(schema.FILE, ()) if path not in found]
    assert missing == []


def test_every_long_form_reads_as_itself(tmp_path: Path) -> None:
    """What is printed of a project is a Compose file again, and means the same."""
    for folder in all_cases():
        if not _is_project(folder):
            continue
        told = json.loads(
            (folder / "expected.json").read_text().replace("{here}", str(folder)).replace("{above}", str(folder.parent))
        )
        if "disabled" in told:
            continue
        sections = {name: content for name, content in told.items() if name in schema.FILE.fields}
        file = tmp_path / f"{folder.name}.yaml"
        file.write_text(json.dumps(_escaped(sections), ensure_ascii=False))
        again = Case(tmp_path, [file], ["*"]).load()
        for section in sections:
            assert getattr(again, section) == told[section], (folder.name, section)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _escaped(content) for name, content in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _is_project(folder: Path) -> bool:
    return (folder / "expected.json").exists()


def _fields(shape: Shape, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(shape, Object):
        for name, field in shape.fields.items():
            if name not in CARRIED_OUT and path[-1:] != ("external",):
                yield (*path, name)
                yield from _fields(field, (*path, name))
    elif isinstance(shape, Named | Listed):
        yield from _fields(shape.shape, (*path, "*"))


def _present(value: Any, shape: Shape, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(shape, Object) and isinstance(value, dict):
        for name in value.keys() & shape.fields.keys():
            yield (*path, name)
            yield from _present(value[name], shape.fields[name], (*path, name))
    elif isinstance(shape, Named) and isinstance(value, dict):
        for content in value.values():
            yield from _present(content, shape.shape, (*path, "*"))
    elif isinstance(shape, Listed) and isinstance(value, list):
        for item in value:
            yield from _present(item, shape.shape, (*path, "*"))
