"""Others write to the same objects, and at the same time: their part stays theirs, and ours is put right."""

from __future__ import annotations

import pytest

from controller.sources.kube.cluster import FIELD_MANAGER, MERGE_PATCH
from controller.sources.kube.objects import FINALIZER
from tests.kube.desk import Desk
from tests.support import eventually

pytestmark = pytest.mark.kube

FOREIGN = "example.org/keep"


def test_server_side_apply_keeps_its_fields_and_never_conflicts_with_us(desk: Desk) -> None:
    options = ("--server-side", "--field-manager=gitops")
    for content in ("first", "second"):
        desk.apply(desk.file("a", content), options=options)
        desk.ready("a")
        assert desk.content("a") == content
    owners = desk.owners("a")
    assert "f:content" in owners["gitops", ""]["f:spec"]
    assert owners[FIELD_MANAGER, ""].keys() == {"f:metadata"}
    assert owners[FIELD_MANAGER, ""]["f:metadata"].keys() == {"f:finalizers"}
    assert owners[FIELD_MANAGER, "status"].keys() == {"f:status"}


def test_two_appliers_share_an_object(desk: Desk) -> None:
    desk.apply(desk.file("a"), options=("--server-side", "--field-manager=one"))
    limits = {"apiVersion": "pegasus2.dev/v1", "kind": "File", "metadata": {"name": "a"}, "spec": {"mode": "0600"}}
    desk.client.request(
        "PATCH",
        desk.place("a"),
        limits,
        {"fieldManager": "two"},
        content="application/apply-patch+yaml",
    )
    desk.ready("a")
    eventually(lambda: (desk.world / "a").stat().st_mode & 0o777 == 0o600, "the mode is as the second says")
    desk.apply(desk.file("a", "edited"), options=("--server-side", "--field-manager=one"))
    eventually(lambda: desk.content("a") == "edited", "the content is as the first says")
    assert (desk.world / "a").stat().st_mode & 0o777 == 0o600


def test_foreign_labels_annotations_and_finalizers_stay(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    desk.ready("a")
    desk.kubectl("label", "file", "a", "team=shop")
    desk.kubectl("annotate", "file", "a", f"{FOREIGN}=yes")
    desk.client.patch(desk.place("a"), {"metadata": {"finalizers": [FINALIZER, FOREIGN]}})
    desk.apply(desk.file("a", "edited"))
    eventually(lambda: desk.content("a") == "edited", "the edit is carried out")
    desk.ready("a")
    metadata = desk.get("a")["metadata"]
    assert metadata["labels"] == {"team": "shop"}
    assert metadata["annotations"][FOREIGN] == "yes"
    desk.kubectl("delete", "file", "a", "--wait=false")
    eventually(lambda: desk.get("a")["metadata"]["finalizers"] == [FOREIGN], "only the foreign finalizer is left")
    assert desk.content("a") is None
    desk.client.patch(desk.place("a"), {"metadata": {"finalizers": None}})
    desk.gone("a")


def test_nothing_is_written_into_a_spec(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    before = desk.get("a")["spec"]
    desk.ready("a")
    (desk.world / "a").write_text("drift")
    eventually(lambda: desk.content("a") == "hello", "the drift is put right")
    found = desk.get("a")
    assert (found["spec"], found["metadata"]["generation"]) == (before, 1)


def test_status_edited_by_hand_is_put_right(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    desk.ready("a")
    before = desk.get("a")["status"]
    lie = {
        "type": "Ready",
        "status": "False",
        "reason": "Lie",
        "message": "x",
        "lastTransitionTime": "2020-01-01T00:00:00Z",
    }
    desk.client.request("PATCH", desk.place("a", "status"), {"status": {"conditions": [lie]}}, content=MERGE_PATCH)
    eventually(lambda: desk.get("a")["status"] == before, "the status is as it was")
    desk.client.request("PATCH", desk.place("a", "status"), {"status": None}, content=MERGE_PATCH)
    eventually(lambda: desk.get("a").get("status") == before, "the status is back")


def test_finalizer_removed_by_hand_is_put_back(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    desk.ready("a")
    eventually(lambda: desk.held("a"), "the finalizer is there")
    desk.client.patch(desk.place("a"), {"metadata": {"finalizers": None}})
    eventually(lambda: desk.held("a"), "the finalizer is back")
    desk.kubectl("delete", "file", "a", "--timeout=20s")
    assert desk.content("a") is None


def test_object_that_goes_without_its_finalizer_takes_its_thing_along(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    desk.ready("a")
    with desk.operator.unseen():
        desk.kubectl("delete", "file", "a", "--wait=false")
        desk.client.patch(desk.place("a"), {"metadata": {"finalizers": None}})
        assert desk.find("a") is None
    eventually(lambda: desk.content("a") is None, "the thing is gone")


def test_edits_that_come_faster_than_they_are_done_end_with_the_last(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    for turn in range(30):
        desk.client.patch(desk.place("a"), {"spec": {"content": f"edit {turn}"}})
    desk.ready("a")
    assert desk.content("a") == "edit 29"
    assert desk.get("a")["status"]["observedGeneration"] == desk.get("a")["metadata"]["generation"] == 31


def test_object_deleted_and_declared_again_at_once_is_there(desk: Desk) -> None:
    desk.apply(desk.file("a", "old"))
    desk.ready("a")
    desk.kubectl("delete", "file", "a", "--timeout=20s")
    desk.apply(desk.file("a", "new"))
    desk.ready("a")
    assert desk.content("a") == "new"


def test_replaced_object_is_another_one(desk: Desk) -> None:
    desk.apply(desk.file("a", "old"))
    desk.ready("a")
    before = desk.get("a")["metadata"]["uid"]
    desk.kubectl("replace", "--force", "-f", "-", stdin=desk.file("a", "new"))
    desk.ready("a")
    assert desk.content("a") == "new"
    assert desk.get("a")["metadata"]["uid"] != before
