"""`p2 get`, `describe` and `events` with `--context`: what a cluster has, as what files declare. Nobody works on it here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.sources.kube import leases
from controller.sources.kube.status_document import moment
from resources import kinds
from tests.apiserver import Kubernetes, OwnKubernetes, own_missing
from tests.cli.story import Shown, Story
from tests.support import Background, Controller, eventually

pytestmark = pytest.mark.kube


class Desk:
    """A person with `p2` and a kubeconfig."""

    def __init__(self, story: Story, cluster: Kubernetes, namespace: str) -> None:
        self.story, self.cluster, self.namespace = story, cluster, namespace

    def p2(self, *arguments: str) -> Shown:
        return self.story.p2(*arguments, "--kubeconfig", str(self.cluster.kubeconfig))

    def apply(self, name: str, content: str = "hello", **spec: Any) -> None:
        self.cluster.apply(self.story.file(name, content, **spec), namespace=self.namespace)

    def says(self, name: str, **status: Any) -> None:
        """Writes the status of a file as an operator would."""
        patch = json.dumps({"status": status})
        arguments = ("-n", self.namespace, "--subresource=status", "--type=merge", "-p", patch)
        self.cluster.kubectl("patch", "files.pegasus2.dev", name, *arguments)

    def is_ready(self, name: str, generation: int = 1, **status: Any) -> None:
        self.says(name, observedGeneration=generation, conditions=[condition(generation=generation)], **status)

    def key(self, name: str) -> str:
        return f"File/{self.namespace}/{name}"

    def got(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.p2("get", self.key(name), "-o", "json").out)
        return found

    def row(self, name: str, *options: str) -> str:
        lines = self.p2("get", self.key(name), *options).out.splitlines()
        assert len(lines) == 2, lines
        return lines[1]


def condition(truth: str = "True", reason: str = "Converged", message: str = "as declared", generation: int = 1) -> Any:
    return {
        "type": "Ready",
        "status": truth,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


@pytest.fixture
def desk(story: Story, cluster: Kubernetes, namespace: str) -> Desk:
    return Desk(story, cluster, namespace)


@pytest.fixture
def lease(cluster: Kubernetes) -> Iterator[Any]:
    """Makes the Lease of a machine, renewed so many seconds ago."""
    made: list[str] = []

    def make(node: str, *, ago: float = 0.0, default: bool = False) -> None:
        made.append(node)
        cluster.apply(
            json.dumps(
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {
                        "name": node,
                        "labels": {leases.NODE_LABEL: node},
                        "annotations": {leases.DEFAULT_MARK: str(default).lower()},
                    },
                    "spec": {
                        "holderIdentity": "x",
                        "renewTime": leases.written(time.time() - ago, micro=True),
                        "leaseDurationSeconds": 60,
                    },
                }
            ),
            namespace=leases.NAMESPACE,
        )

    yield make
    for node in made:
        cluster.kubectl("delete", "lease", node, "-n", leases.NAMESPACE)


def test_what_a_cluster_has_is_shown_as_what_files_declare(desk: Desk) -> None:
    desk.apply("motd", mode='"0600"')
    desk.is_ready("motd", node="atlas", handle="file:/somewhere")
    assert desk.row("motd").split()[:3] == [desk.key("motd"), "True", "Converged"]
    shown = desk.p2("get", desk.key("motd"), "-o", "wide")
    assert "NODE" in shown.out.splitlines()[0]
    assert {"atlas", "1/1", "file:/somewhere"} <= set(desk.row("motd", "-o", "wide").split())
    assert desk.p2("get", desk.key("motd"), "-o", "name").out.strip() == desk.key("motd")
    found = desk.got("motd")
    assert found["metadata"] == {"name": "motd", "namespace": desk.namespace, "generation": 1}
    assert found["spec"]["mode"] == "0600"
    assert (found["status"]["node"], found["status"]["observedGeneration"]) == ("atlas", 1)
    assert "kind: File" in desk.p2("get", desk.key("motd"), "-o", "yaml").out
    assert desk.key("motd") in desk.p2("get", "files").out
    assert desk.p2("get", desk.key("nobody")).code == 2


def test_context_chooses_the_cluster_and_without_one_files_are_shown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply("motd")
    monkeypatch.setenv("KUBECONFIG", str(desk.cluster.kubeconfig))
    context = desk.cluster.kubectl("config", "current-context").out.strip()
    assert desk.key("motd") in desk.story.p2("get", "--context", context).out
    desk.story.write("a.yaml", desk.story.file("declared"))
    assert "File/declared" in desk.story.p2("get").out
    assert desk.key("motd") not in desk.story.p2("get", "--context", "").out


def test_what_was_never_looked_at_is_pending_or_says_that_nobody_will(desk: Desk, lease: Any) -> None:
    desk.apply("new", node="atlas")
    assert "no machine is called atlas" in desk.row("new")
    lease("atlas")
    assert desk.row("new").split()[1:3] == ["Unknown", "Pending"]


def test_edited_object_is_pending_until_it_was_worked_off(desk: Desk) -> None:
    desk.apply("motd", "one")
    desk.is_ready("motd", node="atlas")
    desk.apply("motd", "two")
    assert desk.row("motd").split()[1:2] == ["Unknown"]
    desk.is_ready("motd", generation=2)
    assert desk.row("motd").split()[1:3] == ["True", "Converged"]


def test_what_waits_after_an_edit_says_for_what(desk: Desk) -> None:
    desk.apply("motd")
    waits = condition("False", "DependencyNotReady", "waits for File/other", 0)
    desk.says("motd", observedGeneration=0, conditions=[waits, {**waits, "type": "Reconciling", "status": "True"}])
    assert "waits for File/other" in desk.row("motd")


def test_what_is_on_a_machine_that_is_gone_is_unknown(desk: Desk, lease: Any) -> None:
    desk.apply("far", node="beta")
    desk.apply("near", node="atlas")
    for name, node in (("far", "beta"), ("near", "atlas")):
        desk.is_ready(name, node=node)
    lease("atlas")
    lease("beta", ago=3600)
    assert desk.row("near").split()[1:3] == ["True", "Converged"]
    assert desk.row("far").split()[1:3] == ["Unknown", "NodeLost"]
    assert "NodeLost" in desk.p2("describe", desk.key("far")).out


def test_object_that_is_being_deleted_is_not_ready(desk: Desk) -> None:
    desk.apply("motd")
    desk.is_ready("motd")
    where = ("files.pegasus2.dev", "motd", "-n", desk.namespace)
    desk.cluster.kubectl(
        "patch", *where, "--type=merge", "-p", '{"metadata":{"finalizers":["pegasus2.dev/finalizer"]}}'
    )
    desk.cluster.kubectl("delete", *where, "--wait=false")
    assert desk.row("motd").split()[1:3] == ["False", "Deleting"]


def test_status_that_somebody_has_scribbled_into_is_no_obstacle(desk: Desk) -> None:
    desk.apply("motd")
    odd = {**condition(), "type": "Weather", "status": "Unknown"}
    desk.says("motd", observedGeneration=1, conditions=[condition(), odd], drift=[{"path": "mode", "why": "because"}])
    assert desk.row("motd").split()[1:3] == ["True", "Converged"]


def test_describe_shows_conditions_differences_and_events(desk: Desk) -> None:
    desk.apply("motd", mode='"0600"', driftPolicy="Report")
    drift = [{"path": "mode", "observed": "0777", "desired": "0600", "why": "drifted"}]
    desk.is_ready("motd", node="atlas", drift=drift)
    event(desk, "motd", "Drifted", "mode was 0777")
    shown = desk.p2("describe", desk.key("motd")).out
    assert 'mode: "0777" -> "0600"   drifted' in shown
    assert "Drifted  mode was 0777" in shown
    assert "atlas" in shown
    found = json.loads(desk.p2("describe", desk.key("motd"), "-o", "json").out)
    assert found[0]["events"][0]["reason"] == "Drifted"


def test_events_are_those_of_our_objects(desk: Desk) -> None:
    desk.apply("motd")
    event(desk, "motd", "Updated", "drift in mode", count=3)
    event(desk, "motd", "NotOurs", "of something else", version="v1", kind="ConfigMap")
    told = [json.loads(line) for line in desk.p2("events", "-o", "json").out.splitlines()]
    ours = [each for each in told if each["key"] == f"File/{desk.namespace}/motd"]
    assert [(each["reason"], each["count"]) for each in ours] == [("Updated", 3)]
    assert "NotOurs" not in desk.p2("events").out
    assert "drift in mode (x3)" in desk.p2("events", desk.key("motd")).out


def event(
    desk: Desk,
    name: str,
    reason: str,
    message: str,
    *,
    count: int = 1,
    version: str = "pegasus2.dev/v1",
    kind: str = "File",
) -> None:
    about = {"apiVersion": version, "kind": kind, "name": name, "namespace": desk.namespace}
    # Newer than what other tests have left behind: only the newest are shown.
    now = moment(time.time())
    moments = {"firstTimestamp": now, "lastTimestamp": now, "count": count}
    document = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{name}."},
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "type": "Warning",
        **moments,
    }
    desk.cluster.kubectl("create", "-n", desk.namespace, "-f", "-", stdin=json.dumps(document))


# -- watching ------------------------------------------------------------------------------------------------------


@pytest.fixture
def watch(desk: Desk, tmp_path: Path) -> Iterator[Background]:
    """`p2 get files -w -o name`, running."""
    options = ["get", "files", "-w", "-o", "json", "--kubeconfig", str(desk.cluster.kubeconfig)]
    made = Background(options, desk.story.root, tmp_path / "watch.log", {})
    yield made
    made.kill()


def seen(watch: Background, desk: Desk) -> list[tuple[str, str]]:
    """Each line about a resource of the test, as its name and reason."""
    found = [json.loads(line) for line in watch.log.splitlines() if line.startswith("{")]
    ours = [each for each in found if each["metadata"].get("namespace") == desk.namespace]
    said = ((each["metadata"]["name"], each["status"]["conditions"]) for each in ours)
    return [(name, conditions[0]["reason"]) for name, conditions in said if conditions]


def test_watch_shows_what_comes_changes_and_goes(desk: Desk, watch: Background) -> None:
    desk.apply("first")
    desk.is_ready("first")
    watch.start()
    eventually(lambda: seen(watch, desk) == [("first", "Converged")], "what was there is shown")
    desk.apply("second")
    desk.is_ready("second")
    eventually(lambda: ("second", "Converged") in seen(watch, desk), "what comes is shown")
    desk.says("first", conditions=[condition("False", "ApplyFailed", "the disk is full")])
    eventually(lambda: ("first", "ApplyFailed") in seen(watch, desk), "what changes is shown")
    desk.cluster.kubectl("delete", "files.pegasus2.dev", "first", "-n", desk.namespace)
    eventually(lambda: ("first", "Gone") in seen(watch, desk), "what goes is shown")


def test_command_for_a_cluster_is_not_sent_to_a_controller_which_has_another_kubeconfig(desk: Desk) -> None:
    desk.apply("motd")
    desk.story.write("a.yaml", desk.story.file("declared"))
    controller = Controller(desk.story, {"KUBECONFIG": "/nowhere"}).start()
    try:
        eventually(lambda: (desk.story.world / "declared").exists(), "the controller works")
        context = desk.cluster.kubectl("config", "current-context").out.strip()
        asked = desk.story.start("get", f"--context={context}", env=desk.cluster.env)
        out, err = asked.communicate(timeout=30)
        assert (asked.returncode, desk.key("motd") in out) == (0, True), err
    finally:
        controller.kill()


def test_watch_of_events_goes_on_when_the_api_server_comes_back(desk: Desk, tmp_path: Path) -> None:
    if not isinstance(desk.cluster, OwnKubernetes):
        pytest.skip("this API server is not ours to restart")
    desk.apply("motd")
    event(desk, "motd", "First", "before")
    options = ["events", "-w", "--kubeconfig", str(desk.cluster.kubeconfig)]
    watch = Background(options, desk.story.root, tmp_path / "events.log", {}).start()
    try:
        eventually(lambda: "First" in watch.log, "what was there is shown")
        desk.cluster.stop()
        eventually(lambda: "trying again" in watch.log, "it says that nobody answers")
        desk.cluster.start()
        event(desk, "motd", "Second", "after")
        eventually(lambda: "Second" in watch.log, "what happens afterwards is shown")
        assert watch.log.count("First") == 1
    finally:
        watch.kill()


def test_watch_goes_on_when_the_api_server_comes_back(desk: Desk, watch: Background) -> None:
    if not isinstance(desk.cluster, OwnKubernetes):
        pytest.skip("this API server is not ours to restart")
    desk.apply("first")
    desk.is_ready("first")
    watch.start()
    eventually(lambda: seen(watch, desk) == [("first", "Converged")], "what was there is shown")
    desk.cluster.stop()
    eventually(lambda: "trying again" in watch.log, "it says that nobody answers")
    desk.cluster.start()
    desk.says("first", conditions=[condition("False", "ApplyFailed", "the disk is full")])
    eventually(lambda: ("first", "ApplyFailed") in seen(watch, desk), "what happens afterwards is shown")


# -- what can be wrong ---------------------------------------------------------------------------------------------


def test_no_kubeconfig_and_no_such_context_are_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = desk.story.p2("get", "--kubeconfig", "/nowhere/config")
    assert (absent.code, "cannot find a kubeconfig: there is no /nowhere/config" in absent.err) == (2, True)
    monkeypatch.setenv("KUBECONFIG", str(desk.cluster.kubeconfig))
    unknown = desk.story.p2("get", "--context", "nowhere")
    assert unknown.code == 2
    assert 'cannot use the context "nowhere"' in unknown.err
    assert "kubectl config get-contexts" in unknown.err


@pytest.mark.parametrize(
    "command", [("get",), ("describe", "files"), ("events",), ("diff",)], ids=lambda words: words[0]
)
def test_api_server_that_does_not_answer_is_told(story: Story, tmp_path: Path, command: tuple[str, ...]) -> None:
    shown = story.p2(*command, "--kubeconfig", kubeconfig(tmp_path, "https://127.0.0.1:1", "nobody"))
    assert (shown.code, "cannot reach the API server at https://127.0.0.1:1" in shown.err) == (2, True)


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("get", "apiGroups: [pegasus2.dev], resources: [composes], verbs: [get, list, watch]"),
        ("get -w", "apiGroups: [pegasus2.dev], resources: [composes], verbs: [get, list, watch]"),
        ("events", 'apiGroups: [""], resources: [events], verbs: [get, list, watch]'),
        ("diff", 'apiGroups: [""], resources: [namespaces], verbs: [get, list, watch]'),
    ],
)
def test_who_may_read_nothing_is_told_which_rule_is_missing(
    desk: Desk, tmp_path: Path, command: str, rule: str
) -> None:
    shown = desk.story.p2(*command.split(), "--kubeconfig", stranger(desk, tmp_path))
    assert (shown.code, shown.out) == (2, "")
    assert "forbidden" in shown.err
    assert rule in shown.err


def test_who_may_read_only_resources_is_shown_these_and_told_what_is_missing(desk: Desk, tmp_path: Path) -> None:
    desk.apply("motd")
    desk.is_ready("motd")
    role = f"reads-{desk.namespace}"
    config = stranger(desk, tmp_path)
    desk.cluster.kubectl("create", "clusterrole", role, "--verb=get,list,watch", "--resource=*.pegasus2.dev")
    user = f"--serviceaccount={desk.namespace}:stranger"
    desk.cluster.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", user)
    try:
        got = eventually(
            lambda: (shown := desk.story.p2("get", "--kubeconfig", config)).code == 0 and shown, "the right is in force"
        )
        assert desk.key("motd") in got.out
        assert 'cannot list resource "leases"' in got.err
        described = desk.story.p2("describe", desk.key("motd"), "--kubeconfig", config)
        assert (described.code, "resources: [events]" in described.err) == (0, True)
    finally:
        desk.cluster.kubectl("delete", "clusterrole,clusterrolebinding", role)


def stranger(desk: Desk, tmp_path: Path) -> str:
    """The kubeconfig of a ServiceAccount without any rights."""
    desk.cluster.kubectl("create", "serviceaccount", "stranger", "-n", desk.namespace)
    token = desk.cluster.kubectl("create", "token", "stranger", "-n", desk.namespace).out.strip()
    config = json.loads(desk.cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json").out)
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


def kubeconfig(tmp_path: Path, server: str, token: str) -> str:
    path = tmp_path / "kubeconfig"
    parts = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "x", **parts}))
    return str(path)


def test_source_and_cluster_are_not_read_at_once(desk: Desk) -> None:
    shown = desk.p2("get", "-s", "elsewhere")
    assert (shown.code, "cannot combine --source with --context" in shown.err) == (2, True)


def test_cluster_without_our_kinds_says_how_to_install_them(
    story: Story, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if why := own_missing():
        pytest.skip(f"{why}, and CRDs are taken away here")
    bare = OwnKubernetes(tmp_path_factory.mktemp("bare"))
    try:
        for command in (("get",), ("diff",)):
            shown = story.p2(*command, "--kubeconfig", str(bare.kubeconfig))
            assert (shown.code, "p2 operator manifest | kubectl apply -f -" in shown.err) == (2, True), command
        bare.install()
        bare.kubectl("delete", "crd", "volumes.pegasus2.dev")
        shown = story.p2("get", "--kubeconfig", str(bare.kubeconfig))
        assert (shown.code, "does not know Volume" in shown.err) == (0, True)
        assert story.p2("get", "containers", "--kubeconfig", str(bare.kubeconfig)).code == 0
        assert set(kinds.built_in()) > {"Volume"}
    finally:
        bare.end()
