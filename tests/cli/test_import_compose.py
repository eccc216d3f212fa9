"""`p2 import compose`: Compose files become resources to keep, or a list of what can't be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.load import load_text
from tests.cli.compose_yard import ADOPTED, Yard, yards
from tests.cli.story import Story

SHOP = """\
name: shop
services:
  web:
    image: nginx:${TAG:-1.27}
    ports: ["8080:80"]
    networks: [front]
  my_worker: {image: "worker:1", scale: 2}
networks: {front: {}}
"""
REFUSED = """\
name: shop
services:
  web:
    image: nginx:1.27
    post_start: [{command: "true"}]
    attach: false
"""


def shop(story: Story, text: str = SHOP, name: str = "compose.yaml") -> Path:
    path = story.root / name
    path.write_text(text)
    return path


def test_resources_are_printed_that_can_be_loaded(story: Story) -> None:
    shop(story)
    shown = story.p2("import", "compose", "compose.yaml")
    assert (shown.code, shown.err) == (0, "")
    loaded = load_text(shown.out.encode(), "x.yaml", None)
    assert loaded.problems == ()
    assert [declared.key.short for declared in loaded.documents] == [
        "Network/shop-default",
        "Network/shop-front",
        "Container/shop-web-1",
        "Container/shop-my-worker-1",
        "Container/shop-my-worker-2",
    ]
    assert "containerName: shop-my_worker-1" in shown.out


@pytest.mark.parametrize("words", [(), (".",), ("compose.yaml",)])
def test_files_of_the_usual_names_need_not_be_named(story: Story, words: tuple[str, ...]) -> None:
    shop(story)
    shop(story, 'services: {web: {image: "nginx:2"}}\n', "compose.override.yaml")
    shown = story.p2("import", "compose", *words)
    assert shown.code == 0
    assert ("image: nginx:2" in shown.out) is (words != ("compose.yaml",))


def test_variables_come_from_the_environment_and_from_env_files(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    shop(story)
    (story.root / "prod.env").write_text("TAG=1.26\n")
    assert "image: nginx:1.26" in story.p2("import", "compose", "compose.yaml", "--env-file", "prod.env").out
    monkeypatch.setenv("TAG", "1.25")
    assert "image: nginx:1.25" in story.p2("import", "compose", "compose.yaml", "--env-file", "prod.env").out


def test_name_and_profiles_can_be_chosen(story: Story) -> None:
    shop(story, SHOP.replace('image: "worker:1"', 'image: "worker:1", profiles: [more]'))
    assert "my-worker" not in story.p2("import", "compose", "compose.yaml").out
    chosen = story.p2("import", "compose", "compose.yaml", "--profile", "more", "-p", "stall")
    assert "name: stall-my-worker-2" in chosen.out


def test_what_cannot_be_kept_is_an_error_with_its_line(story: Story) -> None:
    shop(story, REFUSED)
    shown = story.p2("import", "compose", "compose.yaml")
    assert (shown.code, shown.out) == (2, "")
    assert "compose.yaml:5:5: services.web.post_start: cannot keep post_start: " in shown.err
    assert "error: cannot take over the files: they have 1 problem; --skip-refused leaves them out" in shown.err


def test_refusal_names_the_variable_that_was_not_set(story: Story) -> None:
    shop(story, 'services: {web: {image: "nginx:${MISSING_TAG}"}}\n')
    shown = story.p2("import", "compose", "compose.yaml")
    assert (shown.code, shown.out) == (2, "")
    assert "the variable MISSING_TAG is not set" in shown.err


def test_what_cannot_be_kept_can_be_left_out(story: Story) -> None:
    shop(story, REFUSED)
    shown = story.p2("import", "compose", "compose.yaml", "--skip-refused")
    assert shown.code == 0
    assert "image: nginx:1.27" in shown.out
    assert "note: compose.yaml:5:5: services.web.post_start: cannot keep post_start: " in shown.err
    assert "note: compose.yaml:6:13: services.web.attach: attach is left out: " in shown.err


def test_files_are_written_and_none_over_another(story: Story) -> None:
    shop(story)
    assert story.p2("import", "compose", "compose.yaml", "-o", "state").code == 0
    written = {path.name: path.read_text() for path in (story.root / "state").iterdir()}
    assert sorted(written) == [
        "networks.yaml",
        "shop-my-worker-1.yaml",
        "shop-my-worker-2.yaml",
        "shop-web-1.yaml",
    ]
    assert story.p2("validate").code == 0
    refused = story.p2("import", "compose", "compose.yaml", "-o", "state")
    assert refused.code == 2
    assert "cannot write state/networks.yaml, " in refused.err
    assert {path.name: path.read_text() for path in (story.root / "state").iterdir()} == written


def test_all_files_are_written_or_none(story: Story) -> None:
    shop(story)
    (story.root / "state").mkdir()
    in_the_way = story.root / "state" / "shop-web-1.yaml"
    in_the_way.symlink_to(story.root / "missing")  # nothing is there, and yet nothing can be made there
    refused = story.p2("import", "compose", "compose.yaml", "-o", "state")
    assert refused.code == 2
    assert "cannot write state/shop-web-1.yaml: File exists; nothing was written" in refused.err
    assert list((story.root / "state").iterdir()) == [in_the_way]
    in_the_way.unlink()
    assert story.p2("import", "compose", "compose.yaml", "-o", "state").code == 0


def test_it_is_said_whose_values_stand_in_the_resources(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    shop(
        story,
        """
