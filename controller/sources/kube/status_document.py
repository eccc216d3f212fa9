"""A status as the API server keeps it, made of what the loop says. Pure; `publishing.py` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controller.engine.diff import plain
from controller.sources.kube.catalogue import Taken
from controller.sources.kube.objects import Json, Object
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.kinds import model_of
from resources.meta import DEFAULT_NAMESPACE

LONGEST = 30_000  # characters of a message; the definitions allow 32,768
FIELDS = ("observedGeneration", "conditions", "node", "handle", "drift")


def status_document(taken: Taken, status: Status | None, node: str, now: float) -> Json:
    """What is to be known of `taken`; empty while nothing has been looked at. `now`: seconds since the epoch."""
    if taken.problem:
        return _unusable(taken, node, now, was_usable=status is not None)
    if status is None:
        return {}
    found = taken.object
    before = found.status.get("observedGeneration") or 0
    current = bool(taken.digest) and status.digest == taken.digest

    def counted(generation: int) -> int:
        """The API server's generation for one of the loop's own counting."""
        return found.generation if current and generation == status.generation else before

    conditions = [
        {
            "type": str(each.type),
            "status": str(each.status),
            "reason": str(each.reason),
            "message": _message(each, found)[:LONGEST],
            "observedGeneration": counted(each.observed_generation),
            "lastTransitionTime": moment(each.since),
        }
        for each in status.conditions
    ]
    drift = [
        {"path": each.path, "observed": plain(each.observed), "desired": plain(each.desired), "why": str(each.why)}
        for each in status.drift
    ]
    document: Json = {"observedGeneration": counted(status.observed_generation), "conditions": conditions, "node": node}
    if status.handle:
        document["handle"] = status.handle
    if drift:
        document["drift"] = json.loads(json.dumps(drift, default=str))
    return document


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two statuses say the same."""
    return all(_compared(one, name) == _compared(other, name) for name in FIELDS)


def moment(at: float) -> str:
    """Seconds since the epoch as the API server writes them."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _compared(document: Mapping[str, Any], name: str) -> Any:
    found = document.get(name) or None
    if name == "conditions" and isinstance(found, list):
        return sorted(found, key=lambda each: str(each.get("type")))
    return found


def _unusable(taken: Taken, node: str, now: float, *, was_usable: bool) -> Json:
    found = taken.object
    old = found.status.get("conditions")
    since = {each.get("type"): each.get("lastTransitionTime") for each in old or () if each.get("status") == "False"}
    conditions = [
        {
            "type": str(kind),
            "status": str(truth),
            "reason": str(Reason.SOURCE_INVALID),
            "message": f"{taken.problem}{'; what was declared before it stays in force' if was_usable else ''}"[
                :LONGEST
            ],
            "observedGeneration": found.generation,
            "lastTransitionTime": since.get(kind) or moment(now),
        }
        for kind, truth in ((Type.READY, Truth.FALSE), (Type.STALLED, Truth.TRUE))
    ]
    return {"observedGeneration": found.generation, "conditions": conditions, "node": node}


def _message(condition: Condition, found: Object) -> str:
    """With the way out, of an object whose deletion waits for something else than its turn."""
    message = condition.message or "as declared"
    waits = condition.status is not Truth.TRUE and condition.reason not in (Reason.DELETING, Reason.PENDING)
    if found.deleting and condition.type is Type.READY and waits:
        return f"{message}; {way_out(found)}"
    return message


def way_out(found: Object) -> str:
    """How to let an object go whose thing can't be removed."""
    model = model_of(found.key.kind)
    plural = f"{model.about.plural}.pegasus2.dev" if model else found.key.kind
    within = "" if found.key.namespace == DEFAULT_NAMESPACE else f" -n {found.key.namespace}"
    patch = """'{"spec":{"deletionPolicy":"Retain"}}'"""
    return (
        "to let the object go and leave the thing as it is: "
        f"kubectl patch {plural} {found.key.name}{within} --type=merge -p {patch}"
    )
