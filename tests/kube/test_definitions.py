"""What kubectl makes of the definitions: explanations, columns, names, and lists that several writers share."""

from __future__ import annotations

import json

import pytest

from resources.machine import Capacity, Counts, MachineAgent, MachineStatus, summary
from resources.pages import example
from tests.apiserver import Kubernetes
from tests.support import eventually

pytestmark = pytest.mark.kube

HEAD = "apiVersion: pegasus2.dev/v1\n"
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Converged",
    "message": "as declared",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-01-02T03:04:05.678901Z",
}


def say(cluster: Kubernetes, what: str, status: object, *arguments: str) -> None:
    """Writes a status, as an operator does."""
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", what, "--subresource=status", "--type=merge", "-p", patch, *arguments)


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()]


def test_kubectl_explains_a_field(cluster: Kubernetes) -> None:
    def explained() -> bool:  # an API server publishes a moment later what it has learnt
        found = cluster.kubectl("explain", "container.spec.ports", check=False).out
        return "Published ports: [ip:]host:container[/udp]" in found

    eventually(explained, "kubectl explains the ports")
    whole = cluster.kubectl("explain", "file", "--recursive").out
    assert "enum: file, directory, symlink" in whole
    assert "lastTransitionTime" in whole


def test_kubectl_shows_how_an_object_is(cluster: Kubernetes, namespace: str) -> None:
    cluster.apply(example("Container"), namespace=namespace)
    drift = [{"path": "image", "observed": None, "desired": "x", "why": "drifted"}]
    status = {"observedGeneration": 1, "node": "atlas", "handle": "id", "conditions": [READY], "drift": drift}
    say(cluster, "container/hello", status, "-n", namespace)
    heading, row = rows(cluster.kubectl("get", "co", "-n", namespace).out)
    assert heading == ["NAME", "READY", "REASON", "IMAGE", "PORTS", "AGE"]
    assert row[:4] == ["hello", "True", "Converged", "busybox:1.37"]
    heading, row = rows(cluster.kubectl("get", "containers", "-n", namespace, "-o", "wide").out)
    assert heading == ["NAME", "READY", "REASON", "IMAGE", "PORTS", "STATE", "NODE", "MESSAGE", "AGE"]
    assert row[5:-1] == ["running", "atlas", "as", "declared"]
    cluster.kubectl("wait", "--for=condition=Ready", "container/hello", "-n", namespace, "--timeout=10s")


def test_all_kinds_are_shown_by_one_name(cluster: Kubernetes, namespace: str) -> None:
    for kind in ("File", "Volume"):
        cluster.apply(example(kind), namespace=namespace)
    shown = cluster.kubectl("get", "pegasus2", "-n", namespace, "-o", "name").out
    assert {"file.pegasus2.dev/motd", "volume.pegasus2.dev/scratch"} <= {*shown.split()}


def test_a_machine_is_shown_with_its_agents(cluster: Kubernetes) -> None:
    name = "t-definitions-machine"
    cluster.kubectl("create", "-f", "-", stdin=f"{HEAD}kind: Machine\nmetadata: {{name: {name}}}\n")
    try:
        agents = (MachineAgent(name="docker", available=True), MachineAgent(name="environment", available=True))
        counts = Counts(total=14, ready=12)
        status = MachineStatus(
            version="1.2",
            agents=agents,
            capacity=Capacity(cpus=4, memory="15906Mi"),
            resources=counts,
            summary=summary(agents, counts),
        )
        say(cluster, f"machine/{name}", {**status.model_dump(mode="json"), "conditions": [READY]})
        heading, row = rows(cluster.kubectl("get", "pm", name).out)
        assert heading == ["NAME", "READY", "AGENTS", "VERSION", "CPUS", "MEMORY", "RESOURCES", "AGE"]
        assert row[:-1] == [name, "True", "docker,", "environment", "1.2", "4", "15906Mi", "12/14"]
    finally:
        cluster.kubectl("delete", "machine", name)


def test_two_writers_have_entries_of_their_own_in_the_mounts(cluster: Kubernetes, namespace: str) -> None:
    def write(who: str, target: str) -> None:
        spec = f"{{image: x, volumes: [{{type: volume, target: {target}}}]}}"
        text = f"{HEAD}kind: Container\nmetadata: {{name: x}}\nspec: {spec}\n"
        cluster.apply(text, "--server-side", f"--field-manager={who}", namespace=namespace)

    write("one", "/one")
    write("two", "/two")
    found = cluster.kubectl("get", "container", "x", "-n", namespace, "-o", "json").json
    assert [mount["target"] for mount in found["spec"]["volumes"]] == ["/one", "/two"]


def test_kubectl_refuses_in_our_words_and_names_the_field(cluster: Kubernetes, namespace: str) -> None:
    text = f"{HEAD}kind: File\nmetadata: {{name: a.b}}\nspec: {{path: /x, source: files/x}}\n"
    refused = cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text, check=False).err
    assert "metadata.name: Invalid value: cannot use this metadata.name: use lower-case letters" in refused
    assert 'spec.source: Invalid value: "files/x": cannot resolve a relative path here' in refused


def test_what_is_stored_is_applied_again_without_a_change(cluster: Kubernetes, namespace: str) -> None:
    cluster.apply(example("Container"), namespace=namespace)
    again = cluster.apply(example("Container"), namespace=namespace)
    assert again.out == "container.pegasus2.dev/hello unchanged\n"
    same = cluster.kubectl("diff", "-n", namespace, "-f", "-", stdin=example("Container"), check=False)
    assert (same.code, same.out) == (0, "")


@pytest.mark.parametrize("kind", ["Network", "Volume"])
def test_an_empty_spec_goes_over_to_server_side_apply_and_back(kind: str, cluster: Kubernetes, namespace: str) -> None:
    text = f"{HEAD}kind: {kind}\nmetadata: {{name: plain}}\nspec: {{}}\n"
    for options in ((), ("--server-side",), ("--server-side",), ()):
        said = cluster.apply(text, *options, namespace=namespace)
        assert "invalid" not in said.err
    found = cluster.kubectl("get", kind, "plain", "-n", namespace, "-o", "json").json
    assert found["spec"]["driftPolicy"] == "Correct"
