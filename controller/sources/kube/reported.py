"""What the status of an object says, taken back into our words. Pure: what somebody has written into it by hand is no error.

The commands with `--context` show it; `publishing.py` has written it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from controller.engine.stores import Event, Level
from controller.sources.kube.leases import Standing, moment, verdict
from controller.sources.kube.objects import Object
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import Key
from resources.plan import Change, Why


def status_of(found: Object) -> Status | None:
    """How the object is doing; None before anybody has looked at it.

    While what was declared last is being worked on (Reconciling), what is said is about it; else it is about the observed
    generation, and a newer one is still to come.
    """
    said = found.status
    conditions = tuple(_conditions(said))
    if not conditions:
        return None
    observed = _number(said.get("observedGeneration"))
    at_work = any(each.type is Type.RECONCILING and each.status is Truth.TRUE for each in conditions)
    status = Status(
        generation=found.generation if at_work else observed,
        observed_generation=observed,
        conditions=conditions,
        drift=tuple(_drift(said)),
        handle=str(said.get("handle") or ""),
    )
    return _leaving(status, found) if found.deleting else status


def status_in_force(found: Object, standing: Standing) -> Status | None:
    """As `status_of`, but Unknown where the machine that would say it is gone or not there.

    Where no machine has a Lease at all (nobody may have started an operator yet), what the object says holds.
    """
    status = status_of(found)
    pending = status is None or status.generation < found.generation
    if not standing.leases and not pending:
        return status
    derived = verdict(found, standing)
    if derived is None:
        return status
    status = status or Status(0, 0)
    generation = max(status.generation, *(each.observed_generation for each in derived))
    return replace(status, generation=generation, conditions=derived)


def worker_of(found: Object) -> str:
    """The machine whose operator works on it, or is to; empty when nobody has said."""
    return found.node or found.worker


def event_of(body: Mapping[str, Any]) -> Event:
    """A Kubernetes Event, of either generation of that API (https://kubernetes.io/docs/reference/using-api/), as one of ours."""
    about = body.get("involvedObject") or {}
    series = body.get("series") or {}
    first = moment(
        body.get("firstTimestamp") or body.get("eventTime") or body["metadata"].get("creationTimestamp") or ""
    )
    last = moment(series.get("lastObservedTime") or body.get("lastTimestamp") or "") or first
    return Event(
        at=last,
        key=Key(about.get("kind", ""), about.get("namespace", ""), about.get("name", "")),
        level=Level.WARNING if body.get("type") == Level.WARNING else Level.NORMAL,
        reason=str(body.get("reason") or ""),
        message=str(body.get("message") or ""),
        count=_number(series.get("count") or body.get("count") or 1),
        first=first,
    )


def _leaving(status: Status, found: Object) -> Status:
    """Of an object that `kubectl delete` was called for: that counts as an edit, and it is not Ready any more."""
    status = replace(status, generation=found.generation)
    ready = status.condition(Type.READY)
    if ready is None or ready.status is not Truth.TRUE:
        return status
    message = "it is being deleted"
    gone = Condition(Type.READY, Truth.FALSE, Reason.DELETING, message, status.observed_generation, 0.0)
    return replace(status, conditions=(gone,))


def _conditions(said: Mapping[str, Any]) -> Iterator[Condition]:
    found = said.get("conditions")
    for each in found if isinstance(found, list) else ():
        try:
            yield Condition(
                Type(each.get("type")),
                Truth(each.get("status")),
                str(each.get("reason") or ""),
                str(each.get("message") or ""),
                _number(each.get("observedGeneration")),
                moment(str(each.get("lastTransitionTime") or "")),
            )
        except (ValueError, AttributeError):
            continue  # of a type that is not ours


def _drift(said: Mapping[str, Any]) -> Iterator[Change]:
    found = said.get("drift")
    for each in found if isinstance(found, list) else ():
        try:
            yield Change(str(each["path"]), each.get("observed"), each.get("desired"), Why(each.get("why")))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _number(thing: Any) -> int:
    return thing if isinstance(thing, int) else 0
