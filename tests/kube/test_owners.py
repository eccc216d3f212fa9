"""Objects that stand for others: what becomes of their containers, networks and volumes as objects are edited and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE, need_image
from tests.kube.desk import Desk
from tests.support import OperatorProcess, eventually

pytestmark = [pytest.mark.kube, pytest.mark.docker]

HEAD = "apiVersion: pegasus2.dev/v1\nkind: {}\nmetadata: {{name: shop}}\nspec: {}\n"
RUN = "command: [sleep, '600'], {}: SIGKILL"
PROJECT = f"""\
services: {{web: {{image: '{IMAGE}', {RUN.format("stop_signal")}, volumes: ['data:/data']}}}}
volumes: {{data: {{}}}}
"""


class World:
    """What an engine has of this test's namespace."""

    def __init__(self, engine: APIClient, prefix: str) -> None:
        self.engine, self.prefix = engine, prefix

    def containers(self) -> set[str]:
        found = self.engine.containers(all=True, filters={"name": f"^/{self.prefix}"})
        return {each["Names"][0].removeprefix(f"/{self.prefix}") for each in found}

    def volumes(self) -> list[str]:
        return [each["Name"] for each in self.engine.volumes(filters={"name": self.prefix})["Volumes"] or ()]

    def clear(self) -> None:
        for name in self.containers():
            with suppress(NotFound):
                self.engine.remove_container(f"{self.prefix}{name}", force=True)
        for name in self.volumes():
            self.engine.remove_volume(name)
        for each in self.engine.networks(names=[self.prefix]):
            self.engine.remove_network(each["Id"])


@pytest.fixture
def world(namespace: str) -> Iterator[World]:
    with closing(APIClient(timeout=30)) as engine:
        need_image(engine)
        made = World(engine, namespace)
        yield made
        made.clear()


@pytest.fixture
def project(namespace: str, tmp_path: Path) -> Path:
    """The directory of a project with a container, a network and a volume."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "compose.yaml").write_text(PROJECT)
    return directory


def declare(desk: Desk, project: Path) -> None:
    desk.apply(HEAD.format("Compose", f"{{directory: {project}, project: '{desk.namespace}'}}"))


def replicas(desk: Desk, count: int, name: str = "shop") -> None:
    template = f"{{image: '{IMAGE}', {RUN.format('stopSignal')}}}"
    spec = f"{{replicas: {count}, strategy: recreate, template: {template}}}"
    desk.apply(HEAD.replace("shop", name).format("ContainerSet", spec))


def test_deleted_project_takes_its_containers_along_and_leaves_its_volumes(
    desk: Desk, world: World, project: Path
) -> None:
    declare(desk, project)
    desk.ready("shop", kind="Compose")
    assert world.containers() == {"-web-1"}
    desk.kubectl("delete", "compose", "shop", "--wait=false")
    desk.gone("shop", kind="Compose")
    assert world.containers() == set()
    assert world.volumes() == [f"{desk.namespace}_data"]
    declare(desk, project)
    desk.ready("shop", kind="Compose")
    assert world.containers() == {"-web-1"}


def test_project_whose_files_can_not_be_used_keeps_what_it_had_until_it_is_deleted(
    desk: Desk, world: World, project: Path, operator: OperatorProcess
) -> None:
    declare(desk, project)
    desk.ready("shop", kind="Compose")
    (before,) = world.engine.containers(filters={"name": f"^/{world.prefix}"})
    (project / "compose.yaml").unlink()
    eventually(lambda: "cannot find a Compose file" in desk.report("shop", "Compose").message, "it says what is wrong")
    operator.end()
    operator.start()
    eventually(lambda: "cannot find a Compose file" in desk.report("shop", "Compose").message, "it says so again")
    replicas(desk, 1, "other")
    desk.ready("other", kind="ContainerSet")
    (after,) = world.engine.containers(filters={"name": f"^/{world.prefix}-web"})
    assert after["Id"] == before["Id"]
    desk.kubectl("delete", "compose", "shop", "--wait=false")
    desk.gone("shop", kind="Compose")
    assert world.containers() == {"-other-1"}
    assert world.volumes() == [f"{desk.namespace}_data"]


def test_set_with_fewer_replicas_lets_the_others_go_at_once(desk: Desk, world: World) -> None:
    replicas(desk, 8)
    desk.ready("shop", kind="ContainerSet")
    replicas(desk, 1)
    eventually(lambda: world.containers() == {"-shop-1"}, "one is left")
    desk.ready("shop", kind="ContainerSet")
    desk.kubectl("delete", "containerset", "shop", "--wait=false")
    desk.gone("shop", kind="ContainerSet")
    assert world.containers() == set()
