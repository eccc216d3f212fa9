"""A project of Compose files on a real engine: made, edited, broken, healed, pruned; and one of docker compose's taken over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from docker.errors import NotFound

from tests.cli.compose_yard import ADOPTED, LABEL, DockerCompose, Yard, yards
from tests.cli.story import Story

pytestmark = pytest.mark.docker

SHOP = """\
services:
  db:
    image: IMAGE
    command: sleep 600
    stop_grace_period: 1s
    volumes: ["data:/data"]
    healthcheck: {test: "true", interval: 1s}
  prepare:
    image: IMAGE
    command: "true"
    depends_on: [db]
  web:
    image: IMAGE
    command: sleep 600
    stop_grace_period: 1s
    environment: {TZ: UTC}
    depends_on:
      db: {condition: service_healthy}
      prepare: {condition: service_completed_successfully}
    configs: [page]
    scale: 2
volumes: {data: {}}
configs: {page: {content: "hello $$you"}}
"""


@pytest.fixture
def yard(story: Story) -> Iterator[Yard]:
    yield from yards(story)


@pytest.fixture
def shop(yard: Yard) -> Yard:
    """One that was applied."""
    yard.file("compose.yaml", SHOP)
    yard.declare()
    applied = yard.story.p2("apply")
    assert applied.code == 0, applied.out + applied.err
    return yard


def names(yard: Yard, *services: str) -> set[str]:
    return {f"{yard.project}-{service}" for service in services}


def test_a_project_is_made_as_docker_compose_would_make_it(shop: Yard) -> None:
    assert shop.containers().keys() == names(shop, "db-1", "prepare-1", "web-1", "web-2")
    labels = shop.inspect("web", 2)["Config"]["Labels"]
    known = {name: labels[f"{LABEL}.{name}"] for name in ("project", "service", "container-number", "oneoff")}
    assert known == {"project": shop.project, "service": "web", "container-number": "2", "oneoff": "False"}
    assert labels[f"{LABEL}.project.working_dir"] == str(shop.directory)
    assert len(labels[f"{LABEL}.config-hash"]) == 64
    network = shop.engine.inspect_network(f"{shop.project}_default")
    assert network["Labels"][f"{LABEL}.network"] == "default"
    assert shop.engine.inspect_volume(f"{shop.project}_data")["Labels"][f"{LABEL}.volume"] == "data"
    assert shop.inspect("prepare")["State"] | {"ExitCode": 0, "Status": "exited"} == shop.inspect("prepare")["State"]
    aliases = shop.inspect("web")["NetworkSettings"]["Networks"][f"{shop.project}_default"]["Aliases"]
    assert {"web", f"{shop.project}-web-1"} <= {*aliases}
    assert shop.story.p2("diff").code == 0


def test_the_owner_is_ready_and_its_parts_are_listed(shop: Yard) -> None:
    listed = shop.story.p2("get", "-o", "name").out.splitlines()
    assert "Compose/shop" in listed
    assert {f"Container/{name}" for name in shop.containers()} <= {*listed}
    assert "True" in shop.story.p2("get", "compose/shop").out


def test_an_edit_replaces_the_changed_service_alone(shop: Yard) -> None:
    before = shop.containers()
    shop.file("compose.yaml", SHOP.replace("TZ: UTC", "TZ: CET"))
    shown = shop.story.p2("diff")
    assert (shown.code, shown.out.count('env.TZ: "UTC" -> "CET"   edited')) == (1, 2)
    assert shop.story.p2("apply").code == 0
    after = shop.containers()
    assert {name for name in before if after[name] != before[name]} == names(shop, "web-1", "web-2")
    assert "TZ=CET" in shop.inspect("web")["Config"]["Env"]


def test_a_broken_file_is_named_by_line_and_changes_nothing(shop: Yard) -> None:
    before = shop.containers()
    shop.file("compose.yaml", SHOP.replace("stop_grace_period", "stop_graze_period", 1))
    refused = shop.story.p2("apply")
    assert refused.code == 2
    assert "shop/compose.yaml:5:5: services.db.stop_graze_period: " in refused.err
    assert shop.containers() == before
    shop.file("compose.yaml", SHOP.replace("services:\n", "services: [\n"))
    assert "shop/compose.yaml:" in shop.story.p2("validate").out
    assert shop.story.p2("apply", "--keep-going").code == 1
    assert shop.containers() == before


def test_what_cannot_be_kept_is_refused_by_name(shop: Yard) -> None:
    shop.file("compose.yaml", SHOP.replace("    scale: 2\n", '    post_start: [{command: "true"}]\n'))
    refused = shop.story.p2("validate")
    assert refused.code == 2
    assert "shop/compose.yaml:21:5: services.web.post_start: cannot keep post_start: nothing is run" in refused.out


def test_a_service_that_has_left_is_removed_and_its_volume_is_not(shop: Yard) -> None:
    shop.file("compose.yaml", SHOP.replace("    scale: 2\n", ""))
    assert shop.story.p2("apply", "--yes").code == 0
    assert shop.containers().keys() == names(shop, "db-1", "prepare-1", "web-1")
    only_web = "services: {web: {image: IMAGE, command: sleep 600, stop_grace_period: 1s}}\n"
    shop.file("compose.yaml", only_web)
    assert shop.story.p2("apply", "--yes").code in (0, 1)
    assert shop.containers().keys() == names(shop, "web-1")
    assert shop.engine.inspect_volume(f"{shop.project}_data")


def test_scale_of_the_resource_wins(shop: Yard) -> None:
    shop.declare(scale="{web: 3}")
    assert shop.story.p2("apply").code == 0
    assert names(shop, "web-1", "web-2", "web-3") <= shop.containers().keys()


def test_a_config_is_in_the_container_and_an_edit_of_it_is_seen(shop: Yard) -> None:
    before = shop.containers()
    shop.file("compose.yaml", SHOP.replace("hello $$you", "hello all"))
    shown = shop.story.p2("diff").out
    assert f"-/+ Container/{shop.project}-web-1  replace" in shown
    assert shop.story.p2("apply").code == 0
    after = shop.containers()
    assert {name for name in before if after[name] != before[name]} == names(shop, "web-1", "web-2")


def test_an_edit_of_a_mounted_file_restarts_the_container(yard: Yard) -> None:
    yard.file("site.conf", "one")
    yard.file(
        "compose.yaml",
        "services: {web: {image: IMAGE, command: sleep 600, stop_grace_period: 1s, volumes: ['./site.conf:/c:ro']}}\n",
    )
    yard.declare()
    assert yard.story.p2("apply").code == 0
    identity, begun = yard.inspect("web")["Id"], yard.inspect("web")["State"]["StartedAt"]
    assert yard.story.p2("diff").code == 0
    yard.file("site.conf", "two")
    assert yard.story.p2("diff").code == 1
    assert yard.story.p2("apply").code == 0
    assert yard.inspect("web")["Id"] == identity
    assert yard.inspect("web")["State"]["StartedAt"] != begun
    assert yard.story.p2("diff").code == 0


def test_a_service_that_is_built_is_made_anew_when_its_context_is_edited(yard: Yard) -> None:
    yard.file("Dockerfile", "FROM IMAGE\nCOPY page /page\n")
    yard.file("page", "one")
    image = f"{yard.project}-web"
    web = "{build: ., command: sleep 600, init: true}"
    more = f"{{image: '{image}', command: sleep 500, init: true, depends_on: [web]}}"
    yard.file(
        "compose.yaml",
        f"services:\n  web: {web}\n  more: {more}\n  other: {{image: IMAGE, command: sleep 600, init: true}}\n",
    )
    yard.declare()
    built: list[str] = []
    try:
        assert yard.story.p2("apply").code == 0
        before, built = yard.containers(), [yard.inspect("web")["Image"]]
        assert yard.story.p2("diff").code == 0
        yard.file("page", "two")
        assert yard.story.p2("apply").code == 0
        built.append(yard.inspect("web")["Image"])
        after = yard.containers()
        assert {name for name in before if after[name] != before[name]} == names(yard, "web-1", "more-1")
        assert yard.story.p2("diff").code == 0
    finally:
        yard.clear()
        for identity in built:
            with suppress(NotFound):
                yard.engine.remove_image(identity, force=True)


def test_drift_is_put_right(shop: Yard) -> None:
    shop.engine.remove_container(f"{shop.project}-web-2", force=True)
    shop.engine.stop(f"{shop.project}-db-1", 0)
    assert shop.story.p2("diff").code == 1
    assert shop.story.p2("apply").code == 0
    assert shop.inspect("db")["State"]["Running"]
    assert shop.inspect("web", 2)["State"]["Running"]
    assert shop.story.p2("diff").code == 0


@pytest.mark.parametrize("version", ["2.26.1", "1.29.2"])
def test_a_project_of_docker_compose_is_adopted_and_nothing_of_it_made_anew(yard: Yard, version: str) -> None:
    yard.file("compose.yaml", ADOPTED)
    yard.file("db.env", "A=0\nB=2\n")
    yard.file("key", "secret")
    (yard.directory / "conf").mkdir()
    DockerCompose(yard, version).up()
    before = yard.containers()
    networks = [yard.engine.inspect_network(f"{yard.project}_{name}")["Id"] for name in ("default", "back")]
    yard.declare(**({"compatibility": True} if version.startswith("1.") else {}))
    refused = yard.story.p2("apply").out
    assert "NotOwned" in refused
    assert "'adopt: true' in the spec of Compose/" in refused
    assert yard.containers() == before

    yard.declare(adopt=True, **({"compatibility": True} if version.startswith("1.") else {}))
    shown = yard.story.p2("diff").out
    assert shown.endswith("Plan: 0 to create, 5 to adopt, 0 to update, 0 to delete; 1 unchanged\n"), shown
    applied = yard.story.p2("apply")
    assert applied.code == 0, applied.out + applied.err
    assert yard.containers() == before
    assert networks == [yard.engine.inspect_network(f"{yard.project}_{name}")["Id"] for name in ("default", "back")]
    again = yard.story.p2("apply")
    assert (again.code, "nothing to do" in again.last) == (0, True), again.out

    yard.file("compose.yaml", ADOPTED.replace("A: 1", "A: 3"))
    assert yard.story.p2("apply").code == 0
    changed = {name for name, identity in yard.containers().items() if before[name] != identity}
    assert [name.replace("_", "-") for name in changed] == [f"{yard.project}-db-1"]
