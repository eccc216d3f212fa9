"""The `Machine` object of this operator's node: what `kubectl get machines` shows. `nodes.py` makes one.

Nobody declares a Machine: its operator makes it, and says there how the machine is. When that operator is gone, `lookout.py`
of another one says so.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag

from controller import __version__
from controller.engine.agent import AgentHealth
from controller.sources.kube.cluster import Cluster, ClusterError, Conflict
from controller.sources.kube.leases import Json, published, ready_since
from controller.sources.kube.membership import Rhythm
from resources.conditions import Condition, Reason, Truth, Type
from resources.machine import Capacity, Counts, MachineAgent, MachineStatus, System, summary
from resources.meta import API_VERSION

log = logging.getLogger(__name__)

COLLECTION = f"/apis/{API_VERSION}/machines"

_MI = 2**20
_SOON = 1.0  # seconds
_SETTLING = 5.0  # likewise, in which most of what was found is Ready


def place(node: str, sub: str = "") -> str:
    """The path of a node's Machine, or of its subresource."""
    return f"{COLLECTION}/{node}{f'/{sub}' if sub else ''}"


@dataclass(frozen=True, slots=True)
class Reports:
    """What a Machine says that only the loop knows. They may block, and are called from a thread that may wait."""

    agents: Callable[[], Mapping[str, AgentHealth]]
    tally: Callable[[], tuple[int, int]]  # resources of this operator: all, and those that are Ready
    withheld: Callable[[], str] = lambda: ""  # why nothing is changed on this machine now; empty when all is


class Machine:
    """Keeps the Machine of `node`. `home`: the directory on whose file system its disk is counted."""

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        reports: Reports,
        home: Path,
        *,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._reports = reports
        self._home = home
        rhythm = rhythm or Rhythm()
        self._pace, self._clock, self._wait = rhythm.pace, rhythm.clock, rhythm.wait
        self._wake = Flag()
        self._told: tuple[Json, str] | None = None  # what it says, as far as we know
        self._read = 0.0  # monotonic seconds when we looked at what it says
        self._doubts = 0  # reports that look, whatever we know
        self._trouble = ""

    def keep(self, stop: Flag, begun: Flag | None = None) -> None:
        """Reports once in a while what has changed, until `stop` is set (and `wake` called).

        `begun` is set once the loop has something to do; a little later it has something to tell.
        """
        self.report()
        while begun is not None and not begun.is_set() and not stop.is_set():
            self._wait(self._wake, _SOON)
            self._wake.clear()
        if not stop.is_set():  # else its wake may have been taken above
            self._wait(self._wake, min(_SETTLING, self._pace.report))
        while not stop.is_set():
            self._wake.clear()
            self.report()
            self._wait(self._wake, self._pace.report)

    def wake(self) -> None:
        """Ends the wait between two reports."""
        self._wake.set()

    def refresh(self) -> None:
        """Others may have written that we are gone, and may be about to: report now, and look the time after as well."""
        self._doubts = 2
        self._wake.set()

    def report(self) -> None:
        """Writes what has changed since the last time. What can't be written now is written the next time."""
        try:
            says, now = (self._status(), self._reports.withheld()), self._clock.monotonic()
            if says == self._told and not self._doubts and now - self._read < self._pace.survey:
                return
            self._write(*says)
            self._told, self._read, self._doubts = says, now, max(0, self._doubts - 1)
            self._trouble = ""
        except ClusterError as error:
            if str(error) != self._trouble:
                log.warning("the Machine could not be kept", extra={"node": self._node, "cause": str(error)})
            self._trouble = str(error)
        except Exception:  # an agent that fails at being asked how it is must not end all reports
            log.exception("the Machine could not be kept", extra={"node": self._node})

    def _write(self, says: Json, withheld: str) -> None:
        while True:
            found = self._cluster.find(place(self._node)) or self._create()
            stands = found.get("status") or {}
            condition = _at_work(says, withheld, found, self._clock.wall())
            status = {**says, "conditions": [published(condition)]}
            if all(stands.get(name) == value for name, value in status.items()):
                return
            version = found["metadata"]["resourceVersion"]
            try:
                self._cluster.patch(
                    place(self._node, "status"), {"metadata": {"resourceVersion": version}, "status": status}
                )
                return
            except Conflict:
                continue

    def _create(self) -> Json:
        body = {"apiVersion": API_VERSION, "kind": "Machine", "metadata": {"name": self._node}, "spec": {}}
        return self._cluster.request("POST", COLLECTION, body)

    def _status(self) -> Json:
        """All but the conditions."""
        agents = tuple(
            MachineAgent(name=name, available=health.available, version=health.version, message=health.message)
            for name, health in sorted(self._reports.agents().items())
        )
        total, ready = self._reports.tally()
        counts = Counts(total=total, ready=ready)
        status = MachineStatus(
            version=__version__,
            agents=agents,
            capacity=capacity(self._home),
            system=system(),
            resources=counts,
            summary=summary(agents, counts),
        )
        return status.model_dump(mode="json", exclude={"conditions"})


def capacity(home: Path) -> Capacity:
    """What the machine has."""
    import psutil

    return Capacity(
        cpus=psutil.cpu_count() or 0,
        memory=f"{psutil.virtual_memory().total // _MI}Mi",
        disk=f"{psutil.disk_usage(str(home)).total // _MI}Mi",
    )


def system() -> System:
    """What the machine runs."""
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME") or platform.system()
    except OSError:
        name = platform.system()
    return System(os=name, kernel=platform.release(), architecture=platform.machine())


def _at_work(says: Json, withheld: str, found: Json, now: float) -> Condition:
    away = [agent["name"] for agent in says["agents"] if not agent["available"]]
    doing = withheld or "its operator is at work"
    message = doing + (f"; it can't reach: {', '.join(away)}" if away else "")
    generation = int(found["metadata"].get("generation") or 0)
    return Condition(Type.READY, Truth.TRUE, Reason.CONVERGED, message, generation, ready_since(found, Truth.TRUE, now))
