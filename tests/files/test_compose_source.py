"""A source in which a resource stands for Compose files: what of them is read, watched and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.sources.files import FilesSource
from tests.cli.story import Story
from tests.files.sheets import write
from tests.files.test_source_texts import Recorder

OWNER = "apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {name: shop}\nspec: {files: [shop/compose.yaml]}\n"
SHOP = """\
name: shop
include: [mail/compose.yaml]
services:
  web:
    image: nginx:${TAG}
    environment: {TZ: UTC}
    env_file: [{path: web.env, required: false}]
    attach: false
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    root = tmp_path / "machine/state"
    write(root / "shop.yaml", OWNER)
    write(root / "shop/compose.yaml", SHOP)
    write(root / "shop/.env", "TAG=1.27\n")
    write(root / "shop/mail/compose.yaml", 'services: {mail: {image: "mail:${MAIL}"}}\n')
    write(root / "shop/mail/.env", "MAIL=2\n")
    return root


def test_the_files_of_a_project_are_no_resources_themselves(state: Path) -> None:
    revision = FilesSource(state).read()
    assert revision.problems == {}
    assert sorted(revision.documents) == [str(state / "shop.yaml")]
    keys = [declared.key.short for declared in revision.documents[str(state / "shop.yaml")]]
    assert keys == ["Compose/shop", "Network/shop-default", "Container/shop-web-1", "Container/shop-mail-1"]


def test_variables_of_a_project_are_never_recorded(state: Path) -> None:
    recorded = Recorder(state).read()
    contents = {path: content is not None for path, content in recorded.items()}
    assert contents == {
        "shop.yaml": True,
        "shop/compose.yaml": True,
        "shop/mail/compose.yaml": True,
        "shop/.env": False,
        "shop/mail/.env": False,
    }


@pytest.mark.parametrize(("metadata", "spec"), [("", ", deletionPolicy: Delete"), (", annotations: {who: ada}", "")])
def test_what_is_handed_on_is_never_taken_from_an_earlier_run(
    state: Path, tmp_path: Path, metadata: str, spec: str
) -> None:
    write(
        state / "shop/compose.yaml", "services: {web: {image: nginx, volumes: ['data:/data']}}\nvolumes: {data: {}}\n"
    )
    plain = OWNER.replace("{name: shop}", "{name: shop%s}").replace("yaml]}", "yaml]%s}")
    cache, texts = tmp_path / "cache", [plain % ("", ""), plain % (metadata, spec), plain % ("", "")]
    found = []
    for text in texts:
        write(state / "shop.yaml", text)
        found.append(FilesSource(state, cache=cache).read().documents)
        assert found[-1] == FilesSource(state).read().documents
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("shop/compose.yaml", SHOP.replace("UTC", "CET")),
        ("shop/.env", "TAG=1.28\n"),
        ("shop/web.env", "A=1\n"),
        ("shop/compose.yaml", SHOP.replace("include: [mail/compose.yaml]\n", "")),
    ],
)
def test_an_edit_of_what_a_project_is_read_from_is_an_edit_of_it(state: Path, file: str, text: str) -> None:
    source, owner = FilesSource(state), str(state / "shop.yaml")
    before = {declared.key: declared.digest for declared in source.read().documents[owner]}
    write(state / file, text)
    after = {declared.key: declared.digest for declared in source.read().documents[owner]}
    assert {key.short for key in before if after.get(key) != before[key]} >= {"Compose/shop"}
    assert "Network/shop-default" not in {key.short for key in before if after.get(key) != before[key]}


def test_a_broken_file_leaves_in_force_what_was_and_is_named(state: Path) -> None:
    source, owner = FilesSource(state), str(state / "shop.yaml")
    source.read()
    write(state / "shop/compose.yaml", SHOP.replace("image", "imag"))
    revision = source.read()
    assert [str(problem) for problem in revision.problems[owner]] == [
        f'{state}/shop/compose.yaml:5:5: services.web.imag: unknown field "imag" in web; did you mean "image"?'
    ]


def test_what_is_left_out_is_told_by_validate(story: Story, state: Path) -> None:
    shown = story.p2("validate")
    assert shown.code == 0
    assert "note: state/shop/compose.yaml:8:13: services.web.attach: attach is left out: " in shown.err


OTHER = "apiVersion: pegasus2.dev/v1\nkind: Network\nmetadata: {name: front}\nspec: {internal: true}\n"


def test_a_project_that_is_not_there_is_named_where_it_is_written(story: Story) -> None:
    story.write("shop.yaml", OTHER, OWNER)
    shown = story.p2("validate")
    assert shown.code == 2
    assert shown.out.startswith("state/shop.yaml:10:16: spec.files[0]: cannot read the Compose file ")
    assert f"{story.root}/state/shop/compose.yaml: No such file or directory; correct the path, or add it" in shown.out
    (story.root / "state/shop/compose.yaml").mkdir(parents=True)
    assert "compose.yaml: it is no regular file; name a file" in story.p2("validate").out
    story.write("shop.yaml", OTHER, OWNER.replace("files: [shop/compose.yaml]", "directory: shop"))
    shown = story.p2("validate")
    assert shown.out.startswith("state/shop.yaml:10:19: spec.directory: cannot find a Compose file in ")
    assert "there is none of compose.yaml, " in shown.out
    story.write("shop/compose.yaml/compose.yaml", "services: {}\n")
    both = "directory: shop/compose.yaml, envFiles: [a.env, b.env]"
    story.write("a.env", "")
    story.write("shop.yaml", OTHER, OWNER.replace("files: [shop/compose.yaml]", both))
    assert "state/shop.yaml:10:56: spec.envFiles[1]: cannot read the env file " in story.p2("validate").out
