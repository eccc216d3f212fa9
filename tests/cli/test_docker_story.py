"""The story of the README on a real engine: diff, apply, an edit, drift corrected, and gone again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story

pytestmark = pytest.mark.docker


@pytest.fixture
def name(engine: APIClient) -> Iterator[str]:
    """The name of a container that is gone afterwards."""
    unique = f"p2cli-{uuid4().hex[:8]}"
    yield unique
    with suppress(NotFound):
        engine.remove_container(unique, force=True, v=True)


def container(name: str, zone: str) -> str:
    return (
        f"apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {{name: {name}}}\n"
        f"spec: {{image: '{IMAGE}', command: [sleep, '600'], env: {{TZ: {zone}}}, stopGracePeriod: 1s}}\n"
    )


def test_a_container_is_made_edited_healed_and_removed(story: Story, engine: APIClient, name: str) -> None:
    story.write("web.yaml", container(name, "UTC"))
    assert story.p2("diff").out.startswith(f"+ Container/{name}  create\n")
    assert story.p2("apply").code == 0

    story.write("web.yaml", container(name, "Europe/Berlin"))
    edited = story.p2("diff")
    assert edited.code == 1
    assert '    env.TZ: "UTC" -> "Europe/Berlin"   edited\n' in edited.out
    assert story.p2("apply").code == 0
    assert "TZ=Europe/Berlin" in engine.inspect_container(name)["Config"]["Env"]

    engine.remove_container(name, force=True)
    assert story.p2("diff").out.startswith(f"+ Container/{name}  create\n")
    assert story.p2("apply").code == 0
    assert engine.inspect_container(name)["State"]["Running"]
    assert story.p2("diff").code == 0

    story.write("web.yaml", story.file("other"))
    assert story.p2("apply", "--yes").code == 0
    assert engine.containers(all=True, filters={"name": name}) == []


LOADED = """
import sys
from controller.surfaces.cli.main import main
code = main()
print("code", code, "loaded", *sorted({"docker", "requests", "urllib3"} & sys.modules.keys()), file=sys.stderr)
"""


def test_containers_networks_and_volumes_are_changed_without_the_sdk(
    story: Story, engine: APIClient, name: str
) -> None:
    """Importing it costs a tenth of what a change of one container takes."""

    def apply() -> str:
        line = [sys.executable, "-c", LOADED, "apply", "--yes"]
        done = subprocess.run(line, cwd=story.root, capture_output=True, text=True, timeout=120)
        return done.stderr.splitlines()[-1]

    def document(kind: str, **spec: object) -> str:
        return json.dumps({"apiVersion": "pegasus2.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})

    around = [document("Network"), document("Volume", deletionPolicy="Delete")]
    mounts = {"volumes": [{"type": "volume", "source": name, "target": "/data"}], "networks": [{"name": name}]}
    for zone in ("UTC", "Europe/Berlin"):
        does = {"image": IMAGE, "command": ["sleep", "600"], "env": {"TZ": zone}, "stopGracePeriod": "1s"}
        story.write("web.yaml", *around, document("Container", **does, **mounts))
        assert apply() == "code 0 loaded"
        assert f"TZ={zone}" in engine.inspect_container(name)["Config"]["Env"]
    story.write("web.yaml", story.file("other"))
    assert apply() == "code 0 loaded"
    assert engine.containers(all=True, filters={"name": name}) == []
    assert engine.networks(names=[name]) == []
    assert engine.volumes(filters={"name": name})["Volumes"] in ([], None)
