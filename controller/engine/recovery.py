"""Rebuilds the inventory from the marks in the world. Wiring calls it, for `p2 recover` and where a database has gone.

Nothing in the world is changed by it. What is found becomes a record that says so (`recovered`): it is taken up by whoever
declares it, and until then held back from deletion (`prune.py`), for nobody knows why it is declared no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.engine.agent import Agent, Context, Failure, Lists, Owned
from controller.engine.asking import listed
from controller.engine.stores import Inventory, Record
from resources.meta import DeletionPolicy, Key


@dataclass(frozen=True, slots=True)
class Marks:
    """What carries a mark, and the systems that could not be asked, with why."""

    owned: tuple[Owned, ...]
    unanswered: Mapping[str, str]


def marks_in_the_world(agents: Iterable[Agent[Any, Any]], ctx: Context) -> Marks:
    """Asks every agent that can tell. A system that can't be asked is named, and stops no other."""
    owned: list[Owned] = []
    unanswered: dict[str, str] = {}
    for agent in agents:
        if not isinstance(agent, Lists) or agent.system in unanswered:
            continue
        answer = listed(agent, ctx)
        if isinstance(answer, Failure):
            unanswered[agent.system] = answer.message
        else:
            owned.extend(answer)
    return Marks(tuple(owned), unanswered)


def recover(inventory: Inventory, owned: Iterable[Owned], source: str, declared: Collection[Key] = ()) -> list[Key]:
    """Writes down what is found and not recorded yet, as of `source`. Returns its keys. Raises NotKept."""
    found = [
        _record(each, source, each.mark.key not in declared) for each in owned if not inventory.find(each.mark.key)
    ]
    if found:
        inventory.confirm(found)
    return sorted(record.key for record in found)


def _record(owned: Owned, source: str, recovered: bool) -> Record:
    """Without a digest: what was applied last is not known, and the next look takes the thing up by its mark."""
    resource = owned.resource
    return Record(
        owned.mark.key,
        source,
        owned.mark.generation,
        handle=owned.handle,
        applied=resource.model_dump_json(exclude_unset=True) if resource else "",
        retain=resource is not None and resource.spec.deletionPolicy is DeletionPolicy.RETAIN,
        recovered=recovered,
    )
