"""Calls into agents, made safe: whatever an agent does, there is an answer for every key, and no secret in it.

The reconciler calls these.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from controller.engine.agent import (
    Agent,
    Context,
    Failure,
    GoesBack,
    Lists,
    Outcome,
    Owned,
    Retry,
    Seen,
    Stalled,
    Step,
    Tidies,
)
from controller.engine.discretion import Discretion
from resources.conditions import Reason
from resources.meta import Key, Resource

log = logging.getLogger(__name__)


def observe(agent: Agent[Any, Any], resources: Sequence[Resource], ctx: Context) -> Mapping[Key, Seen[Any] | Failure]:
    """`agent.observe`, with an answer for every key: what is raised or left out becomes a failure of the keys."""
    discretion = Discretion(ctx.secrets)
    try:
        seen = agent.observe(resources, discretion.context(ctx))
    except (Retry, Stalled) as failure:
        return dict.fromkeys((resource.key for resource in resources), discretion.failure(failure))
    except Exception as error:  # a mistake in one agent must not stop the others
        _log("agent failed to observe", error, resources[0].kind, discretion)
        return dict.fromkeys((resource.key for resource in resources), _mistake(error))
    missing = Retry(Reason.AGENT_ERROR, "cannot observe it: the agent gave no answer")
    return {resource.key: discretion.seen(seen.get(resource.key, missing)) for resource in resources}


def apply(agent: Agent[Any, Any], steps: Sequence[Step[Any, Any]], ctx: Context) -> Mapping[Key, Outcome]:
    """`agent.apply`, with an outcome for every step."""
    discretion = Discretion(ctx.secrets)
    try:
        outcomes = agent.apply(steps, discretion.context(ctx))
    except (Retry, Stalled) as failure:
        return dict.fromkeys((step.key for step in steps), discretion.failure(failure))
    except Exception as error:  # as above
        _log("agent failed to apply", error, steps[0].key.kind, discretion)
        return dict.fromkeys((step.key for step in steps), _mistake(error))
    missing = Retry(Reason.AGENT_ERROR, "cannot tell whether it was applied: the agent gave no outcome")
    return {step.key: discretion.outcome(outcomes.get(step.key, missing)) for step in steps}


def _log(message: str, error: Exception, kind: str, discretion: Discretion) -> None:
    """With the traceback; one that quotes a secret is cleaned first."""
    text = "".join(traceback.format_exception(error))
    cleaned = discretion.cleaned(text)
    if cleaned == text:
        log.error(message, exc_info=error, extra={"kind": kind})
    else:
        log.error(message, extra={"kind": kind, "detail": cleaned})


def tidy(agent: Agent[Any, Any], resources: Sequence[Resource], *, gone: bool) -> None:
    """`agent.tidy`, where it has one. What can't be cleared away stops nothing."""
    if not isinstance(agent, Tidies):
        return
    try:
        agent.tidy(resources, gone=gone)
    except (Retry, Stalled) as failure:
        log.warning("what an interrupted change has left could not be removed", extra={"cause": failure.message})
    except Exception:  # as above
        log.exception("agent failed to tidy up", extra={"kind": resources[0].kind})


def give_up_update(agent: Agent[Any, Any], resource: Resource, why: str) -> str:
    """`agent.give_up_update`: why there is no way back, or nothing."""
    if not isinstance(agent, GoesBack):
        return "its agent knows no way back"
    try:
        return agent.give_up_update(resource, why)
    except (Retry, Stalled) as failure:
        return failure.message
    except Exception as error:  # as above
        log.exception("agent failed to give an update up", extra={"kind": resource.kind})
        return _mistake(error).message


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
