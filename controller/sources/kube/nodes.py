"""This machine among the others of a cluster: its Lease, its Machine, and what is on machines that are gone.

The operator (`wiring/operator.py`) makes one, joins before it works on anything, and leaves when it ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from controller.sources.kube.cluster import Cluster, ClusterError
from controller.sources.kube.leases import Lease
from controller.sources.kube.lookout import Lookout
from controller.sources.kube.machines import Machine, Reports
from controller.sources.kube.membership import Membership, Rhythm, seat
from controller.sources.kube.objects import Object
from resources.meta import Key

STOPPING = 5.0  # seconds for what is under way with the API server; what takes longer ends with the process


class Nodes:
    """The operator of `node`. `home`: its own, locked by this process. `namespaces`: those it serves; none for all."""

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        home: Path,
        reports: Reports,
        *,
        default: bool = False,
        namespaces: Sequence[str] = (),
        rhythm: Rhythm | None = None,
    ) -> None:
        mark = seat(home)
        self._coming = Lease(node, acquired=math.inf, default=default, namespaces=frozenset(namespaces))
        self.membership = Membership(
            cluster,
            node,
            default=default,
            seat=mark,
            namespaces=namespaces,
            rhythm=rhythm,
        )
        self._machine = Machine(cluster, node, reports, home, rhythm=rhythm)
        self._lookout = Lookout(cluster, node, namespaces, rhythm=rhythm)

    def join(self, stop: Flag) -> bool:
        """Takes the node; see `Membership.join`. Raises ClusterError also where another takes what names no machine."""
        if self._coming.default:
            self._lookout.refuse_rivals(self._coming)
        if not self.membership.join(stop):
            return False
        try:
            self._lookout.refuse_rivals()  # another may have come at the same time
        except ClusterError:
            self.membership.leave()
            raise
        return True

    @contextmanager
    def kept(self, displaced: Callable[[str], None], begun: Flag | None = None) -> Iterator[None]:
        """While the body runs, after `join`: keeps the node, and calls `displaced` should another operator have taken it.

        `begun` is set once the loop has taken in what the cluster says. At the end the node is given back.
        """
        stop, lookout, machine = Flag(), self._lookout, self._machine
        works = {
            "lease": lambda: self.membership.keep(stop, displaced, machine.refresh, begun),
            "machine": lambda: machine.keep(stop, begun),
            "lookout": lambda: lookout.keep(stop),
        }
        threads = [Thread(target=work, name=name, daemon=True) for name, work in works.items()]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            machine.wake()
            lookout.wake()
            until = time.monotonic() + STOPPING
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            self.membership.leave()

    def left(self) -> frozenset[Key]:
        """Keys whose objects were let go while nobody was here; their things are to stay."""
        return self.membership.left

    def notice(self, found: Object) -> None:
        """An object that this operator leaves to others; see `Lookout.notice`. Does not block."""
        self._lookout.notice(found)
