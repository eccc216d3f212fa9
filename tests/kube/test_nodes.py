"""Operators of several machines as processes, some of which die."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event as Flag
from threading import enumerate as threads

import pytest

from controller.sources import machines
from controller.sources.cluster import Cluster
from controller.sources.leases import SEAT_MARK, place, read_lease
from controller.sources.machines import Reports
from controller.sources.membership import Pace
from controller.sources.nodes import Nodes
from tests.apiserver import Kubernetes, OwnKubernetes
from tests.kube.crew import clean, put, ready, stands
from tests.support import eventually

pytestmark = pytest.mark.kube

QUICK = Pace(duration=4, renew=0.3, again=0.1, look=0.3, report=0.3)
WORKED = {
    "node": "hera",
    "conditions": [
        {"type": "Ready", "status": "True", "reason": "Converged", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    ],
}

_PROCESS = """
import sys, threading
from pathlib import Path
from controller.sources.cluster import Cluster
from controller.sources.machines import Reports
from controller.sources.membership import Pace
from controller.sources.nodes import Nodes
pace = Pace(duration=4, renew=0.3, again=0.1, look=0.3, report=0.3)
nodes = Nodes(Cluster(kubeconfig=Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]), Reports(dict, lambda: (0, 0)), pace=pace)
assert nodes.join(threading.Event())
with nodes.kept(lambda holder: None):
    print("joined", flush=True)
    sys.stdin.read()
"""


class Machine:
    """A machine whose operator is a process. Its home is its own for good."""

    def __init__(self, cluster: Kubernetes, node: str, home: Path) -> None:
        home.mkdir()
        self._command = [sys.executable, "-c", _PROCESS, str(cluster.kubeconfig), node, str(home)]
        self.start()

    def start(self) -> None:
        """Returns once it has joined."""
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "joined\n"

    def stop(self) -> None:
        """In order."""
        self._process.communicate()

    def kill(self) -> None:
        self._process.kill()
        self.stop()


@pytest.fixture(autouse=True)
def nobody(cluster: Kubernetes) -> Iterator[None]:
    clean(cluster)
    yield
    clean(cluster)


@pytest.fixture
def client(cluster: Kubernetes) -> Iterator[Cluster]:
    with closing(cluster.client()) as found:
        yield found


@pytest.fixture
def machine(cluster: Kubernetes, tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    with ExitStack() as stack:

        def make(node: str) -> Machine:
            made = Machine(cluster, node, tmp_path / node)
            stack.callback(made.kill)
            return made

        yield make


Make = Callable[[str], Machine]


def reason(client: Cluster, namespace: str) -> str:
    return str(ready(stands(client, namespace, "motd"))["reason"])


def alive(client: Cluster, node: str) -> bool:
    return ready(client.find(machines.place(node)) or {}).get("status") == "True"


def test_killed_operator_is_lost_until_it_is_back(machine: Make, client: Cluster, namespace: str) -> None:
    machine("atlas")
    hera = machine("hera")
    put(client, namespace, "motd", {"node": "hera"}, WORKED)
    eventually(lambda: alive(client, "hera"), "its Machine says that it is there")
    hera.kill()
    eventually(lambda: reason(client, namespace) == "NodeLost", "its object is marked")
    eventually(lambda: not alive(client, "hera"), "its Machine is marked")
    hera.start()
    eventually(lambda: alive(client, "hera"), "its Machine says that it is back")


def test_restarted_api_server_loses_nobody_who_is_there(
    cluster: Kubernetes, machine: Make, client: Cluster, namespace: str
) -> None:
    if not isinstance(cluster, OwnKubernetes):
        pytest.skip("this API server is not ours to restart")
    machine("atlas")
    machine("hera")
    zeus = machine("zeus")
    put(client, namespace, "motd", {"node": "hera"}, WORKED)
    eventually(lambda: alive(client, "zeus"), "its Machine says that it is there")
    cluster.stop()
    zeus.kill()
    cluster.start()
    eventually(lambda: ready(client.find(machines.place("zeus")))["reason"] == "NodeLost", "the dead one is marked")
    assert reason(client, namespace) == "Converged"
    assert alive(client, "atlas")
    assert alive(client, "hera")


def test_orderly_end_gives_the_node_back_and_leaves_no_thread(
    cluster: Kubernetes, client: Cluster, tmp_path: Path
) -> None:
    with closing(cluster.client()) as own:
        nodes = Nodes(own, "atlas", tmp_path, Reports(dict, lambda: (0, 0)), default=True, pace=QUICK)
        assert nodes.join(Flag())
        with nodes.kept(pytest.fail):
            eventually(lambda: alive(client, "atlas"), "its Machine says that it is there")
    body = client.find(place("atlas"))
    assert body is not None
    assert (read_lease(body).holder, read_lease(body).default) == ("", True)
    assert {thread.name for thread in threads()}.isdisjoint({"lease", "machine", "lookout"})


def test_displaced_operator_is_told_and_does_not_take_the_node_back(
    cluster: Kubernetes, client: Cluster, tmp_path: Path
) -> None:
    told, displaced = Flag(), []

    def end(holder: str) -> None:
        displaced.append(holder)
        told.set()

    with closing(cluster.client()) as own:
        nodes = Nodes(own, "atlas", tmp_path, Reports(dict, lambda: (0, 0)), pace=QUICK)
        assert nodes.join(Flag())
        with nodes.kept(end):
            other = {"holderIdentity": "elsewhere_1_ab", "leaseDurationSeconds": 60}
            client.patch(place("atlas"), {"metadata": {"annotations": {SEAT_MARK: "other"}}, "spec": other})
            assert told.wait(10)
    body = client.find(place("atlas"))
    assert body is not None
    assert (displaced, read_lease(body).holder) == (["elsewhere_1_ab"], "elsewhere_1_ab")
