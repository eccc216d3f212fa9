"""Asks all systems that an agent stands for, side by side: `p2 images` and `p2 top` show what is on each engine.

The agent's own must answer. Of another one that does not, it is said; it takes nothing from what the others have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from controller.surfaces.cli.command import Refused

if TYPE_CHECKING:
    from controller.wiring.workspace import Workspace

PATIENCE = 10.0  # seconds for which another system is waited for: it may be one that hangs

T = TypeVar("T")


@dataclass(slots=True)
class Answers(Generic[T]):
    """By place; empty: the agent's own system. `away`: why there is nothing of a place."""

    found: dict[str, list[T]] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)


def agents_of(workspace: Workspace, capability: type) -> list[Mapping[str, Any]]:
    """Of each kind whose agent can do it: the agents behind it, by place."""
    from controller.engine.by_hand import Spreads
    from resources import kinds

    found: list[Any] = [workspace.parts.agent_of(kind) for kind in kinds.names()]
    able = [agent for agent in found if isinstance(agent, capability)]
    return [agent.by_place() if isinstance(agent, Spreads) else {"": agent} for agent in able]


def left_out(away: Mapping[str, str]) -> list[str]:
    """What is said of each that did not answer."""
    return [f"without {place}: {reason}" for place, reason in sorted(away.items())]


def ask_all(
    agents: list[Mapping[str, Any]], ask: Callable[[Any, str], list[T]], without: Mapping[str, str]
) -> Answers[T]:
    """What `ask` gives for each agent and its place. `without`: places that are not asked. Raises Refused."""
    from controller.engine.agent import Retry, Stalled

    answers: Answers[T] = Answers(away=dict(without))

    def find(agent: Any, place: str) -> None:
        try:
            answers.found.setdefault(place, []).extend(ask(agent, place))
        except (Retry, Stalled) as failure:
            answers.away[place] = failure.message

    asked = [(agent, place) for places in agents for place, agent in places.items() if place not in without]
    own = [each for each in asked if not each[1]]
    # Daemons: the command need not wait for one that hangs when it ends.
    threads = [(place, Thread(target=find, args=(agent, place), daemon=True)) for agent, place in asked if place]
    for _, thread in threads:
        thread.start()
    for agent, place in own:
        find(agent, place)
        if place in answers.away:
            raise Refused(answers.away[place])
    for place, thread in threads:
        thread.join(PATIENCE)
        if thread.is_alive():
            answers.away.setdefault(place, f"cannot wait for its answer: there was none within {PATIENCE:g} s")
    found = {place: list(each) for place, each in answers.found.items() if place not in answers.away}
    return Answers(dict(sorted(found.items())), dict(answers.away))
