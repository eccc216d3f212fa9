"""What a project of Compose files comes to: each field in the spec of a resource, and none lost without a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.compose.mapping.fields import FIELDS, How
from resources.compose.mapping.mapping import Mapped, resources_of
from resources.compose.project import load_project
from resources.writing import document

CASES = Path(__file__).resolve().parents[1] / "compose" / "mapping"
KEPT: list[dict[str, Any]] = yaml.safe_load((CASES / "fields.yaml").read_text())
FILE = Path("/srv/p/compose.yaml")


def mapped(compose: str | Mapping[str, Any], files: Mapping[str, str] | None = None, **how: Any) -> Mapped:
    """`files`: more of them, by their paths."""
    text = compose if isinstance(compose, str) else yaml.safe_dump(dict(compose), sort_keys=False)
    texts = {str(FILE): text, **(files or {})}

    def read(path: Path) -> bytes:
        if str(path) not in texts:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return texts[str(path)].encode()

    return resources_of(load_project([FILE], read=read, variables={}), read=read, **how)


def specs(found: Mapped) -> dict[str, dict[str, Any]]:
    return {each.key.short: document(each)["spec"] for each in found.resources}


def merged(base: Any, more: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(more, dict)):
        return more
    both = {name: merged(base.get(name), more.get(name, base.get(name))) for name in {**base, **more}}
    return {name: value for name, value in both.items() if value is not None}


@pytest.mark.parametrize("case", KEPT, ids=lambda case: str(case["field"]))
def test_a_field_that_is_kept_is_found_in_the_spec_of_a_resource(case: dict[str, Any]) -> None:
    base = {"name": "p", "services": {"a": {"image": "a:1"}}}
    found = mapped(merged(base, case["compose"]), {"/srv/p/web.env": "A=1\n"})
    assert [str(problem) for problem in found.problems] == []
    given = specs(found)
    for name, wanted in case["gives"].items():
        spec = given.get(name)
        if wanted is None or spec is None:
            assert (wanted, spec) == (None, None)
            continue
        seen = {field: spec.get(field) for field in wanted}
        if isinstance(labels := seen.get("labels"), dict) and name.startswith("Container/"):
            seen["labels"] = {label: value for label, value in labels.items() if not label.startswith("com.docker.")}
        assert seen == wanted


def test_there_is_a_case_for_every_field_that_is_kept() -> None:
    tried = {field for case in KEPT for field in ([case["field"]] if isinstance(case["field"], str) else case["field"])}
    kept = {path for path, field in FIELDS.items() if field.how is How.KEPT}
    assert (sorted(kept - tried), sorted(tried - kept)) == ([], [])
