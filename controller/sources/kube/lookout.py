"""Looks after what is on machines whose operator is gone: says so in its status. `nodes.py` makes one.

Every operator looks at the leases; of those that are alive and serve a namespace the one whose node has the first name acts
there. `notice` is called by `source.py` with every object that it leaves to another operator, so that nothing need be
listed while no machine comes or goes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from threading import Event as Flag
from threading import Lock

from controller.sources.kube import machines, objects
from controller.sources.kube.cluster import Cluster, ClusterError, Conflict, Missing
from controller.sources.kube.leases import (
    LEFT_MARK,
    SELECTED,
    Hearing,
    Json,
    Lease,
    Standing,
    collection,
    lost,
    machine_verdict,
    node_of,
    place,
    published,
    read_lease,
    read_leases,
    verdict,
)
from controller.sources.kube.membership import Rhythm
from controller.sources.kube.objects import FINALIZER, Object, read_object
from resources import kinds
from resources.conditions import Condition
from resources.meta import Key

log = logging.getLogger(__name__)

TRIES = 5  # at an object that is written by others at the same time


class Lookout:
    """Of the operator of `node`. `namespaces`: all that it may look at; none for all there are."""

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        namespaces: Sequence[str] = (),
        *,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._namespaces = namespaces or ("",)
        rhythm = rhythm or Rhythm()
        self._pace, self._clock, self._wait = rhythm.pace, rhythm.clock, rhythm.wait
        self._hearing = Hearing(self._pace.patience)
        self._wake = Flag()
        self._lock = Lock()
        self._noticed: dict[Key, Object] = {}
        self._standing: Standing | None = None  # of the last look, while it is on us to act
        self._surveyed: tuple[object, float] | None = None  # how the machines were then, and monotonic seconds
        self._rivals: Sequence[str] = ()
        self._trouble = ""

    def keep(self, stop: Flag) -> None:
        """Looks once in a while, and when something is noticed, until `stop` is set (and `wake` called)."""
        while not stop.is_set():
            self._wake.clear()
            try:
                self.look()
                self._trouble = ""
            except ClusterError as error:
                if str(error) != self._trouble:
                    log.warning("other machines could not be looked after", extra={"cause": str(error)})
                self._trouble = str(error)
            except Exception:  # one that ends silently would leave everything marked as it is
                log.exception("other machines could not be looked after")
            self._wait(self._wake, self._pace.look)

    def wake(self) -> None:
        """Ends the wait between two looks."""
        self._wake.set()

    def notice(self, found: Object) -> None:
        """An object that this operator leaves to others. Does not block."""
        standing = self._standing
        if standing is None or not self._acts_on(found, standing) or not _wants(found, verdict(found, standing)):
            return
        with self._lock:
            self._noticed[found.key] = found
        self._wake.set()

    def look(self) -> None:
        """Looks at the leases, and acts on what has changed. Raises ClusterError; the next look does it again."""
        leases = read_leases(self._cluster.list(collection(), SELECTED))
        standing = Standing(leases, self._hearing.lost(leases, self._clock.monotonic()), self._clock.wall())
        self._tell_rivals(standing)
        with self._lock:
            noticed, self._noticed = self._noticed, {}
        if self._node not in [standing.actor(namespace) for namespace in self._namespaces]:
            self._standing = self._surveyed = None
            return
        self._standing = standing
        if self._due(standing):
            self._surveyed = None
            self._survey(standing)
            self._surveyed = _view(standing), self._clock.monotonic()
        else:
            for found in noticed.values():
                self._mark(found, standing)

    def refuse_rivals(self, ours: Lease | None = None) -> None:
        """Raises ClusterError where the operator of another machine, alive, takes what names no machine, as ours is to.

        `ours`: the Lease that is yet to be taken, where there is none so far.
        """
        leases, now = read_leases(self._cluster.list(collection(), SELECTED)), self._clock.wall()
        standing = Standing(leases, lost(leases, now), now)
        rivals = self._rivals_in(standing, ours or leases.get(self._node))
        if rivals := [node for node in rivals if node in standing.live_defaults]:
            raise ClusterError(
                f"cannot take what names no machine: the operator of {rivals[0]} does already; "
                "start this one without --default, or end that one first"
            )

    def _rivals_in(self, standing: Standing, ours: Lease | None) -> Sequence[str]:
        """Nodes that have taken what names no machine for longer than this one. None has whose Lease was given back."""
        if not ours or not ours.default:
            return []
        theirs = ((node, standing.leases[node]) for node in standing.defaults if node != self._node)
        return [node for node, lease in theirs if lease.holder and _rivals(lease, ours)]

    def _acts_on(self, found: Object, standing: Standing) -> bool:
        return standing.actor(found.key.namespace) == self._node

    def _tell_rivals(self, standing: Standing) -> None:
        """Two that take what names no machine would both work on it: the later one tells."""
        rivals = self._rivals_in(standing, standing.leases.get(self._node))
        if rivals and rivals != self._rivals:
            log.warning(
                "another operator takes what names no machine, too: end one of them, or start it without --default",
                extra={"node": self._node, "other": ", ".join(rivals)},
            )
        self._rivals = rivals

    def _due(self, standing: Standing) -> bool:
        """Whether all objects are to be looked at."""
        if self._surveyed is None or self._surveyed[0] != _view(standing):
            return True
        troubled = bool(standing.lost) or not standing.live_defaults
        return troubled and self._clock.monotonic() - self._surveyed[1] >= self._pace.survey

    def _survey(self, standing: Standing) -> None:
        if standing.live[:1] == [self._node]:
            for node in standing.lost:
                self._mark_machine(node, standing)
        for kind in kinds.names():
            for found in self._all(kind):
                if self._acts_on(found, standing):
                    self._mark(found, standing)

    def _all(self, kind: str) -> Iterator[Object]:
        for namespace in self._namespaces:
            try:
                bodies = self._cluster.list(objects.collection(kind, namespace))
            except Missing:
                continue  # its CRD is not installed
            for body in bodies:
                yield read_object({"kind": kind, **body})

    def _mark(self, found: Object, standing: Standing) -> None:
        """Says of an object that its machine is gone, if it is and nobody has said so; lets it go if it may."""
        now: Object | None = found
        for _ in range(TRIES):
            if now is None:
                return
            conditions = verdict(now, standing)
            if not _wants(now, conditions):
                return
            try:
                if _free(now):
                    self._let_go(now, standing)
                else:
                    self._say(objects.place(now.key, "status"), now.version, conditions or ())
                    log.info("marked", extra={"key": str(now.key), "reason": str((conditions or ())[0].reason)})
                return
            except Missing:
                return
            except Conflict:
                body = self._cluster.find(objects.place(now.key))
                now = read_object({"kind": now.key.kind, **body}) if body else None
        self._surveyed = None  # the next look sees to it

    def _let_go(self, found: Object, standing: Standing) -> None:
        """Its owner would rather leave the thing than wait for the machine, which is to know that when it is back."""
        node = node_of(found, standing)
        if node is not None and node in standing.leases:
            self._leave_word(node, found.key)
        left = [each for each in found.finalizers if each != FINALIZER]
        metadata = {"resourceVersion": found.version, "finalizers": left}
        self._cluster.patch(objects.place(found.key), {"metadata": metadata})
        log.warning("let go; its thing is left on a machine that is gone", extra={"key": str(found.key)})

    def _leave_word(self, node: str, key: Key) -> None:
        body = self._cluster.find(place(node))
        lease = read_lease(body) if body else None
        if lease and key not in lease.left:
            left = " ".join(sorted(map(str, {*lease.left, key})))
            metadata = {"resourceVersion": lease.version, "annotations": {LEFT_MARK: left}}
            self._cluster.patch(place(node), {"metadata": metadata})

    def _mark_machine(self, node: str, standing: Standing) -> None:
        for _ in range(TRIES):
            body = self._cluster.find(machines.place(node))
            if body is None:
                return
            condition = machine_verdict(standing.leases[node], body)
            if _said(body, (condition,)):
                return
            try:
                self._say(machines.place(node, "status"), body["metadata"]["resourceVersion"], (condition,))
                log.warning("a machine is gone", extra={"node": node, "cause": condition.message})
                return
            except Conflict:
                continue

    def _say(self, path: str, version: str, conditions: Sequence[Condition]) -> None:
        status = {"conditions": [published(each) for each in conditions]}
        self._cluster.patch(path, {"metadata": {"resourceVersion": version}, "status": status})


def _rivals(earlier: Lease, later: Lease) -> bool:
    """Whether it was there before the other one, and serves a namespace that the other serves, too."""
    apart = earlier.namespaces and later.namespaces and not earlier.namespaces & later.namespaces
    return not apart and (earlier.acquired, earlier.node) < (later.acquired, later.node)


def _view(standing: Standing) -> object:
    """What must change before anything else is to be said of any object."""
    everybody = frozenset(standing.leases), tuple(standing.live)
    return everybody, frozenset(standing.lost.items()), tuple(standing.live_defaults)


def _wants(found: Object, conditions: Sequence[Condition] | None) -> bool:
    """Whether anything is to be done about an object of which this is the verdict."""
    return conditions is not None and (_free(found) or not _said(found.body, conditions))


def _free(found: Object) -> bool:
    """Whether it is to go although nobody removes its thing."""
    return found.deleting and found.held and found.retains


def _said(body: Json, conditions: Sequence[Condition]) -> bool:
    """Whether these conditions, and no others, stand in its status; whenever that was."""
    stand = (body.get("status") or {}).get("conditions") or ()
    found = {(each.get("type"), each.get("status"), each.get("reason"), each.get("message")) for each in stand}
    return found == {(str(c.type), str(c.status), str(c.reason), c.message) for c in conditions}
