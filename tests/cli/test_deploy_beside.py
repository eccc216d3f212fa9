"""`p2 deploy` beside others: a running controller, a second deployment, and a person who breaks it off."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.store.lock import hold
from tests.cli.shop import SERVE, Shop
from tests.support import Background, eventually

pytestmark = pytest.mark.docker


@pytest.fixture
def controller(shop: Shop, home: Path) -> Iterator[Background]:
    """One that watches the environment."""
    log = shop.root.parent / "controller.log"
    made = Background(["run", "state/overlays/staging"], shop.root, log, {"PEGASUS2_METRICS_PORT": "0"}).start()
    eventually((home / "run/p2.sock").exists, "it takes commands")
    yield made
    made.close()


def sent(shop: Shop, *options: str) -> tuple[int, str, str]:
    """As a process of its own, which hands the command to the controller."""
    process = shop.story.start("deploy", "-e", "staging", "--timeout", "60s", *options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_a_controller_carries_it_out_and_both_agree(shop: Shop, controller: Background) -> None:
    eventually(lambda: shop.tags() and shop.page() == "one", "it has made what is declared", 60)
    code, out, err = sent(shop, "--run-tests")
    assert code == 0, out + err
    shop.edit("web/page", "two")
    code, out, err = sent(shop, "--run-tests")
    assert code == 0, out + err
    assert shop.page() == "two"
    shop.edit("web/serve", SERVE.replace("8080", "8081"))
    code, out, err = sent(shop, "--smoke-timeout", "3s")
    assert code == 1, out + err
    assert shop.page() == "two"
    assert shop.subjects()[0] == 'Take back "Deploy to staging"'
    assert shop.story.p2("diff", "state/overlays/staging").code == 0
    assert [each["outcome"] for each in shop.deployments()] == ["failed", "converged", "converged"]
    assert controller.end(30) == 0, controller.log
    settled = shop.story.p2("apply", "state/overlays/staging")
    assert "nothing to do" in settled.last


def test_edits_of_a_base_elsewhere_are_refused_beside_a_controller_too(shop: Shop, controller: Background) -> None:
    directory = shop.root / "more"
    directory.mkdir()
    shop.change("more/kustomization.yaml", "resources: [more.yaml]\npatches: [{path: patch.yaml}]\n")
    shop.change("more/more.yaml", shop.story.file("more"))
    head = "apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {name: more}\n"
    shop.change("more/patch.yaml", f"{head}spec: {{content: patched}}\n")
    shop.change("state/overlays/staging/kustomization.yaml", "resources: [../../base, ../../../more]\n")
    shop.commit("more")
    commits = shop.subjects()
    for file in ("patch.yaml", "kustomization.yaml"):
        before = (directory / file).read_text()
        (directory / file).write_text(before + "# edited\n")
        code, out, err = sent(shop)
        assert (code, f"more/{file}" in err) == (2, True), out + err
        (directory / file).write_text(before)
    assert shop.subjects() == commits


def test_two_at_once_are_one_too_many(shop: Shop) -> None:
    slow = (shop.overlay / "tests/test.yaml").read_text().replace("echo looking", "sleep 4; echo looking")
    shop.edit("state/overlays/staging/tests/test.yaml", slow)
    first = shop.story.start("deploy", "-e", "staging", "--run-tests")
    tests = {"name": shop.yard.name("test")}
    eventually(lambda: shop.yard.engine.containers(filters=tests), "the first one runs its tests", 60)
    second = shop.deploy()
    assert second.code == 2
    assert f"another deployment is under way (process {first.pid})" in second.err
    out, err = first.communicate(timeout=120)
    assert first.returncode == 0, out + err
    assert shop.page() == "one"


def test_ctrl_c_says_what_was_done_and_how_to_go_on_or_back(shop: Shop) -> None:
    health = {"test": ["CMD", "test", "-e", "/healthy"], "interval": "1s", "startPeriod": "300s"}
    shop.change("state/base/shop.yaml", "\n---\n".join([shop.declared_image(), shop.container(healthcheck=health)]))
    shop.edit("web/serve", SERVE.replace("trap", "touch /healthy; trap"))
    assert shop.deploy().code == 0
    shop.change("web/page", "two")
    shop.edit("web/serve", SERVE)
    process = shop.story.start("deploy", "-e", "staging")
    eventually(lambda: shop.subjects()[:2] == ["Deploy to staging", "edit web/serve"], "it has committed", 60)
    eventually(lambda: shop.page() == "two", "it waits for health", 60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "p2 apply state/overlays/staging goes on with it, p2 rollback -s state/overlays/staging goes back" in err
    assert shop.clean()
    assert shop.deployments()[0]["outcome"] == "interrupted"
    back = shop.story.p2("rollback", "-s", "state/overlays/staging", "--yes")
    assert back.code == 0, back.out + back.err
    assert shop.page() == "one"


def test_a_way_back_that_is_barred_is_told_with_how_to_go_on(shop: Shop, home: Path) -> None:
    assert shop.deploy().code == 0
    shop.edit("web/serve", SERVE.replace("8080", "8081"))
    process = shop.story.start("deploy", "-e", "staging", "--smoke-timeout", "5s")
    assert process.stdout is not None
    told = next(line for line in process.stdout if line.startswith("=> asking"))
    with hold(home / "run/lock"):  # another command has begun
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, told + out + err
    assert "going back did not succeed, too" in err
    assert "goes on with it, p2 rollback -s state/overlays/staging goes back" in err
    assert shop.deployments()[0]["outcome"] == "failed"


def test_ctrl_c_while_tests_run_leaves_nothing_of_them(shop: Shop) -> None:
    slow = (shop.overlay / "tests/test.yaml").read_text().replace("echo looking", "sleep 300; echo looking")
    shop.edit("state/overlays/staging/tests/test.yaml", slow)
    process = shop.story.start("deploy", "-e", "staging", "--run-tests")
    tests = {"name": shop.yard.name("test")}
    eventually(lambda: shop.yard.engine.containers(filters=tests), "the tests run", 60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "nothing was committed" in err
    assert shop.yard.engine.containers(all=True, filters=tests) == []
    assert shop.subjects()[0] == "edit state/overlays/staging/tests/test.yaml"
