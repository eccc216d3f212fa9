"""`p2 diff -o json`: the plan as a document for programs, and the file that `p2 apply --plan` takes back.

The format is described in docs/plan-format.md. A change that a reader could trip over gets a new FORMAT.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.words import moment, value
from resources.meta import Key

if TYPE_CHECKING:
    from controller.engine.stores import Hold
    from controller.wiring.outcome import Preview
    from resources.meta import Declared, Problem
    from resources.plan import Change, Plan

FORMAT = "pegasus2.dev/plan/v1"
CLUSTER = "kubernetes:"  # what the source of a plan begins with that was made of a cluster

# A change as (path, observed, desired); an action as its name and its changes.
_Change = tuple[str, Any, Any]
_Action = tuple[str, tuple[_Change, ...]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a plan is about."""

    source: Path  # or the name of a cluster
    only: frozenset[Key] | None = None
    prune: bool = True


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan file, as far as `apply` needs it."""

    scope: Scope
    digest: str
    actions: Mapping[str, _Action]


def document(
    preview: Preview, scope: Scope, declared: Mapping[Key, Declared], problems: Iterable[Problem], now: float
) -> dict[str, Any]:
    """The plan as it is printed. Keys are written in full, times are UTC."""
    return {
        "format": FORMAT,
        "made": moment(now),
        "source": str(scope.source),
        "only": None if scope.only is None else sorted(map(str, scope.only)),
        "prune": scope.prune,
        "digest": preview.digest,
        "actions": [_action(plan) | {"spec": _spec(declared.get(plan.key))} for plan in preview.plans],
        "reported": [_action(plan) for plan in preview.reported],
        "unchanged": [str(key) for key in sorted(preview.unchanged)],
        "held": [hold_document(hold) for hold in preview.holds],
        "unknown": [
            {"key": str(key), "reason": failure.reason, "message": failure.message}
            for key, failure in preview.failures.items()
        ],
        "problems": [problem_document(problem) for problem in problems],
    }


def problem_document(problem: Problem) -> dict[str, Any]:
    """What is wrong with a source, as in `p2 validate -o json`."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "field": problem.field,
        "message": problem.message,
        "key": str(problem.key) if problem.key else None,
    }


def read_plan(path: Path) -> SavedPlan:
    """A plan saved by `p2 diff -o json > FILE`. Raises Refused."""
    try:
        found = json.loads(path.read_text())
        if found["format"] != FORMAT:
            raise Refused(f'cannot use {path}: its format is "{found["format"]}", this program reads {FORMAT}')
        if found["source"].startswith(CLUSTER):
            raise Refused(f"cannot apply {path}: it was made of a cluster, whose operators carry it out: p2 operator")
        only = None if found["only"] is None else frozenset(map(Key.parse, found["only"]))
        scope = Scope(Path(found["source"]), only, bool(found["prune"]))
        actions = {action["key"]: _saved_action(action) for action in found["actions"]}
        return SavedPlan(scope, found["digest"], actions)
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"cannot use {path}: it is not a plan; make one with: p2 diff -o json > {path}") from error


def moved(saved: SavedPlan, preview: Preview) -> Iterator[str]:
    """What is planned otherwise now than in the saved plan, a line each."""
    now = {str(plan.key): _live_action(plan) for plan in preview.plans}
    for key in sorted({*saved.actions, *now}):
        before, after = saved.actions.get(key), now.get(key)
        if before != after:
            yield f"{_short(key)}: {_difference(before, after)}"


def _difference(before: _Action | None, after: _Action | None) -> str:
    if before is None or after is None or before[0] != after[0]:
        return f"was to {before[0] if before else 'stay as it was'}, now is to {after[0] if after else 'stay as it is'}"
    moved = [change for change in after[1] if change not in before[1]]
    gone = {path for path, _, _ in before[1]} - {path for path, _, _ in after[1]}
    parts = [f"{path} is now {value(observed)} -> {value(desired)}" for path, observed, desired in moved]
    return ", ".join([*parts, *(f"{path} no longer differs" for path in sorted(gone))])


def _short(key: str) -> str:
    return Key.parse(key).short


def _saved_action(action: Mapping[str, Any]) -> _Action:
    changes = action["changes"]
    return action["action"], tuple((c["path"], c["observed"], c["desired"]) for c in changes)


def _live_action(plan: Plan) -> _Action:
    return _saved_action(json.loads(json.dumps(_action(plan), default=str)))


def _action(plan: Plan) -> dict[str, Any]:
    return {
        "key": str(plan.key),
        "action": plan.action,
        "disruption": plan.disruption,
        "losesData": plan.loses_data,
        "changes": changes_document(plan.changes),
        "notes": list(plan.notes),
    }


def _spec(declared: Declared | None) -> dict[str, Any] | None:
    return declared.resource.spec.model_dump(mode="json", exclude_unset=True) if declared else None


def changes_document(changes: Collection[Change]) -> list[dict[str, Any]]:
    """Fields that differ, with why."""
    return [{"path": c.path, "observed": c.observed, "desired": c.desired, "why": c.why} for c in changes]


def hold_document(hold: Hold) -> dict[str, Any]:
    """What is held back, as in `p2 confirm -o json`."""
    return {"reason": hold.reason, "message": hold.message, "keys": sorted(map(str, hold.keys))}
