"""Drives the agent of kind `File` as the loop does (observe, diff, apply, observe), and keeps what the inventory would."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.agents.environment.client import connect
from controller.agents.environment.file import FileAgent
from controller.engine.agent import Context, Done, Mark, Outcome, Seen, Setup, Step
from resources.kinds.file import File, FileObserved
from resources.meta import SecretRef
from resources.plan import Action, Disruption, Plan


class NoSecrets:
    def reveal(self, ref: SecretRef, namespace: str) -> str:
        raise AssertionError("files have no secrets")

    def digest(self, value: str) -> str:
        raise AssertionError("files have no secrets")


CONTEXT = Context(NoSecrets())


def file_agent(home: Path, *, read_only: bool = False) -> FileAgent:
    setup = Setup("test", home, NoSecrets(), read_only=read_only)
    return FileAgent(connect(setup), setup)


def declare(path: Path | str, name: str = "sample", **spec: Any) -> File:
    document = {
        "apiVersion": "pegasus2.dev/v1",
        "kind": "File",
        "metadata": {"name": name},
        "spec": {"path": str(path), **spec},
    }
    return File.model_validate(document)


class Driver:
    """One resource and what is remembered of it between passes."""

    def __init__(self, home: Path) -> None:
        self.agent = file_agent(home)
        self.last: File | None = None
        self.handle = ""
        self.kept = ""

    def see(self, resource: File) -> Seen[FileObserved]:
        seen = self.agent.observe([resource], CONTEXT)[resource.key]
        assert isinstance(seen, Seen), seen
        return seen

    def plan(self, resource: File) -> Plan:
        return self.agent.diff(resource, self.last, self.see(resource).value)

    def owns(self, resource: File) -> bool:
        return self.agent.same_owner(self.handle, self.see(resource))

    def attempt(self, resource: File, action: Action | None = None) -> Outcome:
        """Carries out what differs, as `action` where the loop would say so."""
        plan = self.plan(resource)
        plan = replace(plan, action=action) if action else plan
        step = Step(plan, resource, self.last, self.see(resource), Mark(resource.key, "test", 1), self.kept)
        return self._carry_out(step)

    def make(self, resource: File, action: Action | None = None) -> Done:
        """As `attempt`; it must succeed, and a second look must find nothing to do."""
        outcome = self.attempt(resource, action)
        assert isinstance(outcome, Done), outcome
        self.last, self.handle = resource, outcome.handle
        assert self.plan(resource).empty
        assert self.owns(resource)
        return outcome

    def delete(self) -> Done:
        assert self.last is not None
        plan = Plan(self.last.key, Action.DELETE, disruption=Disruption.DELETE)
        seen = self.see(self.last)
        outcome = self._carry_out(Step(plan, None, self.last, seen, Mark(self.last.key, "test", 1), self.kept))
        assert isinstance(outcome, Done), outcome
        return outcome

    def _carry_out(self, step: Step[File, FileObserved]) -> Outcome:
        outcome = self.agent.apply([step], CONTEXT)[step.key]
        if isinstance(outcome, Done) and outcome.kept is not None:
            self.kept = outcome.kept
        return outcome


def create_all(agent: FileAgent, resources: Sequence[File]) -> None:
    """Makes many in one call."""
    seen = agent.observe(resources, CONTEXT)
    steps = []
    for resource in resources:
        found = seen[resource.key]
        assert isinstance(found, Seen)
        plan = agent.diff(resource, None, found.value)
        steps.append(Step(plan, resource, None, found, Mark(resource.key, "test", 1)))
    for outcome in agent.apply(steps, CONTEXT).values():
        assert isinstance(outcome, Done), outcome


def empty_directory(parent: Path) -> Path:
    """A directory for what a test declares."""
    path = parent / "place"
    path.mkdir()
    return path


def mode(path: Path) -> str:
    """Permissions of what is at `path` itself, in octal."""
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


def names(directory: Path) -> list[str]:
    """What is in a directory, sorted."""
    return sorted(path.name for path in directory.iterdir())
