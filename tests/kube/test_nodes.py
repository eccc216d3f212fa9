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

from controller.sources.kube import machines
from controller.sources.kube.cluster import Cluster
from controller.sources.kube.leases import LEFT_MARK, SEAT_MARK, place, read_lease
from controller.sources.kube.machines import Reports
from controller.sources.kube.membership import Pace, Rhythm
from controller.sources.kube.nodes import Nodes
from tests.apiserver import Kubernetes, OwnKubernetes
from tests.kube.crew import clean, put, ready, stands
from tests.support import OperatorProcess, eventually

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
from controller.sources.kube.cluster import Cluster
from controller.sources.kube.machines import Reports
from controller.sources.kube.membership import Pace, Rhythm
from controller.sources.kube.nodes import Nodes
pace = Pace(duration=4, renew=0.3, again=0.1, look=0.3, report=0.3)
cluster, reports = Cluster(kubeconfig=Path(sys.argv[1])), Reports(dict, lambda: (0, 0))
nodes = Nodes(cluster, sys.argv[2], Path(sys.argv[3]), reports, rhythm=Rhythm(pace))
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
        nodes = Nodes(own, "atlas", tmp_path, Reports(dict, lambda: (0, 0)), default=True, rhythm=Rhythm(QUICK))
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
        nodes = Nodes(own, "atlas", tmp_path, Reports(dict, lambda: (0, 0)), rhythm=Rhythm(QUICK))
        assert nodes.join(Flag())
        with nodes.kept(end):
            other = {"holderIdentity": "elsewhere_1_ab", "leaseDurationSeconds": 60}
            client.patch(place("atlas"), {"metadata": {"annotations": {SEAT_MARK: "other"}}, "spec": other})
            assert told.wait(10)
    body = client.find(place("atlas"))
    assert body is not None
    assert (displaced, read_lease(body).holder) == (["elsewhere_1_ab"], "elsewhere_1_ab")


_HASTY = """
import sys
from functools import partial
from controller.sources.kube import membership
membership.Pace = partial(membership.Pace, renew=0.3)
from controller.surfaces.cli.entry import main
sys.exit(main())
"""


class Hasty(OperatorProcess):
    """Renews its Lease all the time, so that nobody waits until it sees what has become of that."""

    program = (sys.executable, "-c", _HASTY)


@pytest.fixture
def start(cluster: Kubernetes, tmp_path: Path, namespace: str) -> Iterator[Callable[[str], OperatorProcess]]:
    """Starts an operator of the node `atlas`, with a home of its own by its name."""
    started: list[OperatorProcess] = []

    def begin(name: str) -> OperatorProcess:
        made = Hasty(tmp_path / name, cluster.kubeconfig, "atlas", "--namespace", namespace).start()
        started.append(made)
        return made

    yield begin
    for each in started:
        each.kill()


Start = Callable[[str], OperatorProcess]


def test_second_operator_of_a_machine_does_nothing_until_the_first_has_ended(
    start: Start, client: Cluster, namespace: str, tmp_path: Path
) -> None:
    first = start("first")
    eventually(lambda: alive(client, "atlas"), "the first is there")
    second = start("second")
    eventually(lambda: "waiting for the lease of the node" in second.log, "the second waits")
    put(client, namespace, "motd", {"node": "atlas", "path": str(tmp_path / "motd")})
    eventually(lambda: ready(stands(client, namespace, "motd")).get("reason") == "Converged", "the first made it")
    assert first.end() == 0
    (tmp_path / "motd").unlink()
    eventually((tmp_path / "motd").exists, "the second makes it anew")


def test_operator_that_was_displaced_ends_with_an_error_that_names_the_other(start: Start, client: Cluster) -> None:
    operator = start("first")
    eventually(lambda: alive(client, "atlas"), "it is there")
    other = {"holderIdentity": "elsewhere_1_ab"}
    client.patch(place("atlas"), {"metadata": {"annotations": {SEAT_MARK: "other"}}, "spec": other})
    eventually(lambda: not operator.alive, "it has ended")
    assert operator.end() == 2
    assert (
        "error: cannot go on: another operator has this node now (elsewhere_1_ab); end one of the two" in operator.log
    )


def test_thing_of_an_object_that_was_let_go_is_left_when_its_machine_is_back(
    start: Start, client: Cluster, namespace: str, tmp_path: Path
) -> None:
    operator, thing = start("first"), tmp_path / "motd"
    put(client, namespace, "motd", {"node": "atlas", "path": str(thing)})
    put(client, namespace, "gone", {"node": "atlas", "path": str(tmp_path / "gone")})
    for name in ("motd", "gone"):
        eventually(lambda: ready(stands(client, namespace, name)).get("reason") == "Converged", "it is made")  # noqa: B023
    operator.kill()
    client.patch(place("atlas"), {"metadata": {"annotations": {LEFT_MARK: f"File/{namespace}/motd"}}})
    for name in ("motd", "gone"):
        path = f"/apis/pegasus2.dev/v1/namespaces/{namespace}/files/{name}"
        client.patch(path, {"metadata": {"finalizers": None}})
        client.request("DELETE", path)
    operator.start()
    eventually(lambda: "Retained" in operator.log, "it is said that the one stays")
    eventually(lambda: not (tmp_path / "gone").exists(), "what nobody wants any more is removed")
    assert thing.read_text() == "hello"
