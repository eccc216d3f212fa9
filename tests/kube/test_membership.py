"""One operator serves a node at a time, whatever becomes of it, of others and of the API server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest

from controller.sources.kube.cluster import Cluster, ClusterError, Unreachable
from controller.sources.kube.leases import Lease, place, read_lease, written
from controller.sources.kube.membership import Membership, Pace, Rhythm, seat
from tests.apiserver import Kubernetes, OwnKubernetes
from tests.kube.crew import Counting, Time, clean
from tests.support import eventually

pytestmark = pytest.mark.kube

QUICK = Pace(duration=2, renew=0.1, again=0.05)


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
def time() -> Time:
    return Time()


@pytest.fixture
def member(client: Cluster, time: Time) -> Callable[..., Membership]:
    def make(node: str = "atlas", **options: object) -> Membership:
        rhythm = Rhythm(clock=time.clock, wait=time.wait)
        return Membership(client, node, rhythm=rhythm, **options)  # type: ignore[arg-type]

    return make


Make = Callable[..., Membership]


def lease(client: Cluster, node: str = "atlas") -> Lease:
    body = client.find(place(node))
    assert body is not None
    return read_lease(body)


def test_free_node_is_taken_and_marked(client: Cluster, member: Make) -> None:
    atlas, hera = member(default=True, seat="abc"), member("hera")
    assert atlas.join(Flag())
    assert hera.join(Flag())
    found = lease(client)
    assert (found.holder, found.default, found.seat, found.duration) == (atlas.identity, True, "abc", 60)
    assert not lease(client, "hera").default


def test_second_operator_says_once_whom_it_waits_for_and_takes_over_when_the_first_ends(
    client: Cluster, member: Make, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = member(), member()
    assert first.join(Flag())
    time.at[30] = first.leave
    assert second.join(Flag())
    assert time.passed == 30
    assert lease(client).holder == second.identity
    waits = [each for each in caplog.records if each.message == "waiting for the lease of the node"]
    assert [(each.__dict__["node"], each.__dict__["holder"]) for each in waits] == [("atlas", first.identity)]


def test_second_operator_waits_until_the_lease_of_a_dead_one_ran_out(client: Cluster, member: Make, time: Time) -> None:
    first, second = member(), member()
    assert first.join(Flag())
    assert second.join(Flag())
    assert time.passed == 60
    body = client.find(place("atlas"))
    assert body is not None
    assert body["spec"]["leaseTransitions"] == 1


def test_holder_whose_clock_runs_ahead_is_replaced_all_the_same(client: Cluster, member: Make, time: Time) -> None:
    assert member().join(Flag())
    tomorrow = written(time.clock.wall() + 86_400, micro=True)
    client.patch(place("atlas"), {"spec": {"renewTime": tomorrow}})
    assert member().join(Flag())
    assert time.passed == 60


def test_operator_that_waits_does_not_profit_from_an_api_server_that_was_away(
    cluster: Kubernetes, client: Cluster, member: Make, time: Time
) -> None:
    first, stop, cut = member(), Flag(), Flag()
    assert first.join(Flag())

    def fail(method: str, path: str) -> None:
        if cut.is_set():
            raise Unreachable("cannot reach the API server")

    with closing(Counting(cluster.kubeconfig, fail)) as other:
        second = Membership(other, "atlas", rhythm=Rhythm(clock=time.clock, wait=time.wait))
        time.at[10], time.at[200], time.at[230] = cut.set, cut.clear, stop.set
        assert not second.join(stop)
        assert first._renew() == ""


def test_operator_that_is_started_again_in_its_home_need_not_wait(member: Make, time: Time, home: Path) -> None:
    home.mkdir()
    assert member(seat=seat(home)).join(Flag())
    assert member(seat=seat(home)).join(Flag())
    assert time.passed == 0


def test_homes_have_seats_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert seat(tmp_path / "a") == seat(tmp_path / "a") != seat(tmp_path / "b")


def test_wait_for_a_node_ends_when_the_operator_is_stopped(client: Cluster, member: Make, time: Time) -> None:
    first, stop = member(), Flag()
    assert first.join(Flag())
    time.at[10] = stop.set
    assert not member().join(stop)
    assert lease(client).holder == first.identity


def test_many_who_want_one_node_get_it_one_at_a_time(cluster: Kubernetes) -> None:
    joined, stop = [], Flag()
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(cluster.client())) for _ in range(5)]
        members = [
            Membership(each, "atlas", rhythm=Rhythm(Pace(again=0.05))) for each in clients
        ]  # none runs out meanwhile

        def take(one: Membership) -> None:
            if one.join(stop):
                joined.append(one)

        threads = [Thread(target=take, args=(one,)) for one in members]
        for thread in threads:
            thread.start()
        for count in range(1, 6):
            eventually(lambda: len(joined) >= count, "the next one has it")  # noqa: B023
            assert len(joined) == count
            assert lease(clients[0]).holder == joined[-1].identity
            joined[-1].leave()
        for thread in threads:
            thread.join()


def test_lease_is_renewed_thrice_a_minute_and_nothing_else_is_asked(cluster: Kubernetes, time: Time) -> None:
    with closing(Counting(cluster.kubeconfig)) as client:
        one, stop = Membership(client, "atlas", rhythm=Rhythm(clock=time.clock, wait=time.wait)), Flag()
        assert one.join(Flag())
        client.asked.clear()
        time.at[600] = stop.set
        one.keep(stop, pytest.fail, lambda: pytest.fail("it was never gone"))
        assert client.asked == [("PATCH", place("atlas"))] * 29
        assert lease(client).renewed == time.clock.wall() - 20


def test_operator_that_was_displaced_is_told_by_whom(client: Cluster, member: Make, time: Time) -> None:
    first, second = member(), member()
    assert first.join(Flag())
    told: list[str] = []  # as if no API server had answered the first one for a while
    assert second.join(Flag())
    first.keep(Flag(), told.append, lambda: pytest.fail("another has it"))
    assert told == [second.identity]
    first.leave()
    assert lease(client).holder == second.identity


def test_edited_or_deleted_lease_is_kept(client: Cluster, member: Make, time: Time) -> None:
    one, stop = member(), Flag()
    assert one.join(Flag())
    time.at[30] = lambda: client.patch(place("atlas"), {"metadata": {"annotations": {"note": "mine"}}})
    time.at[50] = lambda: client.request("DELETE", place("atlas"))
    time.at[90] = stop.set
    one.keep(stop, pytest.fail, lambda: pytest.fail("it was never gone for long"))
    assert lease(client).holder == one.identity
    one.leave()
    assert lease(client).holder == ""


def test_lease_that_ran_out_and_that_nobody_took_is_ours_again_and_told(
    cluster: Kubernetes, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "controller")
    cut = Flag()

    def fail(method: str, path: str) -> None:
        if cut.is_set():
            raise ClusterError("cannot reach the API server")

    with closing(Counting(cluster.kubeconfig, fail)) as client:
        one, stop = Membership(client, "atlas", rhythm=Rhythm(clock=time.clock, wait=time.wait)), Flag()
        assert one.join(Flag())
        returned: list[float] = []
        time.at[30], time.at[100], time.at[200] = cut.set, cut.clear, stop.set
        one.keep(stop, pytest.fail, lambda: returned.append(time.passed))
        assert returned == [100]
        assert lease(client).holder == one.identity
    said = [each.message for each in caplog.records]
    assert said == ["the lease could not be renewed", "the lease is renewed again"]


def test_restarted_api_server_ends_no_membership(cluster: Kubernetes) -> None:
    if not isinstance(cluster, OwnKubernetes):
        pytest.skip("this API server is not ours to restart")
    with closing(cluster.client()) as client:
        one, stop = Membership(client, "atlas", rhythm=Rhythm(QUICK)), Flag()
        assert one.join(Flag())
        displaced: list[str] = []
        keeping = Thread(target=one.keep, args=(stop, displaced.append, lambda: None))
        keeping.start()
        cluster.restart()
        before = lease(client).renewed
        eventually(lambda: lease(client).renewed > before, "it is renewed again")
        stop.set()
        keeping.join()
        assert (lease(client).holder, displaced) == (one.identity, [])


_PROCESS = """
import sys
from pathlib import Path
from threading import Event
from controller.sources.kube.cluster import Cluster
from controller.sources.kube.membership import Membership, Pace, Rhythm
one = Membership(Cluster(kubeconfig=Path(sys.argv[1])), "atlas", rhythm=Rhythm(Pace(duration=2, renew=0.1, again=0.05)))
assert one.join(Event())
print(one.identity, flush=True)
one.keep(Event(), print, print)
"""


def test_node_of_a_killed_operator_is_taken_over_when_its_lease_ran_out(cluster: Kubernetes, client: Cluster) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(cluster.kubeconfig)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert killed.stdout is not None
        identity = killed.stdout.readline().strip()
        second, joined = Membership(client, "atlas", rhythm=Rhythm(QUICK)), Flag()
        waiting = Thread(target=lambda: second.join(Flag()) and joined.set())
        waiting.start()
        before = lease(client).renewed
        eventually(lambda: lease(client).renewed > before + 2.5, "it has renewed for longer than it lasts")
        assert (lease(client).holder, joined.is_set()) == (identity, False)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert joined.wait(10)
        waiting.join()
        assert lease(client).holder == second.identity
    finally:
        killed.kill()
        killed.wait()
        assert killed.stdout is not None
        killed.stdout.close()


def test_cluster_in_which_nothing_is_installed_is_an_error_that_says_what_to_do(
    member: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.sources.kube.leases.NAMESPACE", "nowhere")
    with pytest.raises(ClusterError, match=r"^cannot keep the lease of the node atlas: .* p2 operator manifest \|"):
        member().join(Flag())
