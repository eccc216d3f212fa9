"""Asks all systems that an agent stands for, side by side: `p2 images` and `p2 top` show what is on each engine.

The agent's own must answer. Of another one that does not, it is said; it takes nothing from what the others have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from controller.surfaces.cli.command import Refused

if TYPE_CHECKING:
    from controller.wiring.workspace import Workspace

PATIENCE = 10.0  # seconds for which another system is waited for: it may be one that hangs

_LATE = f"cannot wait for its answer: there was none within {PATIENCE:g} s"

T = TypeVar("T")


@dataclass(slots=True)
class Answers(Generic[T]):
    """By place; empty: the agent's own system. `away`: why there is nothing of a place."""

    found: dict[str, list[T]]
    away: dict[str, str]


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
    answers = [
        _Answer(place, agent, ask) for places in agents for place, agent in places.items() if place not in without
    ]
    own, others = [each for each in answers if not each.place], [each for each in answers if each.place]
    # Daemons: the command need not wait for one that hangs when it ends.
    threads = [Thread(target=each.find, daemon=True) for each in others]
    for thread in threads:
        thread.start()
    given_up = time.monotonic() + PATIENCE
    for each in own:
        each.find()
        if each.away:
            raise Refused(each.away)
    for thread in threads:
        thread.join(max(0.0, given_up - time.monotonic()))
    found: dict[str, list[T]] = {}
    away = dict(without)
    for each in sorted(answers, key=lambda each: each.place):
        got = each.found
        if got is None:
            away.setdefault(each.place, each.away or _LATE)
        else:
            found.setdefault(each.place, []).extend(got)
    return Answers({place: items for place, items in found.items() if place not in away}, away)


class _Answer(Generic[T]):
    """Of one agent, written by one thread and left alone by all others: a late one changes nothing that is read."""

    def __init__(self, place: str, agent: Any, ask: Callable[[Any, str], list[T]]) -> None:
        self.place, self.away = place, ""
        self.found: list[T] | None = None
        self._agent, self._ask = agent, ask

    def find(self) -> None:
        from controller.engine.agent import Retry, Stalled

        try:
            self.found = self._ask(self._agent, self.place)
        except (Retry, Stalled) as failure:
            self.away = failure.message
        except Exception as error:  # a mistake of ours about one place takes nothing from the others
            if not self.place:
                raise
            self.away = f"cannot make sense of its answer: {error!r}"
