"""Three-way comparison by field: what is declared, what was applied last, what is there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from controller.engine.diff import changed_fields
from resources.meta import Model, Spec
from resources.plan import Change, Why


class Mount(Model):
    source: str
    target: str
    readOnly: bool = False


class Probe(Model):
    command: tuple[str, ...] | None = None
    interval: str | None = None


class Subject(Spec):
    unset: ClassVar[dict[str, Any]] = {"restart": "no"}
    image: str | None = None
    restart: str | None = None
    env: dict[str, str] | None = None
    mounts: tuple[Mount, ...] | None = None
    probe: Probe | None = None


def changes(want: Subject, last: Subject | None, **have: Any) -> list[Change]:
    return list(changed_fields(want, last, SimpleNamespace(**have)))


def test_only_declared_fields_are_compared() -> None:
    assert changes(Subject(image="a"), Subject(image="a"), image="a", restart="always", env={"X": "1"}) == []


def test_an_edit_is_told_from_drift() -> None:
    edited = changes(Subject(image="b"), Subject(image="a"), image="a")
    drifted = changes(Subject(image="a"), Subject(image="a"), image="z")
    new = changes(Subject(image="a"), None, image="z")
    assert [edited[0].why, drifted[0].why, new[0].why] == [Why.EDITED, Why.DRIFTED, Why.NEW]


def test_a_dropped_field_must_be_back_at_what_it_is_when_nobody_sets_it() -> None:
    assert changes(Subject(), Subject(restart="always"), restart="no") == []
    assert changes(Subject(), Subject(restart="always"), restart="always") == [
        Change("restart", "always", "no", Why.DROPPED)
    ]


@pytest.mark.parametrize("empty", [None, {}])
def test_empty_and_absent_are_the_same(empty: Any) -> None:
    assert changes(Subject(env={}), None, env=empty) == []


def test_maps_are_compared_entry_by_entry_and_foreign_entries_left_alone() -> None:
    found = changes(
        Subject(env={"A": "1"}), Subject(env={"A": "1", "B": "2"}), env={"A": "0", "B": "2", "PATH": "/bin"}
    )
    assert found == [Change("env.A", "0", "1", Why.DRIFTED), Change("env.B", "2", None, Why.DROPPED)]


def test_a_whole_map_dropped_takes_only_its_own_entries_away() -> None:
    found = changes(Subject(), Subject(env={"A": "1"}), env={"A": "1", "PATH": "/bin"})
    assert found == [Change("env.A", "1", None, Why.DROPPED)]


def test_fields_of_nested_objects_are_named() -> None:
    want = Subject(probe=Probe(command=("true",), interval="5s"))
    found = changes(want, want, probe=Probe(command=("true",), interval="9s"))
    assert found == [Change("probe.interval", "9s", "5s", Why.DRIFTED)]


def test_elements_of_lists_of_objects_are_named() -> None:
    want = Subject(mounts=(Mount(source="a", target="/a"), Mount(source="b", target="/b", readOnly=True)))
    have = (Mount(source="a", target="/a"), Mount(source="b", target="/b"))
    assert changes(want, want, mounts=have) == [Change("mounts.1.readOnly", False, True, Why.DRIFTED)]


def test_an_added_element_is_named_with_its_content() -> None:
    want = Subject(mounts=(Mount(source="a", target="/a"), Mount(source="b", target="/b")))
    found = changes(want, None, mounts=(Mount(source="a", target="/a"),))
    assert [(c.path, c.observed) for c in found] == [("mounts.1", None)]
    assert found[0].desired["target"] == "/b"


def test_ignored_paths_and_what_lies_below_them_are_left_out() -> None:
    want = Subject(image="a", env={"A": "1", "AB": "1"}, ignore=("env.A",))
    assert [c.path for c in changes(want, None, image="a", env={})] == ["env.AB"]
