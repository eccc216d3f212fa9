"""What kubectl's own commands make of our objects: as with any operator."""

from __future__ import annotations

import pytest

from tests.kube.desk import Desk
from tests.support import eventually

pytestmark = pytest.mark.kube


def test_wait_for_ready_returns_when_the_thing_is_there(desk: Desk) -> None:
    desk.apply(desk.file("a"), desk.file("b"))
    desk.kubectl("wait", "--for=condition=Ready", "file/a", "file/b", "--timeout=20s")
    assert (desk.content("a"), desk.content("b")) == ("hello", "hello")


def test_wait_for_ready_after_an_edit_waits_for_the_edit(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    desk.ready("a")
    with desk.operator.unseen():
        desk.apply(desk.file("a", "edited"))
        waited = desk.kubectl("wait", "--for=condition=Ready", "file/a", "--timeout=1s", check=False)
        assert (waited.code, "timed out" in waited.err) == (1, True), waited
    desk.kubectl("wait", "--for=condition=Ready", "file/a", "--timeout=20s")
    assert desk.content("a") == "edited"


def test_wait_for_delete_returns_when_the_thing_is_gone(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    desk.ready("a")
    desk.kubectl("delete", "file", "a", "--timeout=20s")
    assert desk.content("a") is None


def test_get_shows_how_it_is_and_why_not(desk: Desk) -> None:
    desk.apply(desk.file("good"), desk.file("bad", dependsOn="[File/absent]"))
    desk.ready("good")
    desk.because("bad", "DependencyMissing")
    table = desk.kubectl("get", "files").out.splitlines()
    rows = {row.split()[0]: row.split()[1:3] for row in table}
    assert rows == {"NAME": ["READY", "REASON"], "good": ["True", "Converged"], "bad": ["False", "DependencyMissing"]}
    wide = desk.kubectl("get", "files", "-o", "wide").out.splitlines()
    assert {"PATH", "NODE", "MESSAGE"} <= set(wide[0].split())
    assert any(row.startswith("good") and str(desk.world / "good") in row for row in wide)
    assert any(row.startswith("bad") and "/absent" in row for row in wide)


def test_all_kinds_are_listed_by_their_category(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    assert "file.pegasus2.dev/a" in desk.kubectl("get", "pegasus2", "-o", "name").out.splitlines()


def test_diff_finds_nothing_after_apply_and_names_an_edit(desk: Desk) -> None:
    document = desk.file("a")
    desk.apply(document)
    desk.ready("a")
    same = desk.kubectl("diff", "-f", "-", stdin=document, check=False)
    assert (same.code, same.out) == (0, "")
    other = desk.kubectl("diff", "-f", "-", stdin=desk.file("a", "edited"), check=False)
    assert other.code == 1
    changed = [line for line in other.out.splitlines() if line.startswith(("+  ", "-  "))]
    assert changed == ["-  generation: 1", "+  generation: 2", "-  content: hello", "+  content: edited"]


def test_describe_tells_what_was_done(desk: Desk) -> None:
    desk.apply(desk.file("a"))
    desk.ready("a")
    eventually(lambda: "Created" in desk.kubectl("describe", "file", "a").out, "describe tells of the creation")


def test_explain_teaches_the_fields(desk: Desk) -> None:
    shown = desk.kubectl("explain", "file.spec.mode").out
    assert "FIELD: mode <string>" in shown
    assert "DESCRIPTION" in shown


def test_wrong_field_is_refused_with_its_name(desk: Desk) -> None:
    shown = desk.kubectl("apply", "-f", "-", stdin=desk.file("a", contnet="x"), check=False)
    assert shown.code != 0
    assert 'unknown field "spec.contnet"' in shown.err
    assert desk.find("a") is None
