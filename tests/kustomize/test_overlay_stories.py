"""Environments as a person meets them on the command line: overlays are sources, bases are part of them."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from resources.documents import read
from tests.cli.repository import ENVIRONMENT, git
from tests.cli.story import Story
from tests.kustomize.environments import PRODUCTION, STAGING, contents, environments, patch_of


def test_two_environments_live_on_one_machine_side_by_side(story: Story) -> None:
    environments(story)
    assert story.p2("validate", STAGING).code == 0
    assert "File/st-two  create" in story.p2("diff", STAGING).out
    assert story.p2("apply", STAGING).code == 0
    assert story.p2("apply", PRODUCTION).code == 0
    assert contents(story) == {"one": "hello", "two": "hello", "st-one": "hello", "st-two": "staging"}
    for source in (STAGING, PRODUCTION, f"{STAGING}/kustomization.yaml"):
        again = story.p2("apply", source)
        assert (again.code, "nothing to do" in again.last) == (0, True), again.out + again.err


def test_a_plain_directory_leaves_the_overlays_below_it_alone(story: Story) -> None:
    environments(story)
    nothing = story.p2("apply")
    assert nothing.code == 2
    assert (
        f"name one of its overlays: {story.root}/state/base, {story.root}/{PRODUCTION}, {story.root}/{STAGING}"
        in nothing.err
    )
    story.write("three.yaml", story.file("three"))
    checked = story.p2("validate")
    assert (checked.code, f"sources of their own: state/base, {PRODUCTION}, {STAGING}" in checked.err) == (0, True)
    assert story.p2("apply", STAGING).code == 0
    assert story.p2("apply", "--yes").code == 0
    assert contents(story) == {"three": "hello", "st-one": "hello", "st-two": "staging"}
    assert story.p2("apply", "--yes", STAGING).code == 0
    assert contents(story) == {"three": "hello", "st-one": "hello", "st-two": "staging"}


def test_what_a_patch_deletes_goes_and_comes_back_with_the_base(story: Story) -> None:
    environments(story)
    assert story.p2("apply", STAGING).code == 0
    story.write("overlays/staging/two.yaml", patch_of("two").replace("spec: {}", "$patch: delete"))
    assert "File/st-two  delete" in story.p2("diff", STAGING).out
    assert story.p2("apply", "--yes", STAGING).code == 0
    assert contents(story) == {"st-one": "hello"}


def test_a_mistake_names_the_file_that_the_field_comes_from(story: Story) -> None:
    environments(story)
    story.write("overlays/staging/two.yaml", patch_of("two", path="/x", contnt="staging"))
    story.write("base/one.yaml", story.file("one").replace("content: hello", "mode: 5"))
    shown = story.p2("validate", STAGING)
    assert shown.code == 2
    assert f'{STAGING}/two.yaml:6:3: spec.contnt: unknown field "contnt"; did you mean "content"?' in shown.out
    assert "state/base/one.yaml:6:9: spec.mode: cannot use the number 5" in shown.out
    assert story.p2("apply", STAGING).code == 2
    assert contents(story) == {}


def test_a_patch_of_nothing_changes_nothing_and_says_what_there_is(story: Story) -> None:
    environments(story)
    assert story.p2("apply", STAGING).code == 0
    story.write("overlays/staging/two.yaml", patch_of("tow", content="x"))
    shown = story.p2("apply", STAGING)
    assert shown.code == 2
    assert (
        f"{STAGING}/two.yaml:3:18: metadata.name: cannot patch File/tow: no resource here is called so; "
        "there is File/one, File/two" in shown.err
    )
    assert contents(story) == {"st-one": "hello", "st-two": "staging"}
    assert story.p2("apply", "--yes", "--keep-going", STAGING).code in (1, 2)
    assert contents(story) == {"st-one": "hello", "st-two": "staging"}


def test_relative_paths_start_at_the_file_that_writes_them(story: Story) -> None:
    environments(story)
    for place in ("base", "overlays/staging"):
        story.write(f"{place}/text.txt", place)
    story.write("base/one.yaml", story.file("one").replace("content: hello", "source: text.txt"))
    story.write("base/two.yaml", story.file("two").replace("content: hello", "source: text.txt"))
    story.write("overlays/staging/two.yaml", patch_of("two", path=str(story.world / "st-two"), source="text.txt"))
    assert story.p2("apply", STAGING).code == 0
    assert contents(story) == {"st-one": "base", "st-two": "overlays/staging"}
    story.write("overlays/staging/text.txt", "edited")
    assert "File/st-two  update" in story.p2("diff", STAGING).out


def test_variables_are_filled_in_where_it_is_declared_and_nowhere_else(story: Story) -> None:
    environments(story)
    story.write(
        "base/one.yaml", story.file("one", "'${WHO} ${WHO:-x} $${WHO} $HOME ${NONE:-none}'", template="${TEMPLATE}")
    )
    story.write("base/two.yaml", story.file("two", "'${WHO}'"))
    annotated = patch_of("one", path=str(story.world / "st-one"))
    annotation = "{name: one, annotations: {pegasus2.dev/substitute: environment.env}}"
    story.write("overlays/staging/one.yaml", annotated.replace("{name: one}", annotation))
    story.write("overlays/staging/two.yaml", patch_of("two", path=str(story.world / "st-two")))
    story.write("overlays/staging/environment.env", "# ours\nexport WHO='the world'\nTEMPLATE=false\n")
    applied = story.p2("apply", STAGING)
    assert applied.code == 0, applied.err
    assert contents(story) == {"st-one": "the world the world ${WHO} $HOME none", "st-two": "${WHO}"}
    story.write("overlays/staging/environment.env", "WHO=all\nTEMPLATE=false\n")
    assert "File/st-one  update" in story.p2("diff", STAGING).out
    story.write("overlays/staging/environment.env", "TEMPLATE=false\n")
    unset = story.p2("validate", STAGING)
    assert unset.code == 2
    assert unset.out.startswith(
        "state/base/one.yaml:6:12: spec.content: cannot fill in WHO: environment.env does not set it; set it there, or give"
    )
    story.write("overlays/staging/environment.env", "WHO\n")
    assert (
        f"{STAGING}/environment.env:1:1: cannot read this line: write NAME=value" in story.p2("validate", STAGING).out
    )
    story.remove("overlays/staging/environment.env")
    missing = story.p2("validate", STAGING)
    assert f"{STAGING}/environment.env: cannot fill in variables: this file is not there" in missing.out


def test_a_kustomization_fills_in_all_of_its_own_and_build_prints_it_for_kubectl(story: Story) -> None:
    environments(story)
    story.write("base/two.yaml", story.file("two", "'${WHO}'"))
    story.write(
        "overlays/production/kustomization.yaml",
        "metadata: {annotations: {pegasus2.dev/substitute: environment.env}}\nresources: [../../base]\n",
    )
    story.write("overlays/production/environment.env", "WHO=1_000\n")
    built = story.p2("build", PRODUCTION)
    assert built.code == 0, built.err
    one, two = (document.content for document in read(built.out.encode(), "").documents)
    assert (one["spec"]["content"], two["spec"]["content"]) == ("hello", "1_000")
    assert json.loads(story.p2("build", "-o", "json", PRODUCTION).out) == [one, two]
    assert story.p2("build").code == 2


def test_a_plain_file_that_asks_for_variables_is_refused(story: Story) -> None:
    text = story.file("one", "'${WHO}'").replace(
        "{name: one}", "{name: one, annotations: {pegasus2.dev/substitute: a}}"
    )
    story.write("one.yaml", text)
    shown = story.p2("validate")
    assert (
        "metadata.annotations.pegasus2.dev/substitute: cannot fill in variables here: list this file in a" in shown.out
    )


def test_history_shows_bases_as_they_were_and_a_rollback_leaves_them_to_their_owner(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    environments(story)
    git(story.root, "init", "-q", "-b", "main")
    git(story.root, "add", "-A")
    git(story.root, "commit", "-qm", "first")
    assert story.p2("apply", STAGING).code == 0
    story.write("overlays/staging/two.yaml", patch_of("two", path=str(story.world / "st-two"), content="second"))
    git(story.root, "commit", "-qam", "second")
    assert story.p2("apply", STAGING).code == 0
    story.write("base/one.yaml", story.file("one", "third"))
    git(story.root, "commit", "-qam", "third")
    assert story.p2("apply", STAGING).code == 0
    assert contents(story) == {"st-one": "third", "st-two": "second"}
    shown = story.p2("diff", "--revision", "1", STAGING).out
    assert 'content: "third" -> "hello"' in shown
    assert 'content: "second" -> "staging"' in shown
    refused = story.p2("rollback", "1", "-s", STAGING)
    assert refused.code == 2
    assert "outside of the source are others than then, and others may use them: ../../base/one.yaml" in refused.err
    command = next(line for line in refused.err.splitlines() if "restore" in line).strip()
    subprocess.run(command, shell=True, check=True, env={**os.environ})
    git(story.root, "commit", "-qam", "put the base back")
    assert story.p2("rollback", "1", "-s", STAGING).code == 0
    assert contents(story) == {"st-one": "hello", "st-two": "staging"}
    assert story.p2("diff", STAGING).code == 0


@pytest.mark.kubectl
def test_build_prints_what_kubectl_makes_of_an_overlay_without_variables(story: Story) -> None:
    environments(story)
    story.write(
        "overlays/staging/kustomization.yaml", "resources: [../../base]\npatches:\n- path: one.yaml\n- path: two.yaml\n"
    )
    theirs = subprocess.run(["kubectl", "kustomize", STAGING], capture_output=True, check=True)
    ours = story.p2("build", STAGING)
    assert [each.content for each in read(ours.out.encode(), "").documents] == [
        each.content for each in read(theirs.stdout, "").documents
    ]
