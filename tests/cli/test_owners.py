"""The everyday commands on a resource that stands for others: a Compose project is all its containers."""

from __future__ import annotations

import json

import pytest

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story
from tests.cli.yard import Yard
from tests.support import eventually

pytestmark = pytest.mark.docker

PROJECT = """\
services:
  web: {image: IMAGE, command: [sh, -c, "echo here is web; exec sleep 600"], stop_grace_period: 1s, depends_on: [db]}
  db: {image: IMAGE, command: [sh, -c, "echo here is db; exec sleep 600"], stop_grace_period: 1s}
"""


@pytest.fixture
def project(story: Story, yard: Yard) -> str:
    """Its key, as it is typed."""
    name = yard.name("shop")
    story.write("shop.yaml", json.dumps({
        "apiVersion": "pegasus2.dev/v1", "kind": "Compose", "metadata": {"name": name}, "spec": {"files": ["compose.yml"]},
    }))  # fmt: skip
    (story.root / "state/compose.yml").write_text(f"name: {name}\n{PROJECT.replace('IMAGE', IMAGE)}")
    done = story.p2("apply")
    assert done.code == 0, done.out + done.err
    return f"compose/{name}"


@pytest.fixture(autouse=True)
def networks(yard: Yard) -> object:
    """The project's own goes with its containers."""
    yield
    yard.clear()
    for network in yard.engine.networks(names=[f"{yard.name('shop')}_default"]):
        yard.engine.remove_network(network["Id"])


def test_logs_of_a_project_are_those_of_all_its_containers(story: Story, yard: Yard, project: str) -> None:
    eventually(lambda: story.p2("logs", project).out.count("here is") == 2, "both have written")
    shown = story.p2("logs", project)
    assert {line.partition(" | ")[2] for line in shown.out.splitlines()} == {"here is web", "here is db"}


def test_a_project_is_restarted_in_order(story: Story, yard: Yard, project: str) -> None:
    done = story.p2("restart", project)
    assert done.code == 0, done.err
    first, second = done.out.splitlines()
    assert "db" in first.rpartition("shop")[2]
    assert "web" in second.rpartition("shop")[2]
    assert story.p2("diff").code == 0


def test_a_project_that_is_called_otherwise_still_stands_for_its_containers(
    story: Story, yard: Yard, project: str
) -> None:
    file = story.root / "state/shop.yaml"
    declared = json.loads(file.read_text())
    declared["metadata"]["name"] += "-now"
    declared["spec"]["project"] = yard.name("shop")
    file.write_text(json.dumps(declared))
    assert story.p2("apply", "--yes").code == 0
    assert "db" in story.p2("logs", f"{project}-now").out
    assert story.p2("logs", project).code == 2


def test_a_suspended_project_is_not_restarted(story: Story, yard: Yard, project: str) -> None:
    assert story.p2("suspend", project).code == 0
    for what in (project, f"container/{project.partition('/')[2]}-db-1"):
        done = story.p2("restart", what)
        assert (done.code, done.out) == (2, "")
        assert f"it is suspended; p2 resume Compose/{yard.name('shop')} ends that" in done.err


def test_top_shows_a_project_alone(story: Story, yard: Yard, project: str) -> None:
    found = json.loads(story.p2("top", project, "-o", "json").out)["resources"]
    assert len(found) == 2
    assert all(each["running"] for each in found)


def test_a_program_is_run_in_one_container_only(story: Story, yard: Yard, project: str) -> None:
    done = story.p2("exec", project, "--", "true")
    assert done.code == 2
    assert "name one of" in done.err
