"""A restart that somebody has asked for: carried out, and written down. The manager calls it while it holds the key.

Nothing is written ahead but the audit's entry: a thing that stands still because a restart was broken off is drift, and healed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.engine.agent import Agent, Done, Failure, Retry, Stalled
from controller.engine.audit import AuditEntry, Ending
from controller.engine.by_hand import Restarts
from controller.engine.parts import Parts
from controller.engine.requests import Request
from controller.engine.stores import Level
from resources.meta import Key, Resource

ACTION = "restart"


def restarted(parts: Parts, agent: Agent[Any, Any], key: Key, resource: Resource, request: Request) -> Done | Failure:
    """Restarts the thing of `key`, with an event and an entry of the audit. Raises NotKept."""
    assert isinstance(agent, Restarts)
    clock, audit = parts.clock, parts.stores.audit
    begun = clock.monotonic()
    entry = AuditEntry(clock.wall(), ACTION, key=key, user=request.user, command=request.command)
    audit.begin({str(key): entry})
    outcome: Done | Failure
    try:
        outcome = agent.restart(resource, parts.context)
    except (Retry, Stalled) as failure:
        outcome = failure
    entry = replace(entry, at=clock.wall(), seconds=round(clock.monotonic() - begun, 4))
    if isinstance(outcome, Done):
        parts.board.record(key, Level.NORMAL, "Restarted", f"by {request.user}")
    else:
        entry = replace(entry, outcome=Ending.FAILED, reason=outcome.reason, message=outcome.message)
    audit.end({str(key): entry})
    return outcome
