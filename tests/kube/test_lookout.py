"""What is on a machine that is gone is said to be unknown: by one of those that are left, and once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from controller.engine.agent import AgentHealth
from controller.sources.kube import machines
from controller.sources.kube.cluster import Cluster, ClusterError
from controller.sources.kube.leases import place, read_lease
from controller.sources.kube.lookout import Lookout
from controller.sources.kube.machines import Machine, Reports
from controller.sources.kube.membership import Membership, Rhythm
from controller.sources.kube.objects import FINALIZER, read_object
from resources.meta import Key
from tests.apiserver import Kubernetes
from tests.kube.crew import Counting, Time, clean, put, ready, stands

pytestmark = pytest.mark.kube

FINE = {"type": "Ready", "status": "True", "reason": "Converged", "message": "as declared", "observedGeneration": 1}
MOVING = {"type": "Reconciling", "status": "True", "reason": "Progressing", "message": "", "observedGeneration": 1}


def worked(node: str) -> dict[str, Any]:
    """A status as the operator of a node leaves it."""
    conditions = [{**each, "lastTransitionTime": "2026-01-01T00:00:00Z"} for each in (FINE, MOVING)]
    return {"observedGeneration": 1, "node": node, "handle": "/tmp/x", "conditions": conditions}


class Operator:
    """The part of an operator that is about machines, driven by hand: whoever does not `renew` is gone a minute later."""

    def __init__(
        self,
        client: Counting,
        node: str,
        home: Path,
        time: Time,
        *,
        default: bool = False,
        namespaces: Sequence[str] = (),
    ) -> None:
        self.client, self.node = client, node
        self.membership = Membership(
            client, node, default=default, namespaces=namespaces, rhythm=Rhythm(clock=time.clock, wait=time.wait)
        )
        self.lookout = Lookout(client, node, namespaces, rhythm=Rhythm(clock=time.clock, wait=time.wait))
        self.withheld = ""
        self.health = AgentHealth(True, "24.0")
        reports = Reports(lambda: {"docker": self.health}, lambda: (3, 2), lambda: self.withheld)
        self.machine = Machine(client, node, reports, home, rhythm=Rhythm(clock=time.clock, wait=time.wait))
        assert self.membership.join(Flag())
        self.machine.report()
        self.lookout.look()

    def renew(self) -> None:
        assert self.membership._renew() == ""


Hire = Callable[..., Operator]


class Crew:
    """Those who are at work; time passes for all of them."""

    def __init__(self, time: Time, *at_work: Operator) -> None:
        self._time, self.at_work = time, list(at_work)
        for each in at_work:
            each.client.asked.clear()

    def work(self, seconds: float) -> None:
        """They renew and look, every 20 s of the next `seconds`."""
        for _ in range(round(seconds / 20)):
            self._time.wait(Flag(), 20)
            for each in self.at_work:
                each.renew()
            for each in self.at_work:
                each.lookout.look()

    @property
    def written(self) -> dict[str, list[str]]:
        """Which paths each of them has changed."""
        return {each.node: each.client.written() for each in self.at_work}


@pytest.fixture(autouse=True)
def nobody(cluster: Kubernetes) -> Iterator[None]:
    clean(cluster)
    yield
    clean(cluster)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def hire(cluster: Kubernetes, time: Time, tmp_path: Path) -> Iterator[Hire]:
    with ExitStack() as stack:

        def make(node: str, **options: Any) -> Operator:
            before = options.pop("before", lambda method, path: None)
            client = stack.enter_context(closing(Counting(cluster.kubeconfig, before)))
            return Operator(client, node, tmp_path, time, **options)

        yield make


@pytest.fixture
def client(cluster: Kubernetes) -> Iterator[Cluster]:
    with closing(cluster.client()) as found:
        yield found


def status_path(namespace: str, name: str) -> str:
    return f"/apis/pegasus2.dev/v1/namespaces/{namespace}/files/{name}/status"


def test_objects_of_a_lost_machine_are_marked_by_one_survivor_and_once(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    atlas, hera, zeus = hire("atlas"), hire("hera", default=True), hire("zeus")
    put(client, namespace, "named", {"node": "atlas"}, worked("atlas"))
    put(client, namespace, "elsewhere", {"node": "zeus"}, worked("zeus"))
    put(client, namespace, "free", {}, worked("hera"))
    before = {name: stands(client, namespace, name) for name in ("elsewhere", "free")}
    atlas.renew()  # and never again
    crew = Crew(time, hera, zeus)
    crew.work(40)
    assert crew.written == {"hera": [], "zeus": []}
    crew.work(120)
    assert crew.written == {"hera": [machines.place("atlas", "status"), status_path(namespace, "named")], "zeus": []}
    found = stands(client, namespace, "named")
    assert found is not None
    assert [each["type"] for each in found["status"]["conditions"]] == ["Ready"]
    assert (ready(found)["status"], ready(found)["reason"]) == ("Unknown", "NodeLost")
    assert "the machine atlas has not been heard of since 20" in ready(found)["message"]
    assert (found["status"]["observedGeneration"], found["status"]["node"]) == (1, "atlas")
    assert {name: stands(client, namespace, name) for name in before} == before
    machine = client.find(machines.place("atlas"))
    assert (ready(machine)["status"], ready(machine)["reason"]) == ("Unknown", "NodeLost")


def test_the_next_one_acts_when_the_first_survivor_goes_as_well(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    atlas, hera, zeus = hire("atlas"), hire("hera"), hire("zeus")
    crew = Crew(time, atlas, hera, zeus)
    for node in ("atlas", "hera"):
        put(client, namespace, f"on-{node}", {"node": node}, worked(node))
    for gone in (atlas, hera):
        crew.at_work.remove(gone)
        crew.work(120)
    assert [ready(stands(client, namespace, f"on-{node}"))["reason"] for node in ("atlas", "hera")] == ["NodeLost"] * 2
    assert crew.written == {"zeus": [machines.place("hera", "status"), status_path(namespace, "on-hera")]}


def test_survivor_that_serves_other_namespaces_leaves_them_to_the_next_one(
    hire: Hire, client: Cluster, cluster: Kubernetes, namespace: str, time: Time
) -> None:
    with cluster.namespace() as other:
        narrow, _hera, zeus = hire("atlas", namespaces=[other]), hire("hera"), hire("zeus")
        for where in (namespace, other):
            put(client, where, "motd", {"node": "hera"}, worked("hera"))
        crew = Crew(time, narrow, zeus)
        crew.work(120)
        assert crew.written == {
            "atlas": [machines.place("hera", "status"), status_path(other, "motd")],
            "zeus": [status_path(namespace, "motd")],
        }


def test_objects_of_an_operator_that_was_stopped_are_marked_unless_it_is_started_again_soon(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    atlas, hera = hire("atlas"), hire("hera")
    put(client, namespace, "motd", {"node": "hera"}, worked("hera"))
    crew = Crew(time, atlas)
    hera.membership.leave()
    crew.work(40)
    hera = hire("hera")
    crew.work(40)
    assert ready(stands(client, namespace, "motd"))["reason"] == "Converged"
    hera.membership.leave()
    crew.work(80)
    assert "the operator of the machine hera was stopped at 20" in ready(stands(client, namespace, "motd"))["message"]


def test_what_a_machine_says_when_it_is_back_stands(hire: Hire, client: Cluster, namespace: str, time: Time) -> None:
    atlas, hera = hire("atlas"), hire("hera")
    put(client, namespace, "motd", {"node": "hera"}, worked("hera"))
    crew = Crew(time, atlas)
    crew.work(120)
    assert ready(stands(client, namespace, "motd"))["reason"] == "NodeLost"
    hera.renew()
    hera.machine.refresh()
    hera.machine.report()
    client.patch(status_path(namespace, "motd"), {"status": worked("hera")})
    Crew(time, atlas, hera).work(120)
    assert ready(stands(client, namespace, "motd"))["reason"] == "Converged"
    assert ready(client.find(machines.place("hera")))["status"] == "True"


def test_object_for_a_machine_that_nobody_knows_is_told_at_once_and_without_a_list(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    atlas = hire("atlas", default=True)
    body = put(client, namespace, "motd", {"node": "alas"}, finalizers=[FINALIZER])
    atlas.client.asked.clear()
    atlas.lookout.notice(read_object(body))
    atlas.lookout.look()
    assert [path.rpartition("/")[2] for _, path in atlas.client.asked] == ["leases", "status"]
    found = ready(stands(client, namespace, "motd"))
    assert (found["status"], found["reason"]) == ("Unknown", "NodeUnknown")
    assert found["message"].startswith("no machine is called alas: known are atlas; correct spec.node, or start")
    atlas.client.asked.clear()
    marked = stands(client, namespace, "motd")
    assert marked is not None
    atlas.lookout.notice(read_object(marked))  # as the watch tells of what we have just written
    atlas.lookout.look()
    assert atlas.client.written() == []


def test_object_that_names_no_machine_waits_for_an_operator_with_default(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    put(client, namespace, "motd", {})
    atlas = hire("atlas")
    found = ready(stands(client, namespace, "motd"))
    assert (found["status"], found["reason"]) == ("Unknown", "NodeUnknown")
    assert "no operator runs with --default" in found["message"]
    hire("hera", default=True)
    client.patch(status_path(namespace, "motd"), {"status": worked("hera")})
    atlas.lookout.look()
    assert ready(stands(client, namespace, "motd"))["reason"] == "Converged"


def test_operator_with_default_is_refused_beside_another_and_let_in_once_that_one_has_left(
    hire: Hire, caplog: pytest.LogCaptureFixture
) -> None:
    atlas, hera = hire("atlas", default=True), hire("hera", default=True)
    with pytest.raises(ClusterError, match="the operator of atlas does already"):
        hera.lookout.refuse_rivals()
    hera.membership.leave()  # as one that was refused does
    atlas.lookout.refuse_rivals()
    atlas.membership.leave()
    hera = hire("hera", default=True)
    caplog.clear()
    hera.lookout.refuse_rivals()
    hera.lookout.look()
    assert not caplog.records


def test_deletion_that_waits_for_a_lost_machine_names_the_way_out_and_retain_is_one(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    atlas, _hera = hire("atlas"), hire("hera")
    where = f"/apis/pegasus2.dev/v1/namespaces/{namespace}/files/motd"
    put(client, namespace, "motd", {"node": "hera"}, worked("hera"), finalizers=[FINALIZER, "example.org/other"])
    crew = Crew(time, atlas)
    crew.work(120)
    atlas.lookout.notice(read_object(client.request("DELETE", where)))
    atlas.lookout.look()
    assert "to let the object go and leave the thing as it is: kubectl patch" in ready(client.find(where))["message"]
    atlas.lookout.notice(read_object(client.patch(where, {"spec": {"deletionPolicy": "Retain"}})))
    atlas.lookout.look()
    left = client.find(where)
    assert left is not None
    assert left["metadata"]["finalizers"] == ["example.org/other"]
    client.patch(where, {"metadata": {"finalizers": None}})
    assert client.find(where) is None


def test_object_with_retain_goes_as_soon_as_its_machine_is_lost(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    atlas, hera = hire("atlas"), hire("hera")
    where = f"/apis/pegasus2.dev/v1/namespaces/{namespace}/files/motd"
    spec = {"node": "hera", "deletionPolicy": "Retain"}
    put(client, namespace, "motd", spec, worked("hera"), finalizers=[FINALIZER])
    client.request("DELETE", where)
    crew = Crew(time, atlas)
    crew.work(40)
    assert client.find(where) is not None
    crew.work(80)
    assert client.find(where) is None
    key = Key("File", namespace, "motd")
    hera.renew()
    assert hera.membership.left == {key}  # it was told, before the object went
    hera.membership._renew(told=True)
    assert read_lease(client.find(place("hera")) or {}).left == frozenset()


def test_object_that_is_written_by_others_meanwhile_is_marked_all_the_same(
    hire: Hire, client: Cluster, namespace: str, time: Time
) -> None:
    edits: list[str] = []

    def disturb(method: str, path: str) -> None:
        if method == "PATCH" and path == status_path(namespace, "motd") and len(edits) < 3:
            edits.append(path)
            client.patch(path.removesuffix("/status"), {"spec": {"content": f"edit {len(edits)}"}})

    put(client, namespace, "motd", {"node": "nowhere"})
    hire("atlas", before=disturb)
    found = stands(client, namespace, "motd")
    assert found is not None
    assert (found["spec"]["content"], ready(found)["reason"]) == ("edit 3", "NodeUnknown")
    assert ready(found)["observedGeneration"] == found["metadata"]["generation"] == 4


def test_two_operators_with_default_are_told_by_the_later_one(
    hire: Hire, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    zeus = hire("zeus", default=True)
    time.wait(Flag(), 10)
    atlas = hire("atlas", default=True)
    Crew(time, atlas, zeus).work(80)
    said = [each for each in caplog.records if each.message.startswith("another operator takes what names no machine")]
    assert [(each.__dict__["node"], each.__dict__["other"]) for each in said] == [("atlas", "zeus")]


def test_machine_says_what_it_is_and_what_changes(hire: Hire, client: Cluster, time: Time) -> None:
    atlas = hire("atlas")
    found = client.find(machines.place("atlas"))
    assert found is not None
    status = found["status"]
    assert status["agents"] == [{"name": "docker", "available": True, "version": "24.0", "message": ""}]
    assert (status["resources"], status["summary"]["resources"]) == ({"total": 3, "ready": 2}, "2/3")
    assert status["capacity"]["cpus"] > 0
    assert status["capacity"]["memory"].endswith("Mi")
    assert status["system"]["kernel"]
    assert (ready(found)["status"], ready(found)["message"]) == ("True", "its operator is at work")
    since = ready(found)["lastTransitionTime"]
    time.wait(Flag(), 60)
    atlas.health = AgentHealth(False, message="cannot reach Docker")
    atlas.machine.report()
    found = client.find(machines.place("atlas"))
    assert found is not None
    assert found["status"]["agents"][0] == {
        "name": "docker",
        "available": False,
        "version": "",
        "message": "cannot reach Docker",
    }
    assert (ready(found)["status"], ready(found)["lastTransitionTime"]) == ("True", since)
    assert ready(found)["message"] == "its operator is at work; it can't reach: docker"
    atlas.withheld = "this machine is paused by ada, so nothing is changed; 'p2 unpause' ends that"
    atlas.machine.report()
    assert ready(client.find(machines.place("atlas")))["message"].startswith("this machine is paused by ada")


def test_machine_that_was_deleted_by_hand_is_made_anew(hire: Hire, client: Cluster, time: Time) -> None:
    atlas = hire("atlas")
    client.request("DELETE", machines.place("atlas"))
    time.wait(Flag(), 600)
    atlas.machine.report()
    assert ready(client.find(machines.place("atlas")))["status"] == "True"


def test_nothing_is_written_and_little_asked_at_rest(hire: Hire, client: Cluster, namespace: str, time: Time) -> None:
    atlas, hera = hire("atlas", default=True), hire("hera")
    for name in ("a", "b"):
        put(client, namespace, name, {}, worked("atlas"))
    atlas.lookout.look()  # one more machine is there
    for each in (atlas, hera):
        each.client.asked.clear()
    minutes, begun = 10, time.passed
    while time.passed - begun < minutes * 60:  # what `keep` does in three threads, in one
        for each in (atlas, hera):
            each.lookout.look()
            if round(time.passed) % 60 == 0:
                each.machine.report()
        time.wait(Flag(), 30)
        for each in (atlas, hera):
            each.renew()
    for each in (atlas, hera):
        assert each.client.written() == []
        others = [path for method, path in each.client.asked if "/leases" not in path]
        assert len(others) <= 1, others  # the Machine, once in ten minutes
        assert sum(method == "GET" for method, _ in each.client.asked) <= 2 * minutes + 1
