"""Several objects at once: dependencies, claims, whole namespaces."""

from __future__ import annotations

import uuid

import pytest

from tests.agents.worlds.docker import IMAGE, need_image
from tests.kube.desk import Desk
from tests.support import eventually

pytestmark = pytest.mark.kube


def test_documents_in_the_wrong_order_are_made_in_the_right_one(desk: Desk) -> None:
    desk.apply(
        desk.file("c", dependsOn="[File/b]"),
        desk.file("b", dependsOn="[File/a]"),
        desk.file("a"),
    )
    desk.ready("a", "b", "c")
    made = [(desk.world / name).stat().st_mtime_ns for name in ("a", "b", "c")]
    assert made == sorted(made)


def test_dependent_goes_before_what_it_depends_on(desk: Desk) -> None:
    desk.apply(desk.file("a"), desk.file("b", dependsOn="[File/a]"))
    desk.ready("a", "b")
    desk.kubectl("delete", "file", "a", "--wait=false")
    eventually(lambda: "deletionTimestamp" in desk.get("a")["metadata"], "a is to go")
    desk.because("b", "DependencyMissing")
    desk.kubectl("delete", "file", "b", "--wait=false")
    desk.gone("b", "a")
    assert (desk.content("a"), desk.content("b")) == (None, None)


def test_all_at_once_are_deleted_without_asking(desk: Desk) -> None:
    names = [f"f{n}" for n in range(12)]
    desk.apply(*(desk.file(name) for name in names))
    desk.ready(*names)
    desk.kubectl("delete", "files", "--all", "--timeout=30s")
    assert list(desk.world.iterdir()) == []


def test_younger_of_two_that_claim_one_path_is_stalled_until_the_older_goes(desk: Desk) -> None:
    desk.apply(desk.file("a", "older"))
    desk.ready("a")
    younger = desk.file("b", "younger").replace(f"{desk.world}/b", f"{desk.world}/a")
    desk.apply(younger)
    found = desk.because("b", "Claimed")
    assert found.stalled
    assert "File" in found.message
    assert desk.report("a").converged
    assert desk.content("a") == "older"
    desk.kubectl("delete", "file", "a", "--timeout=20s")
    desk.ready("b")
    assert desk.content("a") == "younger"


@pytest.mark.docker
def test_younger_of_two_containers_with_one_host_port_is_stalled(desk: Desk) -> None:
    from docker import APIClient

    engine = APIClient(timeout=30)
    need_image(engine)
    port = 20200 + uuid.uuid4().int % 90
    document = (
        "apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {{name: {name}}}\n"
        'spec: {{image: "{image}", pullPolicy: never, command: [sleep, "1000"], stopSignal: SIGKILL, '
        'ports: ["127.0.0.1:{port}:80"]}}\n'
    )
    try:
        desk.apply(document.format(name="older", image=IMAGE, port=port))
        desk.ready("older", kind="Container")
        desk.apply(document.format(name="younger", image=IMAGE, port=port))
        found = desk.because("younger", "Claimed", kind="Container")
        assert found.stalled
        assert str(port) in found.message
        desk.kubectl("delete", "container", "older", "--timeout=20s")
        desk.ready("younger", kind="Container")
        desk.kubectl("delete", "container", "younger", "--timeout=20s")
    finally:
        for each in engine.containers(all=True, filters={"name": desk.namespace}):
            engine.remove_container(each["Id"], force=True)
        engine.close()


def test_namespace_that_is_deleted_takes_its_things_along(desk: Desk) -> None:
    names = [f"f{n}" for n in range(8)]
    desk.apply(*(desk.file(name) for name in names), desk.file("kept", deletionPolicy="Retain"))
    desk.ready(*names, "kept")
    desk.kubectl("delete", "namespace", desk.namespace, "--wait=false")
    assert desk.kubectl("get", "namespace", desk.namespace, "-o", "jsonpath={.status.phase}").out == "Terminating"
    # What the namespace controller does, where none runs: it deletes whole collections.
    for kind in ("files", "containers"):
        desk.client.request("DELETE", f"/apis/pegasus2.dev/v1/namespaces/{desk.namespace}/{kind}")
    desk.gone(*names, "kept")
    assert [path.name for path in desk.world.iterdir()] == ["kept"]
    assert desk.operator.alive
