"""Leases of machines, and what follows from them for what is on a machine that is gone. Pure.

`membership.py` keeps this machine's own, `lookout.py` acts on those of others, and `p2 get --context` derives the same where
no operator is left to say it. A Lease is a coordination.k8s.io/v1 object named as its node; its operator renews it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.sources.kube.objects import Object
from controller.sources.kube.status_document import way_out
from resources.conditions import Condition, Reason, Truth, Type
from resources.meta import Key

Json = dict[str, Any]

NAMESPACE = "pegasus2"
NODE_LABEL = "pegasus2.dev/node"
DEFAULT_MARK = "pegasus2.dev/default"  # annotation: its operator takes what names no machine
NAMESPACES_MARK = "pegasus2.dev/namespaces"  # annotation: those that its operator serves, where it does not serve all
LEFT_MARK = "pegasus2.dev/left"  # annotation: keys that were let go while nobody was there, with their things to stay
SEAT_MARK = "pegasus2.dev/seat"  # annotation: what only one living process can have, see `membership.seat`

DURATION = 60.0  # seconds after the last renewal until a machine counts as lost


def collection() -> str:
    """The path of all leases of machines; to be asked with `SELECTED`."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"


SELECTED: Mapping[str, str | int] = {"labelSelector": NODE_LABEL}


def place(node: str) -> str:
    """The path of a node's Lease."""
    return f"{collection()}/{node}"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who serves a node, and until when."""

    node: str
    holder: str = ""  # empty: its operator has ended in order
    renewed: float = 0.0  # seconds since the epoch, on the holder's clock
    acquired: float = 0.0  # likewise
    duration: float = DURATION
    default: bool = False
    seat: str = ""
    namespaces: frozenset[str] = frozenset()  # all if empty
    left: frozenset[Key] = frozenset()
    version: str = ""  # resourceVersion


def read_lease(body: Json) -> Lease:
    """Takes apart what the API server has sent."""
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    marks = metadata.get("annotations") or {}
    return Lease(
        node=metadata["name"],
        holder=spec.get("holderIdentity") or "",
        renewed=moment(spec.get("renewTime") or metadata.get("creationTimestamp") or ""),
        acquired=moment(spec.get("acquireTime") or ""),
        duration=float(spec.get("leaseDurationSeconds") or DURATION),
        default=marks.get(DEFAULT_MARK) == "true",
        seat=marks.get(SEAT_MARK) or "",
        namespaces=frozenset((marks.get(NAMESPACES_MARK) or "").split()),
        left=frozenset(Key.parse(text) for text in (marks.get(LEFT_MARK) or "").split() if text.count("/") == 2),
        version=metadata.get("resourceVersion") or "",
    )


def read_leases(bodies: Iterable[Json]) -> dict[str, Lease]:
    """By node."""
    return {lease.node: lease for lease in map(read_lease, bodies)}


def moment(text: str) -> float:
    """Seconds since the epoch at a moment as the API server writes it; 0 when it can't be read."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def written(at: float, *, micro: bool = False) -> str:
    """A moment as the API server reads it: a Time, or a MicroTime as leases have it."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds" if micro else "seconds")
    return text.replace("+00:00", "Z")


def lost(leases: Mapping[str, Lease], now: float, heard: Mapping[str, float] | None = None) -> dict[str, float]:
    """The nodes whose Lease ran out by `now`, each with when it was renewed last.

    `heard` has when somebody who keeps looking saw each of them change last, on the clock of `now`: then the clocks of the
    machines need not agree. A machine whose operator was stopped in order is lost only when nobody starts it again in time.
    """
    heard = heard or {}
    return {
        node: lease.renewed for node, lease in leases.items() if now >= heard.get(node, lease.renewed) + lease.duration
    }


class Hearing:
    """When each lease was last seen to be renewed, by somebody who keeps looking and trusts no clock but its own.

    Who could not look for longer than `patience` seconds begins anew: while no API server answered nobody could renew.
    """

    def __init__(self, patience: float = DURATION * 2 / 3) -> None:
        self._patience = patience
        self._heard: dict[str, tuple[tuple[str, float], float]] = {}
        self._looked = 0.0

    def lost(self, leases: Mapping[str, Lease], now: float) -> dict[str, float]:
        """The nodes whose Lease has not changed for as long as it lasts. `now`: monotonic seconds of this look."""
        before = self._heard if now - self._looked <= self._patience else {}
        self._heard, self._looked = {}, now
        for node, lease in leases.items():
            renewal = (lease.holder, lease.renewed)
            known = before.get(node)
            self._heard[node] = known if known and known[0] == renewal else (renewal, now)
        return lost(leases, now, {node: at for node, (_, at) in self._heard.items()})


@dataclass(frozen=True, slots=True)
class Standing:
    """How the machines of a cluster are doing at one moment."""

    leases: Mapping[str, Lease]
    lost: Mapping[str, float]
    at: float

    @property
    def live(self) -> list[str]:
        """Nodes with an operator at work, by name."""
        return sorted(node for node, lease in self.leases.items() if lease.holder and node not in self.lost)

    def actor(self, namespace: str) -> str | None:
        """Whose operator looks after what is in a namespace ("": after all) and on machines that are gone: the first one's."""
        served = (node for node in self.live if not (of := self.leases[node].namespaces) or namespace in of)
        return next(served, None)

    @property
    def live_defaults(self) -> list[str]:
        """Nodes that take what names no machine, by name."""
        return sorted(node for node, lease in self.leases.items() if lease.default and node not in self.lost)

    @property
    def defaults(self) -> list[str]:
        """As `live_defaults`; if there are none, those that are lost."""
        return self.live_defaults or sorted(node for node, lease in self.leases.items() if lease.default)


