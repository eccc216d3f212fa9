"""`p2 deploy` of services that stand in Compose files: their images are written down, rolled out, and taken back, too."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.agents.worlds.docker import IMAGE
from tests.cli.repository import git
from tests.cli.shop import SERVE, Shop

pytestmark = pytest.mark.docker

DEAF = SERVE.replace("8080", "8081")  # listens where nobody asks


@pytest.fixture
def project(shop: Shop) -> Shop:
    """The shop as a Compose file, which an environment has with a prefix; its tests are gone."""
    git(shop.root, "rm", "-rq", "state/overlays/staging/tests")
    service = {
        "build": ".",
        "image": f"{shop.image}:1",
        "container_name": shop.name,
        "network_mode": "bridge",  # an engine has few networks to give, and this is not about them
        "ports": [f"127.0.0.1:{shop.port}:8080"],
        "stop_grace_period": "1s",
    }
    shop.change("web/compose.yaml", json.dumps({"services": {"web": service}}))
    shop.change("state/base/shop.yaml", declared(shop))
    shop.change("state/overlays/staging/kustomization.yaml", "resources: [../../base]\nnamePrefix: staging-\n")
    shop.commit("compose")
    return shop


def declared(shop: Shop, *, answers: bool = True) -> str:
    fields = {"directory": "../../web", "project": shop.yard.prefix}
    metadata = {"name": "shop", "annotations": {"pegasus2.dev/smoke": shop.address} if answers else {}}
    return json.dumps({"apiVersion": "pegasus2.dev/v1", "kind": "Compose", "metadata": metadata, "spec": fields})


def deployed(shop: Shop) -> dict[str, str]:
    """What the environment says that services run."""
    content = yaml.safe_load((shop.overlay / "deployed.yaml").read_text())
    assert content["metadata"] == {"name": "shop"}
    images: dict[str, str] = content["spec"]["images"]
    return images


def pinned(shop: Shop) -> str:
    return f"{shop.image}:p2-{shop.running().removeprefix('sha256:')[:12]}"


def test_images_of_services_are_built_written_down_and_run(project: Shop) -> None:
    done = project.deploy()
    assert done.code == 0, done.out + done.err
    assert project.page() == "one"
    assert deployed(project) == {"web": pinned(project)}
    assert project.kustomization.read_text() == (
        "resources: [../../base]\nnamePrefix: staging-\npatches:\n- path: deployed.yaml\n"
    )
    assert project.clean()
    assert project.story.p2("diff", "state/overlays/staging").code == 0
    assert [each["name"] for each in project.deployments()[0]["deployment"]["images"]] == [project.image]
    started, commits = project.yard.started("shop"), project.subjects()
    assert project.deploy().code == 0
    assert (project.yard.started("shop"), project.subjects()) == (started, commits)


def test_a_new_build_of_a_service_reaches_it_by_a_deployment_alone(project: Shop) -> None:
    assert project.deploy().code == 0
    project.edit("web/page", "two")
    assert project.story.p2("apply", "state/overlays/staging").code == 0
    assert project.page() == "one"
    assert project.deploy().code == 0
    assert project.page() == "two"
    assert deployed(project) == {"web": pinned(project)}


def test_a_service_that_does_not_answer_is_taken_back(project: Shop) -> None:
    assert project.deploy().code == 0
    before, running = deployed(project), project.running()
    project.edit("web/serve", DEAF)
    done = project.deploy("--smoke-timeout", "3s")
    assert done.code == 1
    assert (project.page(), project.running(), deployed(project)) == ("one", running, before)
    assert project.subjects()[0] == 'Take back "Deploy to staging"'
    assert project.clean()
    assert project.story.p2("diff", "state/overlays/staging").code == 0


def test_even_the_first_deployment_of_a_service_goes_back_to_what_ran_before(project: Shop) -> None:
    assert project.story.p2("apply", "state/overlays/staging").code == 0
    running = project.running()
    project.edit("web/serve", DEAF)
    assert project.deploy("--smoke-timeout", "3s").code == 1
    assert (project.page(), project.running()) == ("one", running)
    assert deployed(project) == {"web": pinned(project)}


def test_a_first_deployment_of_an_image_that_was_named_goes_back_to_what_each_service_ran(project: Shop) -> None:
    compose = json.loads((project.root / "web/compose.yaml").read_text())
    more = {"image": f"{project.image}:2", "command": "sleep 600", "stop_grace_period": "1s", "network_mode": "bridge"}
    compose["services"]["more"] = {**more, "container_name": project.yard.name("more")}
    project.yard.engine.tag(IMAGE, project.image, "2")
    spec = {"image": f"{project.image}:2", "command": ["sleep", "600"], "stopSignal": "SIGKILL"}
    container: dict[str, object] = {"apiVersion": "pegasus2.dev/v1", "kind": "Container", "metadata": {"name": "new"}}
    container["spec"] = {**spec, "containerName": project.yard.name("new")}
    project.change("state/base/shop.yaml", f"{declared(project)}\n---\n{json.dumps(container)}")
    project.edit("web/compose.yaml", json.dumps(compose))
    assert project.story.p2("apply", "state/overlays/staging").code == 0
    before = [project.yard.inspect(name)["Image"] for name in ("shop", "more", "new")]
    project.build_deaf("deaf")
    done = project.deploy("--image", f"{project.image}=:deaf", "--smoke-timeout", "1s")
    assert (done.code, project.subjects()[0]) == (1, 'Take back "Deploy to staging"'), done.out + done.err
    assert [project.yard.inspect(name)["Image"] for name in ("shop", "more", "new")] == before
    assert project.page() == "one"


def test_where_nothing_ran_before_a_failed_deployment_leaves_no_trace_in_the_files(project: Shop) -> None:
    text = project.kustomization.read_text()
    project.edit("web/serve", DEAF)
    assert project.deploy("--smoke-timeout", "1s").code == 1
    assert (project.kustomization.read_text(), (project.overlay / "deployed.yaml").exists()) == (text, False)
    assert project.clean()


def test_the_image_of_a_service_is_chosen_on_the_command_line(project: Shop) -> None:
    assert project.deploy().code == 0
    first = project.running()
    project.yard.engine.tag(first, project.image, "chosen")
    project.edit("web/page", "two")
    assert project.deploy("--image", f"{project.image}=:chosen").code == 0
    assert (project.page(), project.running()) == ("one", first)


def test_services_of_tests_run_what_is_about_to_be_rolled_out(project: Shop) -> None:
    project.edit("web/page", "bad")
    assert project.deploy().code == 0
    project.yard.engine.tag(project.running(), project.image, "bad")
    (project.overlay / "tests").mkdir()
    project.change("state/overlays/staging/tests/kustomization.yaml", "resources: [test.yaml]\n")
    service = {"image": f"{project.image}:1", "network_mode": "none", "restart": "no"}
    look = {**service, "container_name": project.yard.name("test"), "command": ["sh", "-c", "! grep -q bad /page"]}
    wait = {**service, "container_name": project.yard.name("wait"), "command": "sleep 600", "stop_grace_period": "1s"}
    wait["depends_on"] = {"look": {"condition": "service_completed_successfully"}}
    compose = json.dumps({"services": {"look": look, "wait": wait}})
    project.change("state/overlays/staging/tests/compose.yaml", compose)
    test = json.loads(declared(project, answers=False))
    test["metadata"]["name"] = "test"
    test["spec"] = {"directory": ".", "project": f"{project.yard.prefix}-test"}
    project.change("state/overlays/staging/tests/test.yaml", json.dumps(test))
    project.edit("web/page", "good")
    done = project.deploy("--run-tests")
    assert (done.code, project.page()) == (0, "good"), done.out + done.err
    done = project.deploy("--run-tests", "--image", f"{project.image}=:bad")
    assert (done.code, project.page()) == (1, "good"), done.out + done.err
    assert "the tests of staging failed" in done.err


def test_services_that_build_several_tags_of_one_repository_are_told_apart(project: Shop) -> None:
    compose = json.loads((project.root / "web/compose.yaml").read_text())
    build = {"dockerfile_inline": f"FROM {IMAGE}\nLABEL test={project.yard.prefix}\nENV A=1\n"}
    more = {"image": f"{project.image}:2", "build": build, "command": "sleep 600", "stop_grace_period": "1s"}
    compose["services"]["more"] = {**more, "container_name": project.yard.name("more"), "network_mode": "bridge"}
    project.edit("web/compose.yaml", json.dumps(compose))
    assert project.deploy().code == 0
    found = deployed(project)
    assert found["web"] == pinned(project)
    assert found["more"] != found["web"]
    other = project.yard.inspect("more")["Image"]
    assert found["more"] == f"{project.image}:p2-{other.removeprefix('sha256:')[:12]}"


@pytest.mark.parametrize("also", [False, True])
def test_a_service_keeps_its_tag_while_another_of_that_repository_is_rolled_out(project: Shop, also: bool) -> None:
    """`also`: a container runs the other."""
    project.yard.engine.tag(IMAGE, project.image, "1")
    service = {
        "image": f"{project.image}:1",
        "command": "sleep 600",
        "network_mode": "bridge",
        "stop_grace_period": "1s",
    }
    project.change("web/compose.yaml", json.dumps({"services": {"old": {**service, "container_name": project.name}}}))
    image = json.loads(project.declared_image())
    image["spec"]["image"] = f"{project.image}:2"
    runs = {"image": f"{project.image}:2", "containerName": project.yard.name("new"), "stopGracePeriod": "1s"}
    container = {"apiVersion": "pegasus2.dev/v1", "kind": "Container", "metadata": {"name": "new"}, "spec": runs}
    documents = [declared(project, answers=False), json.dumps(image), *([json.dumps(container)] if also else [])]
    project.edit("state/base/shop.yaml", "\n---\n".join(documents))
    done = project.deploy()
    assert done.code == 0, done.out + done.err
    assert not (project.overlay / "deployed.yaml").exists()
    assert project.running() == project.yard.engine.inspect_image(IMAGE)["Id"]
    if also:
        assert project.yard.inspect("new")["Config"]["Image"].startswith(f"{project.image}:p2-")


def test_a_patch_of_that_name_which_is_somebodys_own_is_left_alone(project: Shop) -> None:
    own = "apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {name: shop}\nspec: {profiles: [more]}\n"
    project.change("state/overlays/staging/deployed.yaml", own)
    project.commit("own")
    done = project.deploy()
    assert (done.code, "it has more than p2 deploy writes there" in done.err) == (2, True), done.out + done.err
    assert (project.overlay / "deployed.yaml").read_text() == own
    assert project.subjects()[0] == "own"
