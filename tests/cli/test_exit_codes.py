"""What the exit codes of diff and apply say, and what each of them has changed by then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.engine.agent import Retry
from controller.engine.stores import Hold
from resources.conditions import Reason
from resources.meta import Problem
from resources.plan import Action
from tests.cli.small_world import CREATE, DELETE, UPDATE, SmallWorkspace, key, p2, plan, preview, status

UNAVAILABLE = {key("c"): Retry(Reason.AGENT_UNAVAILABLE, "cannot reach the engine: start it")}
BROKEN = (Problem("/src/a.yaml", "cannot read this", 3, 5, "spec.image"),)


def test_diff_without_differences_is_0() -> None:
    assert p2(SmallWorkspace(preview(unchanged=2)), "diff").code == 0


def test_diff_with_differences_is_1() -> None:
    assert p2(SmallWorkspace(preview(UPDATE)), "diff").code == 1


def test_diff_with_only_reported_differences_is_1() -> None:
    assert p2(SmallWorkspace(preview(reported=(UPDATE,))), "diff").code == 1


@pytest.mark.parametrize(("reason", "code"), [(Reason.TOO_MANY_DELETES, 1), (Reason.RETAINED, 0)])
def test_diff_counts_what_is_held_unless_the_user_wants_it_kept(reason: Reason, code: int) -> None:
    held = Hold(reason, "why", frozenset({key("old")}))
    assert p2(SmallWorkspace(preview(holds=(held,))), "diff").code == code


def test_diff_is_2_when_an_agent_could_not_answer() -> None:
    shown = p2(SmallWorkspace(preview(UPDATE, failures=UNAVAILABLE)), "diff")
    assert shown.code == 2
    assert "start it" in shown.out


def test_diff_of_an_invalid_source_is_2_and_names_the_place() -> None:
    shown = p2(SmallWorkspace(preview(UPDATE), BROKEN), "diff")
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.splitlines()[0] == "/src/a.yaml:3:5: spec.image: cannot read this"
    assert shown.err.splitlines()[1].startswith("error: cannot use the source: it has 1 problem;")


def test_diff_that_keeps_going_shows_the_rest_and_is_2_all_the_same() -> None:
    shown = p2(SmallWorkspace(preview(UPDATE), BROKEN), "diff", "--keep-going")
    assert shown.code == 2
    assert "Container/web" in shown.out


def test_diff_never_opens_for_writing() -> None:
    workspace = SmallWorkspace(preview(UPDATE))
    p2(workspace, "diff")
    assert workspace.asked[0] == ("open", "reading")


def test_apply_that_converges_is_0() -> None:
    shown = p2(SmallWorkspace(preview(UPDATE, CREATE), ends={key("web"): status(), key("db"): status()}), "apply")
    assert shown.code == 0
    assert shown.out.splitlines()[-1] == "Converged: 1 updated, 1 created; 2 ready"


def test_apply_that_does_not_converge_is_1_and_says_what_is_in_the_way() -> None:
    ends = {key("web"): status(Reason.APPLY_FAILED, "cannot pull x: check the name"), key("db"): status()}
    shown = p2(SmallWorkspace(preview(UPDATE, CREATE), ends=ends, carries_out=0), "apply")
    assert shown.code == 1
    assert shown.out.splitlines()[-3:] == [
        "! Container/web  ApplyFailed",
        "    cannot pull x: check the name",
        "Not converged: nothing done; 1 resource of 2 not ready",
    ]


def test_apply_of_an_invalid_source_is_refused_whole() -> None:
    workspace = SmallWorkspace(preview(UPDATE), BROKEN)
    assert p2(workspace, "apply").code == 2
    assert not workspace.changed_the_world


def test_apply_that_keeps_going_applies_the_rest_and_is_1() -> None:
    workspace = SmallWorkspace(preview(UPDATE), BROKEN, ends={key("web"): status()})
    assert p2(workspace, "apply", "--keep-going").code == 1
    assert workspace.changed_the_world


def test_deletes_without_a_terminal_need_yes() -> None:
    workspace = SmallWorkspace(preview(DELETE))
    shown = p2(workspace, "apply")
    assert shown.code == 2
    assert "add --yes" in shown.err
    assert not workspace.changed_the_world
    assert p2(workspace, "apply", "--yes").code == 0
    assert workspace.changed_the_world


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 2)])
def test_a_terminal_is_asked_before_deletes(answer: bool, code: int) -> None:
    workspace = SmallWorkspace(preview(DELETE))
    shown = p2(workspace, "apply", answer=answer)
    assert shown.code == code
    assert "Delete 1 resource? [y/N]" in shown.err
    assert workspace.changed_the_world is answer


def test_a_replace_that_loses_data_is_asked_for_and_one_that_does_not_is_not() -> None:
    harmless = SmallWorkspace(preview(plan("c", Action.REPLACE)))
    assert p2(harmless, "apply").code == 0
    costly = SmallWorkspace(preview(plan("v", Action.REPLACE, loses_data=True)))
    assert p2(costly, "apply").code == 2
    assert not costly.changed_the_world


def test_interrupted_apply_is_130_and_says_what_was_done_and_what_was_not() -> None:
    workspace = SmallWorkspace(preview(UPDATE, CREATE), ends={}, carries_out=1, cancelled=True)
    shown = p2(workspace, "apply")
    assert shown.code == 130
    assert shown.out.splitlines()[-2:] == [
        "+ Container/db  not created",
        "Interrupted: 1 updated; run it again to go on",
    ]


def test_a_saved_plan_is_applied_while_it_holds(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    saved.write_text(p2(SmallWorkspace(preview(UPDATE)), "diff", "-o", "json").out)
    assert p2(SmallWorkspace(preview(UPDATE)), "apply", "--plan", str(saved)).code == 0


def test_a_saved_plan_is_refused_when_things_have_moved_and_says_what(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    saved.write_text(p2(SmallWorkspace(preview(UPDATE, CREATE)), "diff", "-o", "json").out)
    moved = SmallWorkspace(preview(plan("web", Action.REPLACE), DELETE, digest="d2"))
    shown = p2(moved, "apply", "--yes", "--plan", str(saved))
    assert shown.code == 2
    assert not moved.changed_the_world
    assert shown.err.splitlines()[1:] == [
        "  Container/db: was to create, now is to stay as it is",
        "  Container/old: was to stay as it was, now is to delete",
        "  Container/web: was to update, now is to replace",
    ]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "other/v9"}', "not json"])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    saved = tmp_path / "plan.json"
    saved.write_text(text)
    shown = p2(SmallWorkspace(), "apply", "--plan", str(saved))
    assert shown.code == 2
    assert shown.err.startswith(f"error: cannot use {saved}: ")


def test_a_mistake_of_ours_is_one_line_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(SmallWorkspace):
        def load(self, *, partly: bool = False) -> tuple[Problem, ...]:
            raise RuntimeError("oh")

    shown = p2(Broken(), "diff")
    assert shown.code == 2
    assert shown.err.count("\n") == 1
    assert "RuntimeError: oh" in shown.err
    assert "PEGASUS2_DEBUG=1" in shown.err
    monkeypatch.setenv("PEGASUS2_DEBUG", "1")
    with pytest.raises(RuntimeError):
        p2(Broken(), "diff")


def test_the_plan_for_programs_is_complete(tmp_path: Path) -> None:
    held = Hold(Reason.TOO_MANY_DELETES, "many", frozenset({key("old")}))
    found = preview(UPDATE, unchanged=1, holds=(held,), failures=UNAVAILABLE, reported=(plan("s", Action.UPDATE),))
    document = json.loads(p2(SmallWorkspace(found), "diff", str(tmp_path), "-o", "json").out)
    assert document == {
        "format": "pegasus2.dev/plan/v1",
        "made": "2027-01-15T08:00:00Z",
        "source": str(tmp_path),
        "only": None,
        "prune": True,
        "digest": "d1",
        "actions": [
            {
                "key": "Container/default/web",
                "action": "update",
                "disruption": "restart",
                "losesData": False,
                "changes": [{"path": "env.TZ", "observed": "UTC", "desired": "Europe/Berlin", "why": "edited"}],
                "notes": [],
                "spec": None,
            }
        ],
        "reported": [
            {
                "key": "Container/default/s",
                "action": "update",
                "disruption": "none",
                "losesData": False,
                "changes": [],
                "notes": [],
            }
        ],
        "unchanged": ["Container/default/same0"],
        "held": [{"reason": "TooManyDeletes", "message": "many", "keys": ["Container/default/old"]}],
        "unknown": [
            {
                "key": "Container/default/c",
                "reason": "AgentUnavailable",
                "message": "cannot reach the engine: start it",
            }
        ],
        "problems": [],
    }
