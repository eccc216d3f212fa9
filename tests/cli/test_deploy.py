"""`p2 deploy` on a real engine and in a real repository: what is rolled out, and how what fails is taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agents.worlds.docker import IMAGE
from tests.cli.repository import git
from tests.cli.shop import SERVE, Shop

pytestmark = pytest.mark.docker

DEAF = SERVE.replace("8080", "8081")  # listens where nobody asks


def test_images_are_built_written_down_committed_and_run(shop: Shop) -> None:
    done = shop.deploy()
    assert done.code == 0, done.out + done.err
    assert shop.page() == "one"
    tag = f"p2-{shop.running().removeprefix('sha256:')[:12]}"
    assert shop.kustomization.read_text() == (
        f"# the one that is tried out\nresources: [../../base]\nimages:\n- name: {shop.image}\n  newTag: {tag}\n"
    )
    assert shop.subjects() == ["Deploy to staging", "begin"]
    assert shop.running() in git(shop.root, "log", "-1", "--format=%b")
    assert shop.clean()
    assert shop.story.p2("diff", "state/overlays/staging").code == 0


def test_lines_of_the_kustomization_end_as_they_did(shop: Shop) -> None:
    shop.kustomization.write_bytes(b"# as written elsewhere\r\nresources: [../../base]\r\n")
    shop.commit("lines")
    assert shop.deploy().code == 0
    written = shop.kustomization.read_bytes()
    assert written.count(b"\r\n") == written.count(b"\n") == 5


def test_a_new_build_reaches_what_runs_by_a_deployment_alone(shop: Shop) -> None:
    assert shop.deploy().code == 0
    shop.edit("web/page", "two")
    assert shop.story.p2("apply", "state/overlays/staging").code == 0
    assert shop.page() == "one"
    assert shop.deploy("-m", "The second page").code == 0
    assert shop.page() == "two"
    assert shop.subjects()[0] == "The second page"


def test_deploying_what_is_deployed_changes_and_commits_nothing(shop: Shop) -> None:
    assert shop.deploy().code == 0
    started, commits = shop.yard.started("shop"), shop.subjects()
    assert shop.deploy().code == 0
    assert (shop.yard.started("shop"), shop.subjects()) == (started, commits)


def test_each_deployment_stands_in_the_history(shop: Shop) -> None:
    assert shop.deploy("--run-tests").code == 0
    (found,) = shop.deployments()
    head = git(shop.root, "rev-parse", "--short", "HEAD")
    assert (found["outcome"], found["user"], found["commit"]) == ("converged", "ada", head)
    assert found["deployment"] == {
        "environment": "staging",
        "images": [
            {"name": shop.image, "reference": f"{shop.image}:{shop.tags()[-1].rpartition(':')[2]}", "identity": shop.running()}
        ],
        "tests": "passed",
    }  # fmt: skip
    listed = shop.story.p2("history").out
    assert f"staging: {shop.image}:p2-" in listed
    assert shop.running() in shop.story.p2("history", "--revision", str(found["revision"])).out


def test_tests_run_against_what_is_about_to_be_rolled_out_and_leave_nothing(shop: Shop) -> None:
    shop.edit("web/page", "good")
    done = shop.deploy("--run-tests")
    assert done.code == 0, done.out + done.err
    assert shop.yard.engine.containers(all=True, filters={"name": shop.yard.name("test")}) == []


def test_failing_tests_stop_it_with_their_log(shop: Shop) -> None:
    assert shop.deploy("--run-tests").code == 0
    text, commits, running = shop.kustomization.read_text(), shop.subjects(), shop.running()
    shop.edit("web/page", "bad")
    done = shop.deploy("--run-tests")
    assert done.code == 1
    assert "| looking at the page" in done.err
    assert "the tests of staging failed; nothing that runs was changed" in done.err
    assert (shop.kustomization.read_text(), shop.running()) == (text, running)
    assert shop.subjects() == ["edit web/page", *commits]
    assert shop.yard.engine.containers(all=True, filters={"name": shop.yard.name("test")}) == []
    assert [each["outcome"] for each in shop.deployments()] == ["failed", "converged"]


def test_a_failing_build_changes_nothing_that_runs(shop: Shop) -> None:
    assert shop.deploy().code == 0
    running = shop.running()
    shop.edit("web/Dockerfile", f"FROM {IMAGE}\nRUN echo so it goes; false\n")
    done = shop.deploy()
    assert done.code == 1
    assert "so it goes" in done.err
    assert shop.running() == running
    assert shop.page() == "one"


def test_what_does_not_answer_is_taken_back(shop: Shop) -> None:
    assert shop.deploy().code == 0
    text, running = shop.kustomization.read_text(), shop.running()
    shop.edit("web/serve", DEAF)
    done = shop.deploy("--smoke-timeout", "3s")
    assert done.code == 1
    assert f"the smoke check {shop.address}" in done.err
    assert shop.page() == "one"
    assert (shop.kustomization.read_text(), shop.running()) == (text, running)
    assert shop.subjects()[:2] == ['Take back "Deploy to staging"', "Deploy to staging"]
    assert shop.clean()
    assert shop.story.p2("diff", "state/overlays/staging").code == 0
    newest = shop.deployments()[0]
    assert newest["outcome"] == "failed"
    assert "taken back in commit" in newest["message"]
    assert newest["commit"] == git(shop.root, "rev-parse", "--short", "HEAD~1")


def test_what_was_just_taken_back_is_not_tried_again_for_nothing(shop: Shop) -> None:
    assert shop.deploy().code == 0
    running = shop.running()
    shop.edit("web/serve", DEAF)
    assert shop.deploy("--smoke-timeout", "1s").code == 1
    commits, tags = shop.subjects(), shop.tags()
    again = shop.deploy("--smoke-timeout", "1s")
    assert (again.code, "that was deployed last, and taken back" in again.err) == (2, True), again.err
    assert "with --force" in again.err
    assert (shop.subjects(), shop.running(), shop.tags()) == (commits, running, tags)
    assert shop.deploy("--smoke-timeout", "1s", "--force").code == 1
    assert len(shop.subjects()) == len(commits) + 2
    shop.edit("web/serve", SERVE)
    assert shop.deploy().code == 0
    assert shop.page() == "one"


def test_what_was_taken_back_is_tried_again_when_something_else_was_put_right(shop: Shop) -> None:
    assert shop.deploy().code == 0
    shop.edit("web/page", "two")
    base = (shop.root / "state/base/shop.yaml").read_text()
    shop.edit("state/base/shop.yaml", base.replace("/index.html", "/nothing.html"))
    assert shop.deploy("--smoke-timeout", "1s").code == 1
    shop.edit("state/base/shop.yaml", base)
    assert shop.deploy().code == 0
    assert shop.page() == "two"


def test_what_does_not_stay_up_is_taken_back(shop: Shop) -> None:
    assert shop.deploy().code == 0
    running = shop.running()
    shop.edit("web/serve", "#!/bin/sh\necho cannot serve today\nexit 3\n")
    done = shop.deploy()
    assert done.code == 1
    assert "not all of staging became Ready" in done.err
    assert (shop.page(), shop.running()) == ("one", running)
    assert shop.subjects()[0] == 'Take back "Deploy to staging"'


def test_even_the_first_deployment_goes_back_to_what_ran_before(shop: Shop) -> None:
    assert shop.story.p2("apply", "state/overlays/staging").code == 0
    running = shop.running()
    shop.edit("web/serve", DEAF)
    assert shop.deploy("--smoke-timeout", "3s").code == 1
    assert (shop.page(), shop.running()) == ("one", running)


def test_a_first_deployment_of_an_image_that_was_named_goes_back_to_what_ran_before(shop: Shop) -> None:
    assert shop.story.p2("apply", "state/overlays/staging").code == 0
    running = shop.running()
    deaf = shop.build_deaf("deaf")
    done = shop.deploy("--image", f"{shop.image}=:deaf", "--smoke-timeout", "1s")
    assert (done.code, "there is nothing to go back to" in done.err) == (1, False), done.out + done.err
    assert deaf in git(shop.root, "log", "-1", "--skip=1", "--format=%b")
    assert (shop.page(), shop.running()) == ("one", running)
    assert shop.clean()


def test_names_of_images_that_nothing_needs_any_more_are_taken_away(shop: Shop) -> None:
    for page in ("one", "two", "three"):
        shop.change("web/page", page)
        if not shop.clean():
            shop.commit(page)
        assert shop.deploy().code == 0
    ours = [tag for tag in shop.tags() if ":p2-" in tag]
    assert len(ours) == 2  # that of now, and that to go back to


def test_the_replicas_of_a_set_are_rolled_out_and_taken_back_together(shop: Shop) -> None:
    template = {"image": f"{shop.image}:1", "command": ["sleep", "600"], "stopSignal": "SIGKILL"}
    replicas = json.dumps({
        "apiVersion": "pegasus2.dev/v1", "kind": "ContainerSet", "metadata": {"name": shop.yard.name("set")},
        "spec": {"replicas": 2, "template": template},
    })  # fmt: skip
    shop.edit("state/base/shop.yaml", "\n---\n".join([shop.declared_image(), replicas]))
    done = shop.deploy()
    assert done.code == 0, done.out + done.err
    running = {each["Image"] for each in shop.yard.engine.containers(filters={"name": shop.yard.name("set")})}
    assert len(running) == 1
    assert running.pop().startswith(f"{shop.image}:p2-")
    assert len(shop.story.p2("logs", f"containerset/{shop.yard.name('set')}").out) == 0
    shop.edit("web/Dockerfile", "FROM scratch\nCOPY page /\n")
    assert shop.deploy().code == 1
    assert len(shop.yard.engine.containers(filters={"name": shop.yard.name("set")})) == 2
    assert shop.subjects()[0] == 'Take back "Deploy to staging"'


def test_an_image_is_chosen_on_the_command_line(shop: Shop) -> None:
    assert shop.deploy().code == 0
    first = shop.running()
    shop.yard.engine.tag(first, shop.image, "chosen")
    shop.edit("web/page", "two")
    assert shop.deploy("--image", f"{shop.image}=:chosen").code == 0
    assert (shop.page(), shop.running()) == ("one", first)
    refused = shop.deploy("--image", "nothing/like=:1")
    assert refused.code == 2
    assert f"its containers name {shop.image}" in refused.err
    assert shop.deploy("--image", "nonsense").code == 2


@pytest.mark.parametrize("file", ["state/base/shop.yaml", "web/page"])
def test_edits_that_are_not_committed_are_refused_by_name(shop: Shop, file: str) -> None:
    path = shop.root / file
    path.write_text(path.read_text() + "\n")
    done = shop.deploy()
    assert done.code == 2
    assert file in done.err
    assert shop.subjects() == ["begin"]
    assert shop.tags() == []


def test_files_that_are_in_no_git_are_refused_by_name(shop: Shop) -> None:
    shop.change("state/base/more.yaml", shop.story.file("more"))
    shop.change("state/base/kustomization.yaml", "resources: [shop.yaml, more.yaml]\n")
    git(shop.root, "commit", "-qam", "list it")
    done = shop.deploy()
    assert done.code == 2
    assert "state/base/more.yaml" in done.err


def project_beside(shop: Shop) -> Path:
    """A Compose project, and a base, which lie in the repository but not in what environments are made of."""
    image, name = json.dumps(IMAGE), shop.yard.name("more")
    head = "apiVersion: pegasus2.dev/v1\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n"
    (shop.root / "more").mkdir()
    shop.change("more/compose.yaml", f'services: {{run: {{image: {image}, environment: {{A: "${{A:-1}}"}}}}}}\n')
    shop.change("more/kustomization.yaml", "resources: [more.yaml]\n")
    shop.change("more/more.yaml", head.format("Compose", name, "{directory: .}"))
    shop.change("state/overlays/staging/kustomization.yaml", "resources: [../../base, ../../../more]\n")
    shop.commit("more")
    return shop.root / "more"


@pytest.mark.parametrize("file", ["compose.yaml", "more.yaml", "kustomization.yaml"])
def test_edits_of_what_lies_beside_the_environments_are_refused_too(shop: Shop, file: str) -> None:
    edited = project_beside(shop) / file
    edited.write_text(edited.read_text() + "\n")
    done = shop.deploy()
    assert done.code == 2
    assert f"more/{file}" in done.err
    assert shop.tags() == []


def test_variables_that_are_in_no_git_are_refused_unless_they_are_ignored_there(shop: Shop) -> None:
    directory = project_beside(shop)
    (directory / ".env").write_text("A=2\n")
    done = shop.deploy()
    assert done.code == 2
    assert "more/.env" in done.err
    shop.change(".gitignore", ".env\n")
    shop.commit("keep them here")
    assert 'cannot read --image "nonsense"' in shop.deploy("--image", "nonsense").err  # which comes after that


def test_home_that_it_makes_is_nobody_elses(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "new"
    monkeypatch.setenv("PEGASUS2_HOME", str(home))
    assert shop.deploy("--image", "nonsense").code == 2
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["switch", "-q", "--detach"], "is on no branch"),
        (["config", "user.useConfigOnly", "true"], ""),
    ],
)
def test_a_state_of_git_in_which_nothing_can_be_committed_is_refused(
    shop: Shop, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(shop.root, *words)
    if not said:
        for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
            monkeypatch.delenv(name)
        said = "git does not know who commits"
    done = shop.deploy()
    assert (done.code, said in done.err) == (2, True), done.err
    assert shop.tags() == []


def test_outside_of_git_it_is_refused(shop: Shop) -> None:
    (shop.root / ".git").rename(shop.root / "put-away")
    done = shop.deploy()
    assert done.code == 2
    assert "is in no git repository" in done.err


def test_a_hook_that_refuses_leaves_all_as_it_was(shop: Shop) -> None:
    hook = shop.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Friday >&2\nexit 1\n")
    hook.chmod(0o755)
    text = shop.kustomization.read_text()
    done = shop.deploy()
    assert done.code == 2
    assert "not on a Friday" in done.err
    assert (shop.kustomization.read_text(), shop.clean()) == (text, True)
    assert shop.yard.engine.containers(all=True, filters={"name": shop.name}) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy"], "add --environment NAME; there is staging"),
        (["deploy", "-e", "nowhere"], "cannot find the environment nowhere"),
        (["deploy", "-e", "../staging"], "cannot find the environment"),
        (["deploy", "-e", "staging", "elsewhere"], "there is none; an environment is a directory"),
    ],
)
def test_an_environment_that_is_not_there_is_refused_with_those_that_are(
    shop: Shop, arguments: list[str], said: str
) -> None:
    done = shop.story.p2(*arguments)
    assert (done.code, said in done.err) == (2, True), done.err


def test_tests_that_are_not_there_are_not_passed_over(shop: Shop) -> None:
    git(shop.root, "rm", "-rq", "state/overlays/staging/tests")
    shop.commit("no tests")
    done = shop.deploy("--run-tests")
    assert done.code == 2
    assert "cannot run the tests of staging" in done.err


def test_a_braked_machine_is_left_alone(shop: Shop) -> None:
    assert shop.story.p2("pause").code == 0
    done = shop.deploy()
    assert (done.code, "cannot deploy anything" in done.err) == (2, True)


def test_what_has_left_is_deleted_only_when_told(shop: Shop) -> None:
    more = f"\n---\n{shop.story.file('more')}"
    shop.edit("state/base/shop.yaml", (shop.root / "state/base/shop.yaml").read_text() + more)
    assert shop.deploy().code == 0
    shop.edit("state/base/shop.yaml", (shop.root / "state/base/shop.yaml").read_text().removesuffix(more))
    shop.edit("web/page", "two")
    refused = shop.deploy()
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert shop.page() == "one"
    assert shop.subjects()[0] == "edit web/page"
    assert shop.deploy("--yes").code == 0
    assert shop.page() == "two"
    assert not (shop.story.world / "more").exists()


def test_the_secret_of_an_address_is_shown_nowhere(shop: Shop) -> None:
    secret = shop.address.replace("http://", "http://ada:tr0ub4dor@")
    text = (shop.root / "state/base/shop.yaml").read_text().replace(shop.address, secret)
    shop.edit("state/base/shop.yaml", text)
    done = shop.deploy("--smoke-timeout", "1s")
    assert "tr0ub4dor" not in done.out + done.err + json.dumps(shop.deployments())
