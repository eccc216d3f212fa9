"""A project of four services goes from its Compose file to two environments: as docs/project.md tells it.

Its images are built here, from `p2test/busybox:1` in place of the one that the Compose file names, which nobody could pull.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import pytest
from docker import APIClient
from docker.errors import APIError, NotFound

from tests.agents.worlds.docker import IMAGE, need_image
from tests.cli.story import Shown, Story
from tests.support import eventually

pytestmark = pytest.mark.docker

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "guestbook"
SERVICES = ("web", "worker", "database", "cache")
KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
metadata:
  name: {name}
  annotations: {{pegasus2.dev/substitute: environment.env}}
resources: [../../base]
namePrefix: {name}-
patches:
- target: {{kind: Container, name: {project}-web}}
  patch: |-
    - {{op: add, path: /spec/readyTimeout, value: 20s}}
    - op: add
      path: /metadata/annotations
      value: {{pegasus2.dev/smoke: "http://127.0.0.1:${{PORT}}/cgi-bin/book"}}
"""


@dataclass
class Guestbook:
    """The project in a git repository of its own. `name` keeps its things apart from those of other runs."""

    story: Story
    engine: APIClient
    name: str
    ports: dict[str, int]

    def write(self, path: str, text: str) -> None:
        target = self.story.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.story.root / path).read_text()
        assert old in text, text
        self.write(path, text.replace(old, new))

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.story.root, capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def p2(self, *arguments: str) -> Shown:
        started = self.story.start(
            *arguments,
            env={
                f"GIT_{who}_{what}": value
                for who in ("AUTHOR", "COMMITTER")
                for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
            },
        )
        out, err = started.communicate(timeout=300)
        return Shown(started.returncode, out, err)

    def done(self, *arguments: str) -> Shown:
        shown = self.p2(*arguments)
        assert shown.code == 0, f"{shown.out}\n{shown.err}"
        return shown

    def page(self, environment: str, path: str = "book") -> str:
        """What a guest sees; empty while nothing answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.ports[environment]}/cgi-bin/{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (URLError, OSError):
            return ""

    def container(self, environment: str, service: str) -> str:
        return f"{environment}-{self.name}-{service}"

    def remove(self) -> None:
        """All that carries its name."""
        for container in self.engine.containers(all=True, filters={"name": self.name}):
            with suppress(NotFound):
                self.engine.remove_container(container["Id"], force=True, v=True)
        for network in self.engine.networks(filters={"name": self.name}):
            self.engine.remove_network(network["Id"])
        for volume in self.engine.volumes(filters={"name": self.name})["Volumes"] or ():
            self.engine.remove_volume(volume["Name"], force=True)
        for image in self.engine.images(filters={"reference": f"{self.name}-*"}):
            with suppress(APIError):
                self.engine.remove_image(image["Id"], force=True)


@pytest.fixture
def guestbook(story: Story) -> Iterator[Guestbook]:
    with closing(APIClient(timeout=60)) as engine:
        need_image(engine)
        made = Guestbook(
            story, engine, f"p2gb{uuid4().hex[:8]}", {name: _free_port() for name in ("staging", "production")}
        )
        try:
            yield made
        finally:
            made.remove()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_project_goes_from_its_compose_file_to_two_environments(guestbook: Guestbook) -> None:
    _imported(guestbook)
    _in_two_environments(guestbook)
    _updated(guestbook)
    _updated_badly(guestbook)
    _updated_well(guestbook)
    _healed(guestbook)
    for environment in guestbook.ports:
        assert guestbook.done("diff", f"state/overlays/{environment}").last.startswith(
            "Plan: 0 to create, 0 to update, 0 to delete"
        )


def _imported(guestbook: Guestbook) -> None:
    shutil.copytree(EXAMPLE, guestbook.story.root, dirs_exist_ok=True)
    guestbook.write(".env", f"BASE={IMAGE}\n")
    guestbook.git("init", "-q")
    guestbook.done("import", "compose", "compose.yaml", "--own-names", "--project", guestbook.name, "-o", "state/base")
    base = guestbook.story.root / "state" / "base"
    written = sorted(path.name for path in base.iterdir())
    assert written == sorted(
        ["images.yaml", "networks.yaml", "volumes.yaml", *(f"{guestbook.name}-{each}.yaml" for each in SERVICES)]
    )
    guestbook.write("state/base/kustomization.yaml", f"resources: [{', '.join(written)}]\n")
    assert guestbook.done("validate", "state/base").err.endswith("nothing wrong\n")


def _in_two_environments(guestbook: Guestbook) -> None:
    for service in SERVICES:
        image, named = f"image: {guestbook.name}-{service}\n", f"image: {guestbook.name}-{service}:${{ENVIRONMENT}}\n"
        guestbook.replace("state/base/images.yaml", image, named)
        guestbook.replace(f"state/base/{guestbook.name}-{service}.yaml", image, named)
    guestbook.replace(f"state/base/{guestbook.name}-web.yaml", "127.0.0.1:8080:8080", "127.0.0.1:${PORT}:8080")
    guestbook.replace(f"state/base/{guestbook.name}-web.yaml", "TITLE: Guestbook", "TITLE: ${TITLE}")
    for name, port in guestbook.ports.items():
        overlay = f"state/overlays/{name}"
        guestbook.write(f"{overlay}/kustomization.yaml", KUSTOMIZATION.format(name=name, project=guestbook.name))
        guestbook.write(f"{overlay}/environment.env", f"ENVIRONMENT={name}\nTITLE={name.title()}\nPORT={port}\n")
    guestbook.commit("Run the guestbook in two environments")
    for name in guestbook.ports:
        guestbook.done("apply", f"state/overlays/{name}", "--yes")
        assert guestbook.page(name).startswith(f"{name.title()}, edition 1")
    assert "Accepted" in guestbook.page("staging", "sign?text=hello")
    eventually(lambda: "hello" in guestbook.page("staging"), "the worker has entered the letter")
    assert "hello" not in guestbook.page("production")


def _updated(guestbook: Guestbook) -> None:
    database = guestbook.engine.inspect_container(guestbook.container("staging", "database"))["Id"]
    guestbook.write("web/cgi-bin/edition", "2\n")
    guestbook.commit("Second edition")
    shown = guestbook.done("deploy", "--environment", "staging", "--yes")
    assert "deployed to staging" in shown.out + shown.err
    assert guestbook.page("staging").startswith("Staging, edition 2")
    assert guestbook.page("production").startswith("Production, edition 1")
    guestbook.done("deploy", "--environment", "production", "--yes")
    assert guestbook.page("production").startswith("Production, edition 2")
    assert "hello" in guestbook.page("staging")
    assert guestbook.engine.inspect_container(guestbook.container("staging", "database"))["Id"] == database
    assert guestbook.git("status", "--porcelain") == ""


def _updated_badly(guestbook: Guestbook) -> None:
    served = guestbook.engine.inspect_container(guestbook.container("staging", "web"))["Image"]
    good = (guestbook.story.root / "state/overlays/staging/kustomization.yaml").read_text()
    guestbook.write("web/cgi-bin/health", "#!/bin/sh\nexit 1\n")
    guestbook.write("web/cgi-bin/edition", "3\n")
    guestbook.commit("Third edition, which is not well")
    shown = guestbook.p2("deploy", "--environment", "staging", "--yes")
    assert shown.code == 1, shown.out + shown.err
    assert guestbook.page("staging").startswith("Staging, edition 2")
    assert guestbook.engine.inspect_container(guestbook.container("staging", "web"))["Image"] == served
    assert (guestbook.story.root / "state/overlays/staging/kustomization.yaml").read_text() == good
    assert guestbook.page("production").startswith("Production, edition 2")


def _updated_well(guestbook: Guestbook) -> None:
    shutil.copy(EXAMPLE / "web/cgi-bin/health", guestbook.story.root / "web/cgi-bin/health")
    guestbook.commit("Third edition, mended")
    for name in guestbook.ports:
        guestbook.done("deploy", "--environment", name, "--yes")
        assert guestbook.page(name).startswith(f"{name.title()}, edition 3")
    assert "hello" in guestbook.page("staging")


def _healed(guestbook: Guestbook) -> None:
    with _controller(guestbook):
        web = guestbook.container("staging", "web")
        before = guestbook.engine.inspect_container(web)["Id"]
        guestbook.engine.remove_container(web, force=True)
        eventually(lambda: guestbook.page("staging").startswith("Staging, edition 3"), "it is back")
        assert guestbook.engine.inspect_container(web)["Id"] != before
        guestbook.engine.update_container(web, mem_limit="32m", memswap_limit="32m")
        limit = 64 * 1024**2
        eventually(
            lambda: guestbook.engine.inspect_container(web)["HostConfig"]["Memory"] == limit, "the limit is back"
        )


@contextmanager
def _controller(guestbook: Guestbook) -> Iterator[None]:
    process = guestbook.story.start("run", "state/overlays/staging", env={"PEGASUS2_METRICS_PORT": str(_free_port())})
    try:
        home = Path(guestbook.story.root).parent / "p2home"
        eventually(lambda: (home / "run" / "p2.sock").exists(), "the controller listens")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=60)
