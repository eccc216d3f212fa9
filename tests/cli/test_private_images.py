"""A private image on the real program: what is said without a login, and what happens after one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story
from tests.registry import PASSWORD, USER, RealRegistry
from tests.support import Controller, eventually, listed

pytestmark = [pytest.mark.docker, pytest.mark.registry]


@pytest.fixture
def name(engine: APIClient, private_registry: RealRegistry) -> Iterator[str]:
    """Of a container, and of the image in the registry that it is made from; both are gone afterwards."""
    unique = f"p2priv-{uuid4().hex[:8]}"
    private_registry.push(engine, IMAGE, unique)
    yield unique
    with suppress(NotFound):
        engine.remove_container(unique, force=True)
    with suppress(NotFound):
        engine.remove_image(f"{private_registry.host}/{unique}:1")


def test_after_a_login_a_refused_image_is_pulled_at_once(
    story: Story,
    home: Path,
    name: str,
    engine: APIClient,
    private_registry: RealRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    docker_config = tmp_path / "docker"
    docker_config.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(docker_config))
    story.write(
        "web.yaml",
        f"apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {{name: {name}}}\n"
        f"spec: {{image: '{private_registry.host}/{name}:1', command: [sleep, '600'], stopSignal: SIGKILL}}\n",
    )
    with closing(Controller(story).start()) as controller:
        eventually(lambda: listed(story).get(name, {}).get("reason") == "Unauthorized", "it was told of")
        assert f"docker login {private_registry.host}" in listed(story)[name]["message"]
        login = {"auths": {private_registry.host: {"username": USER, "password": PASSWORD}}}
        (docker_config / "config.json").write_text(json.dumps(login))
        applied = story.start("apply")  # which the controller carries out
        said = "".join(applied.communicate(timeout=60))
        assert applied.returncode == 0, said
        assert engine.inspect_container(name)["State"]["Running"]
        log = controller.log
    assert PASSWORD not in log + said
    kept = [path for path in home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert kept == []
