"""This operator's claim to its node: a Lease that it takes, renews and gives back. `nodes.py` makes one.

It stands in for kopf's peering, in which two operators of equal priority both freeze, and which cannot stop our own loop:
here one serves the node, a second one waits for it, and one that was displaced ends.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

from controller.engine.clock import Clock
from controller.sources.kube.cluster import (
    FIELD_MANAGER,
    MERGE_PATCH,
    Cluster,
    ClusterError,
    Conflict,
    Missing,
    Unreachable,
)
from controller.sources.kube.leases import (
    DEFAULT_MARK,
    DURATION,
    LEFT_MARK,
    NAMESPACE,
    NAMESPACES_MARK,
    NODE_LABEL,
    SEAT_MARK,
    Hearing,
    Json,
    Lease,
    collection,
    lost,
    place,
    read_lease,
    written,
)
from resources.meta import Key

log = logging.getLogger(__name__)

Wait = Callable[[Flag, float], bool]  # waits for a flag, so many seconds at most; whether it is set

PATIENCE = 10.0  # seconds for one request: a lease that hangs must be tried again before it has run out
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between what is done again and again."""

    duration: float = DURATION  # of a Lease
    renew: float = 20.0
    again: float = 5.0  # after a renewal that failed, and while another holds the Lease
    look: float = 30.0  # at the leases of others
    report: float = 60.0  # at this machine, for its Machine
    survey: float = 600.0  # at everything, while somebody is missing; and at whether our Machine says what we wrote

    @property
    def patience(self) -> float:
        """How long one may have been unable to look, and still conclude from it that others are gone."""
        return self.duration * 2 / 3


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How an operator's part in the life of the machines goes by the clock; tests have their own."""

    pace: Pace = Pace()
    clock: Clock = field(default_factory=Clock)
    wait: Wait = Flag.wait


def seat(home: Path) -> str:
    """Names what only one living process has: this locked home, since this machine was started.

    A Lease with our own seat is one of a process that is dead, and need not be waited for.
    """
    found = home.stat()
    boot = _BOOT.read_text().strip() if _BOOT.exists() else ""
    return hashlib.sha256(f"{boot}:{found.st_dev}:{found.st_ino}".encode()).hexdigest()[:16] if boot else ""