def derived(
    found: Object, leases: Mapping[str, Lease], now: float, heard: Mapping[str, float] | None = None
) -> tuple[Condition, ...] | None:
    """The conditions in force for an object that no operator looks after; None when one does, and what it says holds."""
    return verdict(found, Standing(leases, lost(leases, now, heard), now))


def verdict(found: Object, standing: Standing) -> tuple[Condition, ...] | None:
    """As `derived`, for many objects at one moment."""
    node = node_of(found, standing)
    if node is not None and node in standing.leases and node not in standing.lost:
        return None
    ending = f"; it is being deleted, and waits for that; {way_out(found)}" if found.deleting and found.held else ""
    if node is not None and node in standing.lost:
        lease = standing.leases[node]
        generation = int(found.status.get("observedGeneration") or 0)
        return (_ready(found, Reason.NODE_LOST, gone(lease) + ending, generation, lease.renewed + lease.duration),)
    message = _homeless(standing) if node is None else _unknown(node, standing)
    return (_ready(found, Reason.NODE_UNKNOWN, message + ending, found.generation, standing.at),)


def machine_verdict(lease: Lease, body: Json) -> Condition:
    """What is said of a Machine (as the API server has it) whose Lease ran out."""
    since = ready_since(body, Truth.UNKNOWN, lease.renewed + lease.duration)
    generation = int(body["metadata"].get("generation") or 0)
    return Condition(Type.READY, Truth.UNKNOWN, Reason.NODE_LOST, gone(lease), generation, since)


def published(condition: Condition) -> Json:
    """The condition as it stands in a status."""
    return {
        "type": str(condition.type),
        "status": str(condition.status),
        "reason": str(condition.reason),
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": written(condition.since),
    }


def gone(lease: Lease) -> str:
    """Why nothing is known of what is on this machine, and what to do."""
    since = written(lease.renewed)
    if not lease.holder:
        return (
            f"the operator of the machine {lease.node} was stopped at {since}, and nobody has looked after this since: "
            f"start it again (p2 operator --node {lease.node})"
        )
    return (
        f"the machine {lease.node} has not been heard of since {since}, and nothing is known of this since then: "
        f"start the machine, or its operator (p2 operator --node {lease.node})"
    )


def node_of(found: Object, standing: Standing) -> str | None:
    """Whose it is. None: it names no machine, and none takes what names none."""
    if found.node:
        return found.node
    if not standing.live_defaults and (found.worker in standing.lost or found.worker in standing.live):
        return found.worker  # who made it keeps it, until one with --default takes it
    return next(iter(standing.defaults), None)


def _unknown(node: str, standing: Standing) -> str:
    return (
        f"no machine is called {node}: {_known(standing)}; correct spec.node, or start an operator there "
        f"(p2 operator --node {node})"
    )


def _homeless(standing: Standing) -> str:
    return (
        f"it names no machine, and no operator runs with --default: {_known(standing)}; set spec.node, "
        "or start one operator with --default"
    )


def _known(standing: Standing) -> str:
    nodes = sorted(standing.leases)
    return f"known are {', '.join(nodes)}" if nodes else "none is known, for no operator has run yet"


def _ready(found: Object, reason: Reason, message: str, generation: int, since: float) -> Condition:
    since = ready_since(found.body, Truth.UNKNOWN, since)
    return Condition(Type.READY, Truth.UNKNOWN, reason, message, generation, since)


def ready_since(body: Json, status: Truth, since: float) -> float:
    """`since`, or when the Ready condition of an object that has this status already came to it."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    before: Json = next((each for each in conditions if each.get("type") == Type.READY), {})
    return (moment(before.get("lastTransitionTime") or "") or since) if before.get("status") == status else since
