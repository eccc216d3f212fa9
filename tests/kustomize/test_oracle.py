"""Whatever comes out of a kustomization is what `kubectl kustomize` makes of it; and what we refuse says where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.kustomize.scripts import Unresolvable
from tests.kustomize.archive import CASES, case_of, ours, theirs

ACCEPTED = [path for path in CASES if not case_of(path).refused]
REFUSED = [path for path in CASES if case_of(path).refused]


def test_there_are_cases_of_both_sorts() -> None:
    assert len(ACCEPTED) >= 40
    assert len(REFUSED) >= 40


@pytest.mark.kubectl
@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_it_comes_out_as_with_kubectl(path: Path, tmp_path: Path) -> None:
    directory = case_of(path).unpack(tmp_path)
    assert ours(directory) == theirs(directory)


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_it_is_refused_with_the_place_and_the_reason(path: Path, tmp_path: Path) -> None:
    case = case_of(path)
    with pytest.raises(Unresolvable) as refused:
        ours(case.unpack(tmp_path))
    shown = "\n".join(str(problem).replace(f"{tmp_path}/", "") for problem in refused.value.problems)
    assert case.refused in shown
    for problem in refused.value.problems:
        assert problem.message.startswith(("cannot", "unknown field"))


@pytest.mark.kubectl
@pytest.mark.parametrize(
    "path", [path for path in REFUSED if case_of(path).kubectl != "any"], ids=lambda path: path.stem
)
def test_what_is_refused_here_is_taken_by_kubectl_only_where_that_is_meant(path: Path, tmp_path: Path) -> None:
    case = case_of(path)
    found = theirs(case.unpack(tmp_path))
    assert isinstance(found, str) == (case.kubectl != "accepts"), found
