"""What an operator tells of its machine, beside what the machine itself tells. `operator.py` hands it to the Machine."""

from __future__ import annotations

from collections.abc import Mapping

from controller.engine.agent import AgentHealth, healths
from controller.engine.brakes import withheld
from controller.engine.parts import Parts
from controller.engine.stores import Stores
from resources import kinds
from resources.conditions import Truth


def health(parts: Parts) -> Mapping[str, AgentHealth]:
    """Of the systems behind every kind, by name. Blocks."""
    found: dict[str, AgentHealth] = {}
    for kind in kinds.names():
        agent = parts.agent_of(kind)
        if agent and agent.system not in found:
            found |= healths(agent, parts.context)
    return found


def brake(stores: Stores) -> str:
    """Why nothing is changed on this machine now; empty when all is."""
    return next((withheld(each) for each in stores.brakes.all()), "")


def tally(stores: Stores) -> tuple[int, int]:
    """How many resources there are, and how many of them are Ready."""
    counts = stores.statuses.tally()
    return sum(counts.values()), sum(count for (_, ready), count in counts.items() if ready is Truth.TRUE)
