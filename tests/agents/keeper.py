"""Drives an agent as the loop would, without the loop's guards: for the contract suite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.engine.agent import Agent, Context, Done, Mark, Outcome, Seen, Started, Step
from resources.meta import Key, Resource
from resources.plan import Action, Plan
from tests.agents.world import INSTALLATION, World

PATIENCE = 200  # looks until what was started must be done


class Keeper:
    """Remembers what an inventory would: what was applied last, handles, notes of adoptions."""

    def __init__(self, world: World[Any], agent: Agent[Any, Any] | None = None) -> None:
        self._world = world
        self.agent = agent or world.agent
        self.reports: list[tuple[Key, float | None, str]] = []
        self.context = Context(world.secrets, lambda *report: self.reports.append(report))
        self.last: dict[Key, Resource] = {}
        self.handles: dict[Key, str] = {}
        self._kept: dict[Key, str] = {}

    def look(self, resource: Resource) -> Seen[Any]:
        seen = self.agent.observe([resource], self.context)[resource.key]
        assert isinstance(seen, Seen), f"cannot look at {resource.key.short}: {seen!r}"
        return seen

    def plan(self, resource: Resource) -> Plan:
        return self.agent.diff(resource, self.last.get(resource.key), self.look(resource).value)

    def step(self, resource: Resource, plan: Plan) -> Step[Any, Any]:
        return Step(
            plan=plan,
            desired=None if plan.action is Action.DELETE else resource,
            last=self.last.get(resource.key, resource if plan.action is Action.DELETE else None),
            seen=self.look(resource),
            mark=Mark(resource.key, INSTALLATION, 1, "digest"),
            kept=self._kept.get(resource.key, ""),
        )

    def steps(self, *resources: Resource) -> list[Step[Any, Any]]:
        """What is to be done so that each is as declared."""
        return [self.step(resource, self.plan(resource)) for resource in resources]

    def deletions(self, *resources: Resource) -> list[Step[Any, Any]]:
        return [self.step(resource, Plan(resource.key, Action.DELETE)) for resource in resources]

    def adoption(self, resource: Resource) -> Step[Any, Any]:
        return self.step(resource, replace(self.plan(resource), action=Action.ADOPT))

    def apply(self, steps: Sequence[Step[Any, Any]]) -> Mapping[Key, Outcome]:
        """Carries out as many steps at once as the agent takes, and remembers what was done."""
        outcomes: dict[Key, Outcome] = {}
        for start in range(0, len(steps), self.agent.batch):
            chunk = steps[start : start + self.agent.batch]
            outcomes |= self.agent.apply(chunk, self.context)
        for step in steps:
            if isinstance(outcome := outcomes[step.key], Done | Started):
                self._remember(step, outcome)
        return outcomes

    def _remember(self, step: Step[Any, Any], outcome: Done | Started) -> None:
        if step.desired is None:
            for memory in (self.last, self.handles, self._kept):
                memory.pop(step.key, None)
            return
        self.last[step.key] = step.desired
        if isinstance(outcome, Done):
            self.handles[step.key] = outcome.handle
            if outcome.kept is not None:
                self._kept[step.key] = outcome.kept

    def make(self, *resources: Resource) -> None:
        """Makes each as declared, and waits until it is."""
        self.succeed(self.steps(*resources))
        self._await(resources)

    def delete(self, *resources: Resource) -> None:
        self.succeed(self.deletions(*resources))

    def succeed(self, steps: Sequence[Step[Any, Any]]) -> None:
        for key, outcome in self.apply(steps).items():
            assert isinstance(outcome, Done | Started), f"cannot apply {key.short}: {outcome!r}"

    def _await(self, resources: Iterable[Resource]) -> None:
        for resource in resources:
            for _ in range(PATIENCE):
                if self.look(resource).health.reason != "Progressing":
                    break
                self._world.later()
