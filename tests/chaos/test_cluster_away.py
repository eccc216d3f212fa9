"""The cluster is away, is cut off, or has changed while nobody looked: no change is lost, and nothing goes that should stay."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from typing import Any

import pytest

from controller.sources.kube.cluster import APPLY_PATCH, Cluster, Json
from controller.sources.kube.deletions import Arrival
from controller.sources.kube.objects import place as path_of
from controller.sources.kube.watching import Watching
from resources.meta import API_VERSION, Key
from tests.apiserver import Kubernetes, OwnKubernetes, objects
from tests.chaos.size import SEED, sized
from tests.chaos.wire import Wire
from tests.chaos.yard import Yard
from tests.cli.story import P2
from tests.support import OperatorProcess, eventually, fingerprint

pytestmark = pytest.mark.kube

CUTS = sized(6, 60)
SILENCE = 2.0  # seconds

Start = Callable[..., OperatorProcess]


class Place:
    """The objects of one namespace, all Files (unless said otherwise), and the directory that they are about."""

    def __init__(self, cluster: Kubernetes, namespace: str, world: Path) -> None:
        self.cluster, self.namespace, self.world = cluster, namespace, world
        self.client = cluster.client()
        world.mkdir()

    def apply(self, name: str, content: str = "hello", **spec: Any) -> None:
        self.apply_any("File", name, {"path": str(self.world / name), "content": content, **spec})

    def apply_any(self, kind: str, name: str, spec: Any) -> None:
        document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        self._request("PATCH", name, kind, document, {"fieldManager": "ada", "force": "true"}, content=APPLY_PATCH)

    def delete(self, *names: str, kind: str = "File") -> None:
        """Does not wait."""
        for name in names:
            self._request("DELETE", name, kind)

    def patch(self, name: str, patch: Any, *, kind: str = "File", sub: str = "") -> None:
        self.client.patch(path_of(Key(kind, self.namespace, name), sub), patch)

    def release(self, name: str) -> None:
        """Removes the finalizer by hand."""
        self.patch(name, {"metadata": {"finalizers": None}})

    def _request(self, method: str, name: str, kind: str, *arguments: Any, **more: Any) -> Any:
        return self.client.request(method, path_of(Key(kind, self.namespace, name)), *arguments, **more)

    def find(self, name: str, kind: str = "File") -> Json:
        """Empty when there is none."""
        return self.client.find(path_of(Key(kind, self.namespace, name))) or {}

    def condition(self, name: str, kind: str = "File") -> Json:
        """Ready, as it is said of the newest spec; empty while nothing is."""
        found = self.find(name, kind)
        status = found.get("status") or {}
        if status.get("observedGeneration") != found.get("metadata", {}).get("generation"):
            return {}
        return next((each for each in status.get("conditions") or () if each["type"] == "Ready"), {})

    def ready(self, *names: str, kind: str = "File") -> bool:
        """Ready, and held by our finalizer."""
        return all(
            self.condition(name, kind).get("status") == "True" and self.find(name, kind)["metadata"].get("finalizers")
            for name in names
        )

    def names(self) -> list[str]:
        """Of all objects there are."""
        return sorted(found["metadata"]["name"] for _, found in objects(self.client, self.namespace))

    def contents(self) -> dict[str, str]:
        """Of the files in the world."""
        return {path.name: path.read_text() for path in self.world.iterdir() if not path.name.startswith(".")}


@pytest.fixture
def place(cluster: Kubernetes, namespace: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(cluster, namespace, tmp_path / "world")
    yield made
    made.client.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the operator of a place, with a home that it had before."""
    started: list[OperatorProcess] = []

    def begin(place: Place, kubeconfig: Path | None = None) -> OperatorProcess:
        options = ("--default", "--namespace", place.namespace)
        node = f"node-of-{place.namespace}"
        made = OperatorProcess(tmp_path / "operator", kubeconfig or place.cluster.kubeconfig, node, *options)
        started.append(made.start())
        return made

    yield begin
    for each in started:
        each.kill()


@pytest.fixture
def wire(cluster: Kubernetes, tmp_path: Path) -> Iterator[Wire]:
    made = Wire(cluster, tmp_path)
    yield made
    made.close()


# -- the wire ----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120 + 5 * CUTS)
def test_watch_that_is_cut_again_and_again_loses_no_change(place: Place, wire: Wire, start: Start) -> None:
    chance, names = random.Random(SEED), [f"n{number}" for number in range(6)]
    wished = dict.fromkeys(names, "hello")
    operator = start(place, wire.kubeconfig)
    for name in names:
        place.apply(name)
    for count in range(CUTS):
        wire.cut()
        name = chance.choice(names)
        if name in wished and chance.random() < 0.3:
            place.delete(name)
            wished.pop(name)
        elif not place.find(name).get("metadata", {}).get("deletionTimestamp"):
            wished[name] = f"edited {count}"
            place.apply(name, wished[name])
        time.sleep(chance.choice([0, 0, 0.1, 1.0]))
    eventually(lambda: place.contents() == wished, f"all was as wished after {CUTS} cuts", 60)
    eventually(lambda: place.ready(*wished), "all was said to be Ready")
    place.delete(*wished)
    eventually(lambda: not place.names(), "all objects were gone")
    assert list(place.world.iterdir()) == []
    assert operator.end() == 0


