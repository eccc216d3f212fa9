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


def move_of(desired: Resource | None, last: Resource | None) -> Move | None:
    """None where it stays."""
    if desired is None or last is None or engine_of(desired) == engine_of(last):
        return None
    return Move(desired, last)


@dataclass(frozen=True, slots=True)
class Move:
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

    def carry_out(
        self,
        step: Step[Any, Any],
        there: Agent[Any, Any],
        here: Agent[Any, Any] | None,
        same: Callable[[], bool],
        installation: str,
        ctx: Context,
    ) -> Outcome:
        """`here` is None for an engine that agents/docker.yaml has no more: what is there is left. `same`: whether both are
        one engine, by two names."""
        made = self._make(step, there, ctx)
        if not isinstance(made, Done):
            if isinstance(made, Stalled):
                self._unmake(step, there, installation, ctx)
            return made
        left = self._leave(step, made, here, same, installation, ctx)
        return replace(made, message="; ".join(part for part in (made.message, left) if part))

    def _make(self, step: Step[Any, Any], there: Agent[Any, Any], ctx: Context) -> Outcome:
        planned = there.diff(self.desired, None, step.seen.value)
        action = Action.ADOPT if step.plan.action is Action.ADOPT else planned.action
        anew = replace(step, plan=replace(planned, action=action), last=None)
        return there.apply([anew], ctx)[step.key]

    def _leave(
        self,
        step: Step[Any, Any],
        made: Done,
        here: Agent[Any, Any] | None,
        same: Callable[[], bool],
        installation: str,
        ctx: Context,
    ) -> str:
        """Removes the thing here. Returns what to say where it stays. Raises Retry and Stalled."""
        where = f"the engine {self.here}" if self.here else "the agent's own engine"
        if here is None:
            return f"what was on {where} is left there: agents/docker.yaml has it no more"
        if self.last.spec.deletionPolicy is DeletionPolicy.RETAIN:
            return f"that on {where} stays there, by its deletionPolicy"
        seen = here.observe([self.last], ctx)[step.key]
        if isinstance(seen, Retry | Stalled):
            raise seen
        if seen.value is None:
            return ""
        if seen.handle == made.handle and same():
            return "it was on this engine already, by another name"
        if not _is_ours(seen, step, installation):
            return f"that on {where} stays there: it was adopted, and carries no mark of ours"
        self._remove(here, self.last, seen, step, ctx)
        return ""

    def _unmake(self, step: Step[Any, Any], there: Agent[Any, Any], installation: str, ctx: Context) -> None:
        """What was made there and is refused goes again: nobody would know of it once the edit is taken back."""
        try:
            seen = there.observe([self.desired], ctx)[step.key]
            if step.seen.value is None and isinstance(seen, Seen) and seen.value and _is_ours(seen, step, installation):
                self._remove(there, self.desired, seen, step, ctx)
        except (Retry, Stalled) as failure:
            log.warning("what a move has made could not be removed", extra={"cause": failure.message})

    def _remove(
        self, agent: Agent[Any, Any], resource: Resource, seen: Seen[Any], step: Step[Any, Any], ctx: Context
    ) -> None:
        plan = Plan(step.key, Action.DELETE, disruption=Disruption.DELETE)
        outcome = agent.apply([replace(step, plan=plan, desired=None, last=resource, seen=seen)], ctx)[step.key]
        if not isinstance(outcome, Done | Started):
            raise outcome


def _is_ours(seen: Seen[Any], step: Step[Any, Any], installation: str) -> bool:
    return seen.mark is not None and (seen.mark.key, seen.mark.installation) == (step.key, installation)
