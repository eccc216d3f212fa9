"""`p2 diff --context`: what the operator of this machine would do, found out without doing any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver import Kubernetes
from tests.cli.story import Shown, Story
from tests.support import OperatorProcess, eventually

pytestmark = pytest.mark.kube
NODE = "atlas"


class Desk:
    """A person at the machine atlas."""

    def __init__(self, story: Story, cluster: Kubernetes, namespace: str) -> None:
        self.story, self.cluster, self.namespace = story, cluster, namespace

    def diff(self, *options: str) -> Shown:
        return self.story.p2("diff", "--kubeconfig", str(self.cluster.kubeconfig), *options)

    def plan(self, *options: str) -> dict[str, str]:
        """The action for each resource of the test, by its name."""
        found = json.loads(self.diff("-o", "json", *options).out)
        keys = {action["key"]: action["action"] for action in found["actions"]}
        return {name: action for key, action in keys.items() if (name := self._name(key))}

    def apply(self, name: str, content: str = "hello", **spec: Any) -> None:
        self.cluster.apply(self.story.file(name, content, **spec), namespace=self.namespace)

    def kubectl(self, verb: str, name: str, *options: str) -> None:
        self.cluster.kubectl(verb, "files.pegasus2.dev", name, "-n", self.namespace, *options)

    def key(self, name: str) -> str:
        return f"File/{self.namespace}/{name}"

    def _name(self, key: str) -> str:
        return key.removeprefix(self.key("")) if key.startswith(self.key("")) else ""


@pytest.fixture
def desk(story: Story, cluster: Kubernetes, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("PEGASUS2_NODE", NODE)
    return Desk(story, cluster, namespace)


@pytest.fixture
def operator(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorProcess]:
    """The operator of this machine, whose home is this machine's."""
    made = OperatorProcess(tmp_path / "operator", desk.cluster.kubeconfig, NODE, "--namespace", desk.namespace)
    monkeypatch.setenv("PEGASUS2_HOME", str(made.home))
    yield made
    made.close()


def test_plan_has_what_is_for_this_machine_and_counts_the_rest(desk: Desk) -> None:
    desk.apply("ours", node=NODE)
    desk.apply("theirs", node="beta")
    desk.apply("anybodys")
    shown = desk.diff()
    assert shown.code == 1
    assert f"+ {desk.key('ours')}  create" in shown.out
    assert "theirs" not in shown.out
    assert "for other machines (beta)" in shown.err
    assert desk.plan() == {"ours": "create", "anybodys": "create"}
    assert desk.plan("--node", "beta") == {"theirs": "create", "anybodys": "create"}
    assert not list(desk.story.world.iterdir())


def test_what_names_no_machine_is_left_to_the_one_that_says_it_takes_it(desk: Desk, cluster: Kubernetes) -> None:
    desk.apply("anybodys")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "beta",
            "labels": {"pegasus2.dev/node": "beta"},
            "annotations": {"pegasus2.dev/default": "true"},
        },
        "spec": {"holderIdentity": "x", "leaseDurationSeconds": 60},
    }
    cluster.apply(json.dumps(lease), namespace="pegasus2")
    try:
        assert desk.plan() == {}
        assert desk.plan("--node", "beta") == {"anybodys": "create"}
    finally:
        cluster.kubectl("delete", "lease", "beta", "-n", "pegasus2")


def test_one_resource_is_planned_for_alone(desk: Desk) -> None:
    desk.apply("one", node=NODE)
    desk.apply("two", node=NODE)
    assert desk.plan("--only", desk.key("one")) == {"one": "create"}
    desk.apply("theirs", node="beta")
    refused = desk.diff("--only", desk.key("theirs"))
    assert (refused.code, "it is for the machine beta" in refused.err) == (2, True)


def test_plan_of_a_cluster_can_not_be_applied_here(desk: Desk, tmp_path: Path) -> None:
    desk.apply("ours", node=NODE)
    saved = tmp_path / "plan.json"
    saved.write_text(desk.diff("-o", "json").out)
    refused = desk.story.p2("apply", "--plan", str(saved))
    assert (refused.code, "p2 operator" in refused.err) == (2, True)


def test_cluster_has_neither_paths_nor_revisions_and_files_no_nodes(desk: Desk) -> None:
    for options in (("elsewhere",), ("--revision", "3")):
        assert "cannot combine PATH or --revision with --context" in desk.diff(*options).err
    assert "cannot use --node without --context" in desk.story.p2("diff", "--node", "beta").err


def test_plan_is_what_the_operator_then_does(desk: Desk, operator: OperatorProcess) -> None:
    world = desk.story.world
    for name in ("stays", "drifts", "changes", "goes"):
        desk.apply(name, node=NODE)
    desk.apply("kept", node=NODE, deletionPolicy="Retain")
    assert set(desk.plan().values()) == {"create"}
    operator.start()
    eventually(lambda: len(list(world.iterdir())) == 5, f"all were made: {operator.log[-2000:]}")
    eventually(lambda: desk.plan() == {}, "nothing is left to be done")
    operator.end(60)

    (world / "drifts").write_text("rubbish")
    desk.apply("changes", "anew", node=NODE)
    desk.apply("new", node=NODE)
    desk.kubectl("delete", "goes", "--wait=false")
    desk.kubectl("delete", "kept", "--wait=false")
    expected = {"drifts": "update", "changes": "update", "new": "create", "goes": "delete"}
    before = {path.name: path.read_text() for path in world.iterdir()}
    assert desk.plan() == expected
    shown = desk.diff()
    assert "held back (Retained)" in shown.out
    assert {path.name: path.read_text() for path in world.iterdir()} == before, "a look changes nothing"
    assert desk.plan("--no-prune") == {name: action for name, action in expected.items() if action != "delete"}

    operator.start()
    eventually(lambda: not (world / "goes").exists(), "it was deleted")
    eventually(lambda: (world / "changes").read_text() == "anew" and (world / "new").exists(), "edits were made")
    eventually(lambda: (world / "drifts").read_text() == "hello", "drift was corrected")
    assert (world / "kept").exists()
    eventually(lambda: desk.plan() == {}, "nothing is left to be done")
    operator.end(60)


def test_secret_of_the_cluster_is_looked_up_and_not_shown(desk: Desk) -> None:
    document = (
        "apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {name: web}\n"
        f"spec: {{image: nginx, node: {NODE}, secretEnv: {{TOKEN: {{secret: {{name: web, key: token}}}}}}}}\n"
    )
    desk.cluster.apply(document, namespace=desk.namespace)
    desk.cluster.kubectl(
        "create", "secret", "generic", "web", "-n", desk.namespace, "--from-literal=token=very-secret-value"
    )
    shown = desk.diff("-o", "json", "--only", f"Container/{desk.namespace}/web")
    assert "very-secret-value" not in shown.out + shown.err
    assert json.loads(shown.out)["source"].startswith("kubernetes:")