def test_drift_is_healed_while_the_cluster_is_cut_off_and_told_when_it_is_back(
    place: Place, wire: Wire, start: Start
) -> None:
    start(place, wire.kubeconfig)
    place.apply("healed")
    place.apply("reported", driftPolicy="Report")
    eventually(lambda: place.ready("healed", "reported"), "both were Ready")
    wire.down()
    (place.world / "healed").write_text("drifted")
    (place.world / "reported").write_text("drifted")
    eventually(lambda: (place.world / "healed").read_text() == "hello", "drift was healed with the cluster cut off")
    place.apply("healed", "edited meanwhile")
    wire.up()
    eventually(lambda: (place.world / "healed").read_text() == "edited meanwhile", "the edit came through")
    eventually(lambda: place.find("reported")["status"].get("drift"), "the drift was told")
    eventually(lambda: place.ready("healed"), "the edit was told")


def test_silent_watch_is_begun_again_and_tells_what_it_had_not(place: Place, wire: Wire) -> None:
    arrived: SimpleQueue[Arrival] = SimpleQueue()
    stop = Flag()
    with closing(Cluster(kubeconfig=wire.kubeconfig)) as cluster:
        watching = Watching(cluster, (place.namespace,), arrived.put, silence=SILENCE)
        watching.start(stop)
        try:
            place.apply("before")
            assert heard(arrived, "before")
            wire.silence()
            place.apply("during")
            assert heard(arrived, "during")
        finally:
            stop.set()
            watching.begin_again()
            eventually(lambda: not watching.alive, "the watch ended")


def heard(arrived: SimpleQueue[Arrival], name: str) -> bool:
    def happened() -> bool:
        try:
            return arrived.get_nowait()[1].key.name == name
        except Empty:
            return False

    return eventually(happened, f"the watch told of {name}")


if sized(0, 1):  # takes more than a minute, so at full size only; the test before it does the same to a watch alone

    @pytest.mark.timeout(240)
    def test_operator_whose_connections_have_gone_silent_comes_to_know_of_it(
        place: Place, wire: Wire, start: Start
    ) -> None:
        start(place, wire.kubeconfig)
        place.apply("one")
        eventually(lambda: place.ready("one"), "it was Ready")
        wire.silence()
        place.apply("one", "edited")
        eventually(lambda: (place.world / "one").read_text() == "edited", "the edit came through", 90)
        eventually(lambda: place.ready("one"), "that was told", 60)


def test_object_that_went_while_the_watch_had_lost_its_place_takes_its_thing_with_it(
    server: OwnKubernetes, tmp_path: Path, start: Start
) -> None:
    place, wire = Place(server, "default", tmp_path / "world"), Wire(server, tmp_path)
    start(place, wire.kubeconfig)
    place.apply("gone")
    place.apply("stays")
    eventually(lambda: place.ready("gone", "stays"), "both were Ready")
    wire.down()
    place.delete("gone")
    place.release("gone")
    server.restart()  # from now on it can't tell what was before
    wire.up()
    eventually(lambda: not (place.world / "gone").exists(), "the thing has followed its object", 40)
    assert (place.world / "stays").read_text() == "hello"
    wire.close()


# -- while the operator is down ----------------------------------------------------------------------------------


def test_what_was_deleted_while_the_operator_was_down_goes_when_it_is_back(place: Place, start: Start) -> None:
    operator = start(place)
    for name in ("held", "released", "kept", "stays"):
        place.apply(name, deletionPolicy="Retain" if name == "kept" else "Delete")
    eventually(lambda: place.ready("held", "released", "kept", "stays"), "all were Ready")
    operator.kill()
    place.delete("held", "released", "kept")
    place.release("released")
    assert place.find("held")
    assert not place.find("released")
    start(place)
    eventually(lambda: sorted(place.contents()) == ["kept", "stays"], "what had been deleted went")
    eventually(lambda: place.names() == ["stays"], "the objects too")


def test_directory_goes_after_the_file_in_it_although_nothing_tells_that_this_was_deleted(
    place: Place, start: Start
) -> None:
    operator = start(place)
    directory = place.world / "directory"
    place.apply_any("File", "directory", {"path": str(directory), "type": "directory"})
    place.apply("inner", path=str(directory / "inner"))
    eventually(lambda: place.ready("directory", "inner"), "both were Ready")
    operator.kill()
    place.delete("directory", "inner")
    place.release("inner")
    start(place)
    eventually(lambda: not place.names(), "both objects were gone")
    eventually(lambda: not directory.exists(), "so were both things")


def test_finalizer_that_was_removed_by_hand_is_put_back(place: Place, start: Start) -> None:
    start(place)
    place.apply("one")
    eventually(lambda: place.ready("one"), "it was Ready")
    place.release("one")
    eventually(lambda: place.ready("one"), "the finalizer was back")


