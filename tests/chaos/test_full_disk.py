"""An engine whose disk is full: an image that can't be brought is told, leaves nothing behind, and comes when there is room."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from docker import APIClient

from tests.chaos.engine import OwnEngine, needs_own_engine
from tests.cli.story import Story
from tests.registry import RealRegistry, real_registry
from tests.support import eventually

pytestmark = [pytest.mark.docker, pytest.mark.registry, needs_own_engine]

SMALL, LARGE, CONTENT = "40m", "400m", 60_000_000


class SmallEngine(OwnEngine):
    """On a disk of its own, which can be made larger."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.data = directory / "data"
        self.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", self.data], check=True)

    def grow(self) -> None:
        subprocess.run(["mount", "-o", f"remount,size={LARGE}", self.data], check=True)

    def used(self) -> int:
        """Kilobytes."""
        found = subprocess.run(["df", "--output=used", self.data], capture_output=True, text=True, check=True)
        return int(found.stdout.split()[1])

    @contextmanager
    def beside(self, registry: RealRegistry) -> Iterator[None]:
        """Meanwhile a registry runs where this engine can reach it, with what that one holds."""
        pid = (self.data.parent / "pid").read_text()
        within = ["nsenter", "--target", pid, "--net"]
        subprocess.run([*within, "ip", "link", "set", "lo", "up"], check=True)
        command = [*within, "docker-registry", "serve", str(registry.directory / "registry.json")]
        with (self.data.parent / "registry.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            ask = f"from urllib.request import urlopen; urlopen('http://{registry.host}/v2/', timeout=1)"
            asking = [*within, sys.executable, "-c", ask]
            eventually(lambda: subprocess.run(asking, capture_output=True).returncode == 0, "the registry answers")
            yield
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallEngine]:
    engine = SmallEngine(tmp_path_factory.mktemp("small"))
    engine.start()
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    yield engine
    engine.remove()


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealRegistry, str]]:
    """One that has run, and holds an image that is too large; and that image's name."""
    directory = tmp_path_factory.mktemp("registry")
    with closing(APIClient(timeout=60)) as usual:
        with real_registry(directory) as found:
            context = directory / "context"
            context.mkdir()
            content = context / "content"
            subprocess.run(["dd", "if=/dev/urandom", f"of={content}", "bs=1M", f"count={CONTENT >> 20}"], check=True)
            (context / "Dockerfile").write_text("FROM scratch\nCOPY content /content\n")
            local = f"p2full-{directory.name}:1".lower()
            for message in usual.build(path=str(context), tag=local, rm=True, decode=True):
                assert "error" not in message, message
            found.push(usual, local, "large")
            usual.remove_image(local, force=True)
        yield found, f"{found.host}/large:1"


def image(name: str) -> str:
    metadata = {"name": "large"}
    return json.dumps({"apiVersion": "pegasus2.dev/v1", "kind": "Image", "metadata": metadata, "spec": {"image": name}})


def test_a_pull_that_fills_the_disk_is_told_and_comes_when_there_is_room(
    story: Story, small: SmallEngine, registry: tuple[RealRegistry, str]
) -> None:
    found, name = registry
    before = small.used()
    story.write("large.yaml", image(name))
    with small.beside(found), small.client() as engine:
        shown = story.p2("apply", "--timeout", "20s")
        assert shown.code == 1
        assert "DiskFull" in shown.out
        assert "make room" in shown.out
        assert engine.images() == []
        eventually(lambda: small.used() < before + 8_000, "what had come of it is gone")
        small.grow()
        assert story.p2("apply").code == 0
        assert [each["RepoTags"] for each in engine.images()] == [[name]]
        assert story.p2("diff").code == 0
