"""Rebuilds the inventory from the marks in the world. Wiring calls it, for `p2 recover` and where a database has gone.

Nothing in the world is changed by it. What is found becomes a record that says so (`recovered`): it is taken up by whoever
declares it, and until then held back from deletion (`prune.py`), for nobody knows why it is declared no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.engine.agent import Agent, Context, Failure, Lists, Owned, Seen
from controller.engine.asking import listed, observe
from controller.engine.ledger import recorded
from controller.engine.parts import AgentOf
from controller.engine.stores import Inventory, Record
from resources.meta import DeletionPolicy, Key, Resource


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


def doubt(inventory: Inventory) -> None:
    """Nothing that is recorded may go before somebody declares it again, or says so: the inventory is older than the world."""
    records = (record for source in inventory.sources() for record in inventory.records(source).values())
    if doubtful := [replace(record, recovered=True) for record in records if not record.recovered]:
        inventory.confirm(doubtful)


def forget_gone(inventory: Inventory, agent_of: AgentOf, ctx: Context) -> list[Key]:
    """Forgets what is recorded as recovered and is not there any more. Returns its keys. Raises NotKept."""
    by_kind: dict[str, dict[Key, Resource]] = {}
    for record in (record for source in inventory.sources() for record in inventory.records(source).values()):
        settled = record.recovered and not (record.intent or record.kept)
        if settled and (resource := recorded(record)):
            by_kind.setdefault(record.key.kind, {})[record.key] = resource
    gone: list[Key] = []
    for kind, resources in by_kind.items():
        if agent := agent_of(kind):
            seen = observe(agent, list(resources.values()), ctx)
            gone += [key for key in resources if isinstance(found := seen[key], Seen) and found.value is None]
    if gone:
        inventory.forget(gone)
    return sorted(gone)


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
