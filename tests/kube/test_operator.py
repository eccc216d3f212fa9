"""What an operator does beyond the stories of both modes: Secrets, inputs, Events, moves between machines, ways out."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE, need_image
from tests.apiserver import Kubernetes
from tests.cli.story import P2, Story
from tests.support import OperatorProcess, eventually

pytestmark = pytest.mark.kube

Start = Callable[..., OperatorProcess]


@pytest.fixture
def start(cluster: Kubernetes, tmp_path: Path, namespace: str) -> Iterator[Start]:
    """Starts an operator for this test's namespace; its node is named after that, so that tests keep apart."""
    started: list[OperatorProcess] = []

    def begin(name: str = "a", *options: str, **env: str) -> OperatorProcess:
        node = f"{namespace}-{name}"
        made = OperatorProcess(
            tmp_path / name, cluster.kubeconfig, node, "--namespace", namespace, *options, env=env
        ).start()
        started.append(made)
        return made

    yield begin
    for each in started:
        each.close()


def manifest(kind: str, name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "pegasus2.dev/v1", "kind": kind, "metadata": metadata, "spec": spec}


class Objects:
    """The objects of one namespace."""

    def __init__(self, cluster: Kubernetes, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def apply(self, kind: str, name: str, **spec: Any) -> None:
        self.cluster.apply(json.dumps(manifest(kind, name, self.namespace, **spec)), namespace=self.namespace)

    def patch(self, kind: str, name: str, **spec: Any) -> None:
        patch = json.dumps({"spec": spec})
        self.cluster.kubectl("patch", kind, name, "-n", self.namespace, "--type=merge", "-p", patch)

    def delete(self, kind: str, name: str) -> None:
        self.cluster.kubectl("delete", kind, name, "-n", self.namespace, "--wait=false")

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        said = self.cluster.kubectl("get", kind, name, "-n", self.namespace, "-o", "json", check=False)
        return said.json if said.code == 0 else None

    def ready(self, kind: str, name: str) -> dict[str, Any]:
        """Its Ready condition; empty while it has none."""
        found = (self.find(kind, name) or {}).get("status", {})
        return next((each for each in found.get("conditions", ()) if each["type"] == "Ready"), {})

    def until(self, kind: str, name: str, reason: str) -> dict[str, Any]:
        return eventually(
            lambda: found if (found := self.ready(kind, name)).get("reason") == reason else None,
            f"{kind}/{name} is {reason}",
        )


@pytest.fixture
def objects(cluster: Kubernetes, namespace: str) -> Objects:
    return Objects(cluster, namespace)


@pytest.fixture
def engine() -> Iterator[APIClient]:
    found = APIClient(timeout=30)
    need_image(found)
    yield found
    found.close()


@pytest.fixture
def web(engine: APIClient, namespace: str) -> Iterator[dict[str, Any]]:
    """The spec of a container; it is removed afterwards."""
    name = f"p2k-{namespace}"
    yield {
        "image": IMAGE,
        "pullPolicy": "never",
        "containerName": name,
        "command": ["sleep", "1000"],
        "stopSignal": "SIGKILL",
        "networks": [{"name": "none"}],
        "node": node(namespace),
    }
    with contextlib.suppress(NotFound):
        engine.remove_container(name, force=True)


def node(namespace: str, name: str = "a") -> str:
    return f"{namespace}-{name}"


def test_file_of_the_machine_that_an_object_refers_to_is_part_of_what_is_desired(
    start: Start, objects: Objects, namespace: str, tmp_path: Path
) -> None:
    (source := tmp_path / "source.txt").write_text("one")
    target = tmp_path / "target.txt"
    start()
    objects.apply("File", "copy", path=str(target), source=str(source), node=node(namespace))
    objects.until("File", "copy", "Converged")
    assert target.read_text() == "one"
    draft = tmp_path / "draft"
    draft.write_text("two")
    draft.replace(source)
    eventually(lambda: target.read_text() == "two", "the new content is there")


def test_what_happens_is_told_as_events_of_the_object(
    start: Start, objects: Objects, cluster: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    target = tmp_path / "told.txt"
    start()
    objects.apply("File", "told", path=str(target), content="x", node=node(namespace))
    objects.until("File", "told", "Converged")
    for _ in range(2):
        target.unlink()
        eventually(target.exists, "it is there again")

    def created() -> list[dict[str, Any]]:
        found = cluster.kubectl("get", "events", "-n", namespace, "-o", "json").json["items"]
        return [each for each in found if each["reason"] == "Created"]

    eventually(lambda: sum(each["count"] for each in created()) == 3, "all three are counted")
    assert len({each["message"] for each in created()}) == len(created()), "the same again is counted, not repeated"
    about = created()[0]["involvedObject"]
    assert (about["kind"], about["name"], about["uid"]) == (
        "File",
        "told",
        objects.find("File", "told")["metadata"]["uid"],
    )  # type: ignore[index]


def test_object_that_moves_to_another_machine_leaves_the_one_and_comes_to_the_other(
    start: Start, objects: Objects, namespace: str, tmp_path: Path
) -> None:
    """Both operators are on this machine, so that what they make is at one path: the first must be done with it."""
    target = tmp_path / "moving.txt"
    first, second = start("a"), start("b")
    objects.apply("File", "moving", path=str(target), content="x", node=node(namespace, "a"))
    objects.until("File", "moving", "Converged")
    objects.patch("File", "moving", node=node(namespace, "b"))
    eventually(lambda: "Deleted" in first.log, "the first has removed it")
    objects.patch("File", "moving", content="y")  # should the second have come too early and found it taken
    found = eventually(
        lambda: (f := objects.find("File", "moving")) and f["status"].get("node") == node(namespace, "b") and f,
        "the second has it",
    )
    assert found
    objects.until("File", "moving", "Converged")
    assert target.read_text() == "y"
    assert "Created" in second.log, "it was made anew, not left over"


def test_object_that_names_no_machine_is_left_to_the_operator_with_default(
    start: Start, objects: Objects, namespace: str, tmp_path: Path
) -> None:
    start("a")
    objects.apply("File", "free", path=str(tmp_path / "free"), content="x")
    objects.apply("File", "mine", path=str(tmp_path / "mine"), content="x", node=node(namespace))
    objects.until("File", "mine", "Converged")
    assert not (tmp_path / "free").exists()
    start("b", "--default")
    objects.until("File", "free", "Converged")
    assert (tmp_path / "free").exists()


def test_operator_that_is_started_without_default_keeps_what_names_no_machine_until_another_takes_it(
    start: Start, objects: Objects, namespace: str, tmp_path: Path
) -> None:
    target = tmp_path / "free.txt"
    first = start("a", "--default")
    objects.apply("File", "free", path=str(target), content="x")
    objects.until("File", "free", "Converged")
    first.end()
    careless = start("a")
    objects.apply("File", "mine", path=str(tmp_path / "mine"), content="x", node=node(namespace))
    objects.until("File", "mine", "Converged")
    target.unlink()
    eventually(target.exists, "it is still healed")
    second = start("b", "--default")
    eventually(lambda: "Deleted" in careless.log, "the first has let it go")
    objects.patch("File", "free", content="y")  # should the second have come too early and found it taken
    eventually(lambda: target.exists() and target.read_text() == "y", "the second has it")
    assert second.alive


def test_operator_that_is_started_for_fewer_namespaces_leaves_what_is_in_the_others(
    start: Start, objects: Objects, cluster: Kubernetes, namespace: str, tmp_path: Path
) -> None:
    target = tmp_path / "here.txt"
    first = start()
    objects.apply("File", "here", path=str(target), content="x", node=node(namespace))
    objects.until("File", "here", "Converged")
    first.end()
    with cluster.namespace() as other:
        elsewhere = OperatorProcess(tmp_path / "a", cluster.kubeconfig, node(namespace), "--namespace", other).start()
        try:
            there = Objects(cluster, other)
            there.apply("File", "there", path=str(tmp_path / "there.txt"), content="x", node=node(namespace))
            there.until("File", "there", "Converged")
            there.delete("File", "there")
            eventually(lambda: there.find("File", "there") is None, "what was deleted there has gone")
        finally:
            elsewhere.end()
    assert target.exists()


def test_object_that_the_models_refuse_is_stalled_and_what_was_declared_before_stays(
    start: Start, objects: Objects, namespace: str, tmp_path: Path
) -> None:
    target = tmp_path / "filled.txt"
    start()
    spec: dict[str, Any] = {
        "path": str(target),
        "template": True,
        "variables": {"name": "ada"},
        "node": node(namespace),
    }
    objects.apply("File", "filled", content="hello {{ name }}", **spec)
    objects.until("File", "filled", "Converged")
    objects.apply("File", "filled", content="hello {{ nmae }}", **spec)
    refused = objects.until("File", "filled", "SourceInvalid")
    assert refused["status"] == "False"
    assert 'did you mean "name"' in refused["message"]
    target.unlink()
    eventually(target.exists, "what was declared before is made again")
    assert target.read_text() == "hello ada"
    objects.apply("File", "filled", content="bye {{ name }}", **spec)
    objects.until("File", "filled", "Converged")
    assert target.read_text() == "bye ada"


def test_operator_that_is_called_otherwise_than_before_removes_nothing_and_goes_on_when_its_objects_say_so(
    start: Start, objects: Objects, namespace: str, tmp_path: Path
) -> None:
    target, other = tmp_path / "kept.txt", f"{namespace}-b"
    operator = start()
    objects.apply("File", "kept", path=str(target), content="x", node=node(namespace))
    objects.until("File", "kept", "Converged")
    operator.end()
    start("a", "--node", other)
    objects.apply("File", "new", path=str(tmp_path / "new.txt"), content="x", node=other)
    objects.until("File", "new", "Converged")
    for content in ("y", "z"):  # whatever is said of it meanwhile is not for this node
        objects.patch("File", "kept", content=content)
        objects.patch("File", "new", content=content)
        eventually(lambda text=content: (tmp_path / "new.txt").read_text() == text, "the operator has heard of both")
    assert target.read_text() == "x"
    objects.patch("File", "kept", node=other)
    eventually(lambda: target.read_text() == "z", "it is this node's now")
    objects.delete("File", "kept")
    eventually(lambda: not target.exists(), "it goes as any other")


def test_thing_that_was_retained_is_removed_by_p2_delete_while_the_operator_runs(
    start: Start, objects: Objects, namespace: str, tmp_path: Path
) -> None:
    target, operator = tmp_path / "kept.txt", start()
    objects.apply("File", "kept", path=str(target), content="x", deletionPolicy="Retain", node=node(namespace))
    objects.until("File", "kept", "Converged")
    objects.delete("File", "kept")
    eventually(lambda: objects.find("File", "kept") is None, "the object has gone")
    assert target.exists()
    done = subprocess.run(
        [P2, "delete", f"file/{namespace}/kept", "--yes"],
        cwd=tmp_path,
        env={**os.environ, "PEGASUS2_HOME": str(operator.home)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not target.exists()


@pytest.mark.docker
def test_secret_of_the_cluster_reaches_the_container_and_nothing_else(
    start: Start, objects: Objects, cluster: Kubernetes, namespace: str, engine: APIClient, web: dict[str, Any]
) -> None:
    value, operator = f"hunter2-{os.urandom(8).hex()}", start()
    objects.apply("Container", "web", **web, secretEnv={"PASSWORD": {"secret": {"name": "db", "key": "password"}}})
    assert "kubectl create secret generic db" in objects.until("Container", "web", "SecretNotFound")["message"]
    cluster.kubectl("create", "secret", "generic", "db", "-n", namespace, f"--from-literal=password={value}")
    objects.until("Container", "web", "Converged")
    assert f"PASSWORD={value}" in engine.inspect_container(web["containerName"])["Config"]["Env"]
    told = cluster.kubectl("get", "containers,events", "-n", namespace, "-o", "yaml").out
    kept = "".join(sqlite3.connect(operator.home / "p2.db").iterdump())
    assert value not in told + kept + operator.log


@pytest.mark.docker
def test_object_whose_engine_is_gone_says_how_to_let_it_go_and_goes(
    start: Start, objects: Objects, tmp_path: Path, engine: APIClient, web: dict[str, Any]
) -> None:
    operator = start()
    objects.apply("Container", "web", **web)
    objects.until("Container", "web", "Converged")
    operator.end()
    start(DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    objects.delete("Container", "web")
    stuck = eventually(
        lambda: said if "deletionPolicy" in (said := objects.ready("Container", "web")).get("message", "") else None,
        "its condition says what to do",
    )
    assert (stuck["status"], stuck["reason"]) == ("Unknown", "AgentUnavailable")
    objects.patch("Container", "web", deletionPolicy="Retain")
    eventually(lambda: objects.find("Container", "web") is None, "the object has gone")
    assert engine.inspect_container(web["containerName"])["State"]["Running"]


@pytest.mark.docker
def test_change_that_would_lose_data_waits_for_p2_confirm(
    start: Start, objects: Objects, namespace: str, tmp_path: Path, engine: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, volume = start(), f"{namespace}-data"
    try:
        objects.apply("Volume", "data", labels={"a": "1"}, deletionPolicy="Delete", node=node(namespace))
        objects.until("Volume", "data", "Converged")
        objects.patch("Volume", "data", labels={"a": "2"})
        assert "p2 confirm" in objects.until("Volume", "data", "Immutable")["message"]
        monkeypatch.setenv("PEGASUS2_HOME", str(operator.home))
        monkeypatch.chdir(tmp_path)
        assert Story(tmp_path).p2("confirm", f"volume/{namespace}/data").code == 0
        objects.until("Volume", "data", "Converged")
        assert engine.inspect_volume(volume)["Labels"]["a"] == "2"
    finally:
        engine.remove_volume(volume, force=True)