class Membership:
    """The Lease of `node`. `default`: this operator takes what names no machine. `seat`: see there; empty for none.

    `namespaces`: those that it serves; none for all.
    """

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        *,
        default: bool = False,
        seat: str = "",
        namespaces: Sequence[str] = (),
        rhythm: Rhythm | None = None,
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._default = default
        self._seat = seat
        self._namespaces = namespaces
        rhythm = rhythm or Rhythm()
        self._pace, self._clock, self._wait = rhythm.pace, rhythm.clock, rhythm.wait
        self._hearing = Hearing(self._pace.patience)
        self._trusting = True  # the clock of a holder, of which we have seen nothing yet
        self._version = ""  # of our Lease as we wrote it last; empty while we have none
        self.left: frozenset[Key] = frozenset()  # keys let go while nobody was here, whose things are to stay
        self.identity = f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"

    def join(self, stop: Flag) -> bool:
        """Returns True once the Lease is ours, False when `stop` was set first.

        Waits for another holder, and for an API server that does not answer. Raises ClusterError when we may not, or when
        nothing is installed there.
        """
        told: str | None = None
        while not stop.is_set():
            try:
                holder = self._take()
                if not holder:
                    self._trusting = False
                    return True
                self._trusting = False
                if holder != told:
                    log.warning("waiting for the lease of the node", extra={"node": self._node, "holder": holder})
                    told = holder
            except Unreachable as error:
                self._trusting = False  # the holder could not renew either
                if told != str(error):
                    log.warning("waiting for the API server", extra={"node": self._node, "cause": str(error)})
                    told = str(error)
            self._wait(stop, self._pace.again)
        return False

    def keep(
        self, stop: Flag, displaced: Callable[[str], None], returned: Callable[[], None], begun: Flag | None = None
    ) -> None:
        """Renews the Lease until `stop` is set, or until another has it: then `displaced` is called with its name.

        `begun` is set once what was `left` is taken in, and need not be told again.

        `returned` is called when we renew what has run out: others have taken us for lost. No API server is no reason to end.
        """
        renewed, failing = self._clock.monotonic(), False
        while not self._wait(stop, self._pace.again if failing else self._pace.renew):
            try:
                holder = self._renew(told=begun is not None and begun.is_set())
            except Exception as error:  # whatever it is: a lease that nobody renews any more must not go unseen
                if not failing:
                    known = isinstance(error, ClusterError)
                    about = {"node": self._node, "cause": str(error)}
                    log.warning("the lease could not be renewed", extra=about, exc_info=None if known else error)
                failing = True
                continue
            if holder:
                self._version = ""
                log.error("another operator has taken the lease", extra={"node": self._node, "holder": holder})
                displaced(holder)
                return
            now = self._clock.monotonic()
            if failing:
                log.info("the lease is renewed again", extra={"node": self._node})
            if now - renewed >= self._pace.duration:
                returned()
            renewed, failing = now, False

    def leave(self) -> None:
        """Gives the Lease back, so that nobody need wait for it. Harmless when it is not ours."""
        if not self._version:
            return
        version, self._version = self._version, ""
        try:
            now = written(self._clock.wall(), micro=True)
            self._patch({"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": None, "renewTime": now}})
        except ClusterError as error:
            log.warning("the lease could not be given back", extra={"node": self._node, "cause": str(error)})

    def _renew(self, *, told: bool = False) -> str:
        """The other process that has the Lease; empty when it is ours, and renewed. Raises ClusterError."""
        now = written(self._clock.wall(), micro=True)
        metadata: Json = {"resourceVersion": self._version}
        if told and self.left:
            metadata["annotations"] = {LEFT_MARK: None}
        try:
            self._patch({"metadata": metadata, "spec": {"renewTime": now}})
        except (Conflict, Missing):  # somebody has edited it, deleted it, or has it now
            return self._take()
        return ""

    def _take(self) -> str:
        """As `_renew`, whatever the Lease is now."""
        while True:
            try:
                body = self._cluster.find(place(self._node))
                if body is None:
                    self._create()
                    return ""
                lease = read_lease(body)
                if lease.holder not in ("", self.identity) and not self._over(lease):
                    return lease.holder
                self._patch(self._claim(body, lease))
                return ""
            except Conflict:
                continue  # somebody was quicker: who?

    def _over(self, lease: Lease) -> bool:
        """Whether its holder is dead, or counts as dead: at first by what it has written, then by what we have seen."""
        if self._seat and lease.seat == self._seat:
            return True
        known = {lease.node: lease}
        unheard = self._hearing.lost(known, self._clock.monotonic())
        return bool(unheard or (self._trusting and lost(known, self._clock.wall())))

    def _create(self) -> None:
        try:
            made = self._cluster.request(
                "POST", collection(), {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **self._claim()}
            )
        except Missing as error:
            raise ClusterError(
                f"cannot keep the lease of the node {self._node}: there is no namespace {NAMESPACE}; "
                "p2 operator manifest | kubectl apply -f - installs what an operator needs"
            ) from error
        self._version = read_lease(made).version

    def _claim(self, body: Json | None = None, lease: Lease | None = None) -> Json:
        """What makes the Lease ours: a new one, or `body` as it was read."""
        now = written(self._clock.wall(), micro=True)
        spec = {"holderIdentity": self.identity, "leaseDurationSeconds": round(self._pace.duration), "renewTime": now}
        metadata: Json = {
            "name": self._node,
            "labels": {NODE_LABEL: self._node},
            "annotations": {
                DEFAULT_MARK: "true" if self._default else None,
                NAMESPACES_MARK: " ".join(self._namespaces) or None,
                SEAT_MARK: self._seat or None,
            },
        }
        if body is None or lease is None:
            metadata["annotations"] = {name: value for name, value in metadata["annotations"].items() if value}
            return {"metadata": metadata, "spec": {**spec, "acquireTime": now, "leaseTransitions": 0}}
        metadata["resourceVersion"] = lease.version
        if lease.holder != self.identity:
            transitions = (body.get("spec") or {}).get("leaseTransitions") or 0
            spec |= {"acquireTime": now, "leaseTransitions": transitions + 1}
        return {"metadata": metadata, "spec": spec}

    def _patch(self, body: Json) -> None:
        path, query = place(self._node), {"fieldManager": FIELD_MANAGER}
        found = self._cluster.request("PATCH", path, body, query, content=MERGE_PATCH, timeout=PATIENCE)
        lease = read_lease(found)
        self._version, self.left = lease.version, lease.left
