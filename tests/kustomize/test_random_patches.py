"""Random patches come out as with kubectl, or are refused by both."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.kustomize.scripts import Unresolvable
from tests.kustomize.archive import ours, theirs

pytestmark = pytest.mark.kubectl

names = st.sampled_from(["a", "b", "c", "image", "0"])
scalars = st.one_of(st.sampled_from(["", "x", "1", "true"]), st.integers(-3, 3), st.booleans())
lists = st.lists(st.one_of(scalars, st.dictionaries(names, scalars, max_size=2)), max_size=3)
values = st.recursive(st.one_of(scalars, lists), lambda below: st.dictionaries(names, below, max_size=3), max_leaves=8)
patches = st.recursive(
    st.one_of(scalars, lists, st.none()),
    lambda below: st.builds(
        lambda fields, directive: {**fields, **({"$patch": directive} if directive else {})},
        st.dictionaries(names, below, max_size=3),
        st.sampled_from([None, None, None, "merge", "replace", "delete"]),
    ),
    max_leaves=8,
)
specs = st.dictionaries(names, values, max_size=4)
pointers = st.lists(st.sampled_from(["a", "b", "c", "0", "1", "-", "-1"]), min_size=1, max_size=3).map(
    lambda parts: "/spec/" + "/".join(parts)
)
operations = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["add", "replace"]), "path": pointers, "value": values}),
    st.fixed_dictionaries({"op": st.just("test"), "path": pointers, "value": st.one_of(scalars, st.none())}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": pointers}),
    st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "path": pointers, "from": pointers}),
)
often = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def head(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "pegasus2.dev/v1", "kind": "Container", "metadata": {"name": "web"}, "spec": spec}


def both(spec: Any, entry: dict[str, Any]) -> tuple[Any, Any]:
    """What comes out here and there; None for a refusal."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "web.yaml").write_text(json.dumps(head(spec)))
        (directory / "kustomization.yaml").write_text(json.dumps({"resources": ["web.yaml"], "patches": [entry]}))
        found = theirs(directory)
        try:
            return ours(directory), None if isinstance(found, str) else found
        except Unresolvable:
            return None, None if isinstance(found, str) else found


def same(here: Any, there: Any) -> bool:
    """A number in place of a text in quotes comes out in these quotes there. Here it stays one, and the kind complains."""
    if isinstance(here, dict) and isinstance(there, dict):
        return here.keys() == there.keys() and all(same(here[name], there[name]) for name in here)
    if isinstance(here, list) and isinstance(there, list):
        return len(here) == len(there) and all(map(same, here, there))
    return bool(here == there or (isinstance(there, str) and json.dumps(here) == there))


@often
@given(specs, st.dictionaries(names, patches, max_size=4))
def test_a_strategic_merge_patch(spec: Any, patch: Any) -> None:
    here, there = both(spec, {"patch": json.dumps(head(patch))})
    assert same(here, there), (here, there)


@often
@given(specs, st.lists(operations, min_size=1, max_size=4))
def test_a_json_patch(spec: Any, patch: Any) -> None:
    here, there = both(spec, {"patch": json.dumps(patch), "target": {"kind": "Container"}})
    copies_what_is_missing = here is None and any(each["op"] == "copy" for each in patch)  # there it is null
    assert here == there or copies_what_is_missing
