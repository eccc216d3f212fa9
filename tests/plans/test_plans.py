"""Runs the cases in `tests/plans/<kind>/*.yaml`: desired spec, last applied spec and what was observed make which plan.

A file is a list of cases:

    - name: edited content is written
      desired: {path: /etc/motd, content: new}    # a spec
      last: {path: /etc/motd, content: old}       # a spec; absent or null: never applied
      observed: {type: file, content: old, ...}   # fields of the kind's Observed; absent or null: no such thing
      plan:
        action: update                            # of a change only what the case names is compared
        changes: [{path: content, observed: old, desired: new, why: edited}]
        disruption: none                          # this is also the default, as no changes are
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from controller.agents.discovery import agent_of, client_module
from controller.engine.agent import Agent, Setup
from resources.kinds import model_of, resolve
from resources.meta import API_VERSION, Resource, SecretRef
from resources.plan import Action, Change, Disruption

HERE = Path(__file__).parent


class Expected(BaseModel):
    model_config = ConfigDict(extra="forbid")

    action: Action
    changes: list[dict[str, Any]] = []
    disruption: Disruption = Disruption.NOTHING
    loses_data: bool = False


class Case(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    desired: dict[str, Any]
    last: dict[str, Any] | None = None
    observed: dict[str, Any] | None = None
    plan: Expected


def cases() -> Iterator[Any]:
    for file in sorted(HERE.glob("*/*.yaml")):
        for document in yaml.safe_load(file.read_text()):
            case = Case.model_validate(document)
            yield pytest.param(
                file.parent.name, case, id=f"{file.parent.name}-{file.stem}-{case.name.replace(' ', '-')}"
            )


@pytest.mark.parametrize(("folder", "case"), list(cases()))
def test_plan(folder: str, case: Case, home: Path) -> None:
    kind = resolve(folder)
    assert kind is not None, f"no kind is called {folder}"
    agent = diffing_agent(kind, home)
    last = resource(kind, case.last) if case.last is not None else None
    observed = TypeAdapter(observed_class(agent)).validate_python(case.observed) if case.observed is not None else None

    plan = agent.diff(resource(kind, case.desired), last, observed)

    assert plan.action == case.plan.action, plan.changes
    assert [change.path for change in plan.changes] == [change["path"] for change in case.plan.changes]
    for found, expected in zip(plan.changes, case.plan.changes, strict=True):
        assert {name: shown(found)[name] for name in expected} == expected
    assert plan.disruption == case.plan.disruption
    assert plan.loses_data == case.plan.loses_data


def resource(kind: str, spec: Mapping[str, Any]) -> Resource:
    model = model_of(kind)
    assert model is not None
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "sample"}, "spec": spec}
    return model.model_validate(document, context={"base": "/manifests"})


def diffing_agent(kind: str, home: Path) -> Agent[Any, Any]:
    found = agent_of(kind)
    assert found is not None
    setup = Setup("test", home, NoSecrets(), read_only=True)
    return found(client_module(found).connect(setup), setup)  # type: ignore[call-arg]


def observed_class(agent: Agent[Any, Any]) -> Any:
    """`O` of the `Agent[R, O]` that the agent's class derives from."""
    [base] = [base for base in type(agent).__orig_bases__ if get_args(base)]  # type: ignore[attr-defined]
    return get_args(base)[1]


def shown(change: Change) -> dict[str, Any]:
    return {"path": change.path, "observed": change.observed, "desired": change.desired, "why": change.why}


class NoSecrets:
    def reveal(self, ref: SecretRef, namespace: str) -> str:
        raise AssertionError("a diff is pure and reveals nothing")

    def digest(self, value: str) -> str:
        raise AssertionError("a diff is pure and asks for no digests")
