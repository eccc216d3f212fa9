"""A resource whose engine was edited moves: it is made there, and then removed here. `per_engine.py` calls this.

Until both is done the inventory has the spec that was applied last, and with it the engine that the thing is still on; so a
move that is interrupted goes on at the next look, whatever it had got to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from controller.engine.agent import Agent, Context, Done, Outcome, Retry, Seen, Stalled, Started, Step
from resources.docker.engines import engine_of
from resources.meta import DeletionPolicy, Resource
from resources.plan import Action, Change, Disruption, Plan, Why

log = logging.getLogger(__name__)

OWN = "(the agent's own)"  # how a plan shows the engine of a spec that names none


@dataclass(frozen=True, slots=True)
class Move:
    """`desired` names another engine than `last`."""

    desired: Resource
    last: Resource  # as it was applied here

    @property
    def here(self) -> str:
        return engine_of(self.last)

    @property
    def there(self) -> str:
        return engine_of(self.desired)

    def plan(self, agent: Agent[Any, Any], observed: Any) -> Plan:
        """`agent`: that of the engine there, with what it has `observed`. Replaces what is on no engine but the old one."""
        planned = agent.diff(self.desired, None, observed)
        change = Change("engine", self.here or OWN, self.there or OWN, Why.EDITED)
        action = {Action.CREATE: Action.REPLACE, Action.NONE: Action.UPDATE}.get(planned.action, planned.action)
        return replace(
            planned,
            action=action,
            changes=(change, *planned.changes),
            disruption=Disruption.RECREATE,
            notes=(*planned.notes, *self._notes()),
            loses_data=planned.loses_data or (type(self.desired).about.holds_data and observed is None),
        )

    def _notes(self) -> tuple[str, ...]:
        if type(self.desired).about.holds_data:
            return ("what it holds does not move along: it is empty on its new engine",)
        return ()


@dataclass(frozen=True)
class Moving:
    """A move under way. `here` is None for an engine that agents/docker.yaml has no more: what is there is left.

    `same` tells whether both are one engine, by two names: then whatever is there is the very thing.
    """

    move: Move
    step: Step[Any, Any]
    there: Agent[Any, Any]
    here: Agent[Any, Any] | None
    same: Callable[[], bool]
    installation: str
    ctx: Context

    def carry_out(self) -> Outcome:
        """Raises Retry and Stalled."""
        made = self._make()
        if isinstance(made, Done):
            left = self._leave(made)
            return replace(made, message="; ".join(part for part in (made.message, left) if part))
        if isinstance(made, Stalled):
            self._unmake()
        return made

    def _make(self) -> Outcome:
        planned = self.there.diff(self.move.desired, None, self.step.seen.value)
        action = Action.ADOPT if self.step.plan.action is Action.ADOPT else planned.action
        anew = replace(self.step, plan=replace(planned, action=action), last=None)
        return self.there.apply([anew], self.ctx)[self.step.key]

    def _leave(self, made: Done) -> str:
        """Removes the thing here. Returns what to say where it stays."""
        where = f"the engine {self.move.here}" if self.move.here else "the agent's own engine"
        if self.here is None:
            return f"what was on {where} is left there: agents/docker.yaml has it no more"
        if self.move.last.spec.deletionPolicy is DeletionPolicy.RETAIN:
            return f"that on {where} stays there, by its deletionPolicy"
        seen = self._look(self.here, self.move.last)
        if seen.value is None:
            return ""
        if seen.handle == made.handle and self.same():
            return "it was on this engine already, by another name"
        if not self._is_ours(seen):
            return f"that on {where} stays there: it was adopted, and carries no mark of ours"
        self._remove(self.here, self.move.last, seen)
        return ""

    def _unmake(self) -> None:
        """What was made there and is refused goes again: nobody would know of it once the edit is taken back."""
        try:
            seen = self._look(self.there, self.move.desired)
            if seen.value is not None and self._is_ours(seen) and (self.step.seen.value is None or not self.same()):
                self._remove(self.there, self.move.desired, seen)
        except (Retry, Stalled) as failure:
            log.warning("what a move has made could not be removed", extra={"cause": failure.message})

    def _look(self, agent: Agent[Any, Any], resource: Resource) -> Seen[Any]:
        seen = agent.observe([resource], self.ctx)[self.step.key]
        if isinstance(seen, Retry | Stalled):
            raise seen
        return seen

    def _remove(self, agent: Agent[Any, Any], resource: Resource, seen: Seen[Any]) -> None:
        plan = Plan(self.step.key, Action.DELETE, disruption=Disruption.DELETE)
        deletion = replace(self.step, plan=plan, desired=None, last=resource, seen=seen)
        outcome = agent.apply([deletion], self.ctx)[self.step.key]
        if not isinstance(outcome, Done | Started):
            raise outcome

    def _is_ours(self, seen: Seen[Any]) -> bool:
        return seen.mark is not None and (seen.mark.key, seen.mark.installation) == (self.step.key, self.installation)
