"""Deletions in a cluster wait for one another, so that what needs others goes before them."""

from __future__ import annotations

import math

from controller.sources.kube.deletions import DELETED, LONGEST, QUIET, Arrival, Deletions
from controller.sources.kube.objects import read_object


def arrival(name: str, *, what: str = "MODIFIED", deleting: bool = False) -> Arrival:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    return what, read_object({"kind": "File", "metadata": {**metadata, **gone}, "spec": {}})


def names(arrivals: list[Arrival]) -> list[str]:
    return [found.key.name for _, found in arrivals]


def test_deletions_go_together_when_no_more_of_them_come() -> None:
    deletions = Deletions(lambda found: True)
    assert names(deletions.sift([arrival("directory", deleting=True)], 1.0)) == []
    assert names(deletions.sift([arrival("inner", deleting=True)], 1.3)) == []
    assert deletions.due == 1.3 + QUIET
    assert names(deletions.sift([], deletions.due)) == ["directory", "inner"]
    assert deletions.due == math.inf


def test_edits_do_not_wait_for_deletions() -> None:
    deletions = Deletions(lambda found: True)
    assert names(deletions.sift([arrival("going", what=DELETED), arrival("edited")], 1.0)) == ["edited"]


def test_what_comes_of_a_deleted_object_waits_with_it() -> None:
    deletions = Deletions(lambda found: True)
    deletions.sift([arrival("going", deleting=True)], 1.0)
    assert names(deletions.sift([arrival("going", what="ADDED")], 1.1)) == []
    assert [what for what, _ in deletions.sift([], 2.0)] == ["MODIFIED", "ADDED"]


def test_deletion_that_is_known_does_not_wait_again() -> None:
    deletions = Deletions(lambda found: False)
    assert names(deletions.sift([arrival("going", deleting=True)], 1.0)) == ["going"]


def test_deletions_without_end_do_not_wait_for_ever() -> None:
    deletions, at = Deletions(lambda found: True), 1.0
    while not (released := deletions.sift([arrival(f"n{at}", deleting=True)], at)):
        at += QUIET / 2
        assert at < 1.0 + 2 * LONGEST
    assert at >= 1.0 + LONGEST - QUIET
    assert released[0][1].key.name == "n1.0"


def test_what_a_look_at_all_objects_has_seen_does_not_come_again() -> None:
    deletions = Deletions(lambda found: True)
    deletions.sift([arrival("going", deleting=True)], 1.0)
    deletions.forget()
    assert (deletions.sift([], 5.0), deletions.due) == ([], math.inf)
