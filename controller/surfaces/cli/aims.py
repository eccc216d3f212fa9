"""What `logs`, `exec`, `restart` and `top` are about: the things behind the names that were typed, if their agents can do it.

What was applied last is what is there, so the inventory is asked first; the source only for what was never applied. An owner,
such as a Compose project, stands for all that it owns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.keys import key_named, known

if TYPE_CHECKING:
    from controller.engine.agent import Agent
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Resource


@dataclass(frozen=True, slots=True)
class Aim:
    """One thing. `resource` is as it was applied last, or as declared where it is not `owned` yet."""

    key: Key
    resource: Resource
    agent: Agent[Any, Any]
    owned: bool
    dependencies: frozenset[Key]


@dataclass(frozen=True, slots=True)
class _Known:
    resource: Resource
    owner: Key | None
    owned: bool
    dependencies: frozenset[Key]


def aimed(workspace: Workspace, texts: Iterable[str], capability: type, verb: str) -> list[Aim]:
    """Each thing once, in the order of the names. Raises Refused; `verb` says what can't be done, as in "cannot restart X"."""
    keys = [key_named(text) for text in texts]
    if not keys:
        raise Refused("cannot tell what is meant: name at least one KIND/NAME; p2 get lists them")
    things = _recorded(workspace)
    if any(key not in things and not list(_children(key, things)) for key in keys):
        workspace.load(partly=True)
        things = _declared(workspace) | things
    owners = {thing.owner for thing in things.values() if thing.owner}
    known(keys, things.keys() | owners, "what is declared or owned")
    found: dict[Key, Aim] = {}
    for key in keys:
        behind = list(_behind(workspace, key, things, capability))
        if not behind:
            raise Refused(_incapable(workspace, key, capability, verb))
        found.update((each.key, each) for each in behind)
    return list(found.values())


def _recorded(workspace: Workspace) -> dict[Key, _Known]:
    from controller.engine.ledger import recorded

    inventory = workspace.stores.inventory
    return {
        key: _Known(resource, record.owner, True, record.dependencies)
        for source in inventory.sources()
        for key, record in inventory.records(source).items()
        if (resource := recorded(record))
    }


def _declared(workspace: Workspace) -> dict[Key, _Known]:
    return {
        key: _Known(entry.resource, entry.owner, False, entry.dependencies)
        for key, entry in workspace.entries().items()
    }


def _children(key: Key, things: Mapping[Key, _Known]) -> Iterator[Key]:
    return (child for child, thing in sorted(things.items()) if thing.owner == key)


def _behind(workspace: Workspace, key: Key, things: Mapping[Key, _Known], capability: type) -> Iterator[Aim]:
    agent, thing = workspace.parts.agent_of(key.kind), things.get(key)
    if thing and agent and isinstance(agent, capability):
        yield Aim(key, thing.resource, agent, thing.owned, thing.dependencies)
        return
    for child in _children(key, things):
        yield from _behind(workspace, child, things, capability)


def _incapable(workspace: Workspace, key: Key, capability: type, verb: str) -> str:
    from resources import kinds

    able = [kind for kind in kinds.names() if isinstance(workspace.parts.agent_of(kind), capability)]
    those = f"{' and '.join(able) or 'no kind'}, and with what owns such"
    return f"cannot {verb} {key.short}: that goes with {those}; p2 get lists them"
