"""The story of the README on a real engine: diff, apply, an edit, drift corrected, and gone again."""

from __future__ import annotations

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
