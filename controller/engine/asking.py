"""Calls into agents, made safe: whatever an agent does, there is an answer for every key. The reconciler calls these."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from controller.engine.agent import Agent, Context, Failure, Lists, Outcome, Owned, Retry, Seen, Stalled, Step
from resources.conditions import Reason
from resources.meta import Key, Resource

log = logging.getLogger(__name__)


def observe(agent: Agent[Any, Any], resources: Sequence[Resource], ctx: Context) -> Mapping[Key, Seen[Any] | Failure]:
    """`agent.observe`, with an answer for every key: what is raised or left out becomes a failure of the keys."""
    try:
        seen = agent.observe(resources, ctx)
    except (Retry, Stalled) as failure:
        return dict.fromkeys((resource.key for resource in resources), failure)
    except Exception as error:  # a mistake in one agent must not stop the others
        log.exception("agent failed to observe", extra={"kind": resources[0].kind})
        return dict.fromkeys((resource.key for resource in resources), _mistake(error))
    missing = Retry(Reason.AGENT_ERROR, "cannot observe it: the agent gave no answer")
    return {resource.key: seen.get(resource.key, missing) for resource in resources}


def apply(agent: Agent[Any, Any], steps: Sequence[Step[Any, Any]], ctx: Context) -> Mapping[Key, Outcome]:
    """`agent.apply`, with an outcome for every step."""
    try:
        outcomes = agent.apply(steps, ctx)
    except (Retry, Stalled) as failure:
        return dict.fromkeys((step.key for step in steps), failure)
    except Exception as error:  # as above
        log.exception("agent failed to apply", extra={"kind": steps[0].key.kind})
        return dict.fromkeys((step.key for step in steps), _mistake(error))
    missing = Retry(Reason.AGENT_ERROR, "cannot tell whether it was applied: the agent gave no outcome")
    return {step.key: outcomes.get(step.key, missing) for step in steps}


def listed(agent: Lists, ctx: Context) -> Sequence[Owned] | Failure:
    """`agent.owned`, or why it can't be said."""
    try:
        return list(agent.owned(ctx))
    except (Retry, Stalled) as failure:
        return failure
    except Exception as error:  # as above
        log.exception("agent failed to list what is ours")
        return _mistake(error)


def _mistake(error: Exception) -> Retry:
    return Retry(
        Reason.AGENT_ERROR, f"cannot go on: a mistake in the agent ({type(error).__name__}); the log has the details"
    )