name: shop
services:
  web:
    image: nginx:${TAG:-1.27}
    environment:
      PASSWORD: ${DB_PASSWORD:?}
      HANDED_TOKEN:
      PLAIN: ${UNUSED_DEFAULT:-x}
""",
    )
    (story.root / ".env").write_text("DB_PASSWORD=hunter2\nNOBODY_ASKS=1\nTAG=1.26\n")
    monkeypatch.setenv("HANDED_TOKEN", "abc")
    shown = story.p2("import", "compose", "compose.yaml")
    assert shown.code == 0
    assert "PASSWORD: hunter2" in shown.out
    assert (
        "note: values from the environment or from env files stand in the resources now: DB_PASSWORD, HANDED_TOKEN, TAG\n"
        in shown.err
    )
    assert "note: DB_PASSWORD, HANDED_TOKEN look secret: put references in their places (secretEnv, " in shown.err
    assert "hunter2" not in shown.err
    assert story.p2("import", "compose", "compose.yaml", "-o", "state").err.startswith(shown.err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compose", "missing.yaml"), "missing.yaml"),
        (("compose",), "cannot find a Compose file in "),
        (("swarm",), 'cannot import from "swarm"'),
    ],
)
def test_what_is_wrong_is_said(story: Story, words: tuple[str, ...], message: str) -> None:
    shown = story.p2("import", *words)
    assert (shown.code, shown.out) == (2, "")
    assert message in shown.err


@pytest.fixture
def yard(story: Story) -> Iterator[Yard]:
    yield from yards(story)


@pytest.mark.docker
def test_what_is_imported_can_be_applied_and_is_then_as_it_is_declared(yard: Yard) -> None:
    yard.file("compose.yaml", ADOPTED)
    yard.file("db.env", "B=2\n")
    yard.file("key", "secret")
    (yard.directory / "conf").mkdir()
    imported = yard.story.p2("import", "compose", "shop", "-p", yard.project, "-o", "state")
    assert imported.code == 0, imported.err
    applied = yard.story.p2("apply")
    assert applied.code == 0, applied.out + applied.err
    assert yard.containers().keys() == {f"{yard.project}-db-1", f"{yard.project}-web-1"}
    assert yard.story.p2("diff").code == 0