def test_status_that_was_edited_by_hand_is_put_right(place: Place, start: Start) -> None:
    start(place)
    place.apply("one")
    eventually(lambda: place.ready("one"), "it was Ready")
    written = place.find("one")["status"]
    place.patch("one", {"status": None}, sub="status")
    eventually(lambda: place.find("one").get("status") == written, "it was written again")
    lie = {**written["conditions"][0], "status": "False", "reason": "Lie", "message": "said by hand"}
    place.patch("one", {"status": {"conditions": [lie], "observedGeneration": 77}}, sub="status")
    eventually(lambda: place.find("one").get("status") == written, "the lie was corrected")


def test_object_that_is_edited_while_it_is_worked_on_ends_as_it_was_edited_last(place: Place, start: Start) -> None:
    start(place)
    for count in range(15):
        place.apply("one", f"edit {count}")
    eventually(lambda: place.contents() == {"one": "edit 14"}, "the last edit stood")
    eventually(lambda: place.ready("one"), "and it was said of the last generation")


def test_namespace_that_is_deleted_takes_its_things_with_it(cluster: Kubernetes, tmp_path: Path, start: Start) -> None:
    with cluster.namespace() as name:
        place = Place(cluster, name, tmp_path / "world")
        start(place)
        for each in ("one", "two"):
            place.apply(each)
        eventually(lambda: place.ready("one", "two"), "both were Ready")
        cluster.kubectl("delete", "namespace", name, "--wait=false")
        # What a controller-manager does; without one nobody does it.
        cluster.kubectl("delete", "files.pegasus2.dev", "--all", "-n", name, "--wait=false")
        eventually(lambda: not place.names(), "no object was left in it")
        eventually(lambda: place.contents() == {}, "nor anything in the world")


# -- what was lost -----------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_home_that_was_lost_makes_nothing_twice(place: Place, yard: Yard, start: Start) -> None:
    operator = start(place)
    name = yard.name("one")
    place.apply_any("Container", name, json.loads(yard.container("one"))["spec"])
    place.apply("file")
    eventually(lambda: place.ready(name, kind="Container") and place.ready("file"), "both were Ready")
    before, files = yard.fingerprint(), fingerprint(place.world)
    assert operator.end() == 0  # one that was killed would be waited for: it might live on with its home elsewhere
    subprocess.run(["rm", "-r", operator.home], check=True)
    operator = start(place)
    eventually(lambda: operator.home.exists(), "it had a home again")
    place.apply("new")
    eventually(lambda: place.ready("new") and place.ready("file"), "it worked")
    eventually(lambda: place.ready(name, kind="Container"), "the container was Ready")
    assert yard.fingerprint() == before
    assert {path: seen for path, seen in fingerprint(place.world).items() if path != "new"} == files
    place.delete(name, kind="Container")
    eventually(lambda: yard.names() == [], "the container was still known as ours, and went")


def test_definitions_that_are_deleted_and_put_back_take_nothing_away(
    server: OwnKubernetes, tmp_path: Path, start: Start
) -> None:
    place = Place(server, "default", tmp_path / "world")
    operator = start(place)
    names = ("one", "two", "three")
    for name in names:
        place.apply(name)
    eventually(lambda: place.ready(*names), "all were Ready")
    before = fingerprint(place.world)
    server.kubectl("delete", "crd", "--all", "--timeout=60s")
    assert fingerprint(place.world) == before
    server.install()
    for name in names:
        place.apply(name)
    eventually(lambda: place.ready(*names), "all were Ready again", 60)
    assert fingerprint(place.world) == before
    assert operator.alive


def test_cluster_that_comes_back_empty_takes_nothing_away_and_is_taken_over_after_a_confirmation(
    server: OwnKubernetes, tmp_path: Path, start: Start
) -> None:
    place = Place(server, "default", tmp_path / "world")
    operator = start(place)
    names = ("one", "two", "three")
    for name in names:
        place.apply(name)
    eventually(lambda: place.ready(*names), "all were Ready")
    before = fingerprint(place.world)
    server.lose_everything()
    server.install()
    place.apply("one")
    eventually(lambda: place.ready("one"), "the one that was applied again was Ready", 60)
    assert fingerprint(place.world) == before
    assert operator.end() == 0
    operator = start(place)
    place.apply("two")
    eventually(lambda: all(place.condition(name).get("reason") == "SourceMoved" for name in ("one", "two")), "it asked")
    assert fingerprint(place.world) == before
    command = place.condition("one")["message"].partition("'p2 ")[2].partition("'")[0]
    said = confirm(operator, *command.split(), "--all")
    assert said.returncode == 0, said.stdout + said.stderr
    eventually(lambda: place.ready("one", "two"), "it took them over")
    assert fingerprint(place.world) == before
    place.delete("one")
    eventually(
        lambda: sorted(place.contents()) == ["three", "two"], "it was its own, and the third stayed where it was"
    )


def confirm(operator: OperatorProcess, *command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PEGASUS2_HOME": str(operator.home)}
    return subprocess.run([P2, *command], env=env, cwd=operator.home.parent, capture_output=True, text=True)
