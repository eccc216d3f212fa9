"""The agent of kinds that stand for others and have none of their own: nothing in the world, but how its parts are.

Wiring gives it to every kind that `expands` and has no agent. What it says of a resource, the board knows already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from controller.engine.agent import Agent, Context, Done, Health, Mark, Outcome, Seen, Step
from controller.engine.board import Board
from controller.engine.index import Index
from controller.engine.parts import AgentOf
from resources.conditions import Reason, Type
from resources.kinds import model_of
from resources.meta import Key, Resource
from resources.plan import Action, Plan


@dataclass(frozen=True)
class Standing:
    """That a resource stands for others; there is nothing more to observe of it."""


class Groups(Agent[Resource, Standing]):
    system: ClassVar[str] = "groups"
    batch: ClassVar[int] = 64

    def __init__(self, index: Index, board: Board, installation: str) -> None:
        self._index = index
        self._board = board
        self._installation = installation

    def observe(self, resources: Sequence[Resource], ctx: Context) -> Mapping[Key, Seen[Standing]]:
        return {each.key: self._seen(each.key) for each in resources}

    def _seen(self, key: Key) -> Seen[Standing]:
        mark = Mark(key, self._installation, 0)
        return Seen(Standing(), str(key), mark, self._health(key))

    def _health(self, key: Key) -> Health:
        waiting, parts = [], sorted(self._index.children(key))
        for part in parts:
            entry, status = self._index.find(part), self._board.status(part)
            current = status if entry and status and status.observed_generation == entry.generation else None
            if entry is None or (current and current.ready):
                continue
            if current and current.condition(Type.STALLED):
                return Health(False, current.reason, f"{part.short}: {current.message}", stalled=True)
            waiting.append(f"{part.short}: {status.message}" if status and status.message else part.short)
        if not waiting:
            return Health()
        message = f"{len(parts) - len(waiting)} of {len(parts)} Ready; waits for {waiting[0]}"
        return Health(False, Reason.PROGRESSING, message, awaits=True)

    def diff(self, desired: Resource, last: Resource | None, observed: Standing | None) -> Plan:
        return Plan(desired.key, Action.NONE)

    def apply(self, steps: Sequence[Step[Resource, Standing]], ctx: Context) -> Mapping[Key, Outcome]:
        """Deletions: there is nothing to be done but to forget it, once all that it stood for is gone."""
        return {step.key: Done(message="with all that it stood for") for step in steps}


def with_groups(agent_of: AgentOf, index: Index, board: Board, installation: str) -> AgentOf:
    """`agent_of`, which knows those kinds, too."""
    groups = Groups(index, board, installation)

    def found(kind: str) -> Agent[Any, Any] | None:
        if (agent := agent_of(kind)) and not isinstance(agent, Groups):  # another loop's know nothing of this one's
            return agent
        model = model_of(kind)
        return groups if model and model.expands else None

    return found
