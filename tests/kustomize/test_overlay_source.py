"""What a source makes of an overlay while its files are being saved: nothing is said of what is only half there."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.engine.revision import Condition
from controller.sources.said import Said
from tests.cli.story import Story
from tests.kustomize.environments import STAGING, environments, patch_of


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said(story: Story, clock: Clock) -> Said:
    environments(story)
    made = Said(str(overlay(story)), clock)
    made.survey()
    return made


def overlay(story: Story) -> Path:
    return story.root / STAGING


def names(said: Said) -> list[str]:
    documents = said.all().documents.values()
    return sorted(declared.key.name for each in documents for declared in each or ())


def test_files_with_resources_count_as_what_declares_them(story: Story, said: Said) -> None:
    found = said.all().documents
    assert sorted(Path(file).relative_to(story.root / "state").as_posix() for file in found) == [
        "base/kustomization.yaml",
        "base/one.yaml",
        "base/two.yaml",
        "overlays/staging/kustomization.yaml",
        "overlays/staging/one.yaml",
        "overlays/staging/two.yaml",
    ]
    (declared,) = found[str(story.root / "state/base/two.yaml")] or ()
    assert (declared.key.name, declared.origin.file) == ("st-two", str(story.root / "state/base/two.yaml"))


def test_a_patch_that_is_empty_for_a_moment_is_no_mistake(story: Story, said: Said, clock: Clock) -> None:
    patch = overlay(story) / "two.yaml"
    whole = patch.read_text()
    patch.write_text("")
    assert not said.look({str(patch)})
    assert said.condition is Condition.UNREADABLE
    patch.write_text(whole)
    assert not said.look({str(patch)})
    assert (said.condition, names(said)) == (Condition.OK, ["st-one", "st-two"])


def test_a_mistake_that_lasts_is_told_of_all_files_and_its_end_as_well(story: Story, said: Said, clock: Clock) -> None:
    patch = overlay(story) / "two.yaml"
    whole = patch.read_text()
    patch.write_text(patch_of("tow"))
    assert not said.look({str(patch)})
    clock.now += 1
    problems = said.survey().problems
    assert said.condition is Condition.OK
    assert {Path(file).name for file in problems} == {"kustomization.yaml", "one.yaml", "two.yaml"}
    assert {(Path(problem.file).name, problem.line) for each in problems.values() for problem in each} == {
        ("two.yaml", 3)
    }
    patch.write_text(whole)
    assert said.look({str(patch)}).documents.keys() >= problems.keys()
    assert not said.all().problems


def test_a_kustomization_that_is_replaced_leaves_no_moment_in_which_patches_are_resources(
    story: Story, said: Said, clock: Clock
) -> None:
    file = overlay(story) / "kustomization.yaml"
    away = file.rename(file.with_name("away"))
    assert not said.look({str(file)})
    assert (said.condition, names(said)) == (Condition.UNREADABLE, ["st-one", "st-two"])
    away.rename(file)
    assert not said.look({str(file)})
    assert (said.condition, names(said)) == (Condition.OK, ["st-one", "st-two"])


def test_without_its_kustomization_it_is_a_plain_source_in_the_end(story: Story, said: Said, clock: Clock) -> None:
    (overlay(story) / "kustomization.yaml").unlink()
    (overlay(story) / "one.yaml").write_text(story.file("plain"))
    (overlay(story) / "two.yaml").unlink()
    assert not said.survey()
    clock.now += 2
    look = said.survey()
    assert {Path(file).name for file, found in look.documents.items() if found is None} >= {"two.yaml"}
    assert names(said) == ["plain"]


def test_nothing_listed_that_is_a_resource_is_an_empty_source(story: Story, said: Said) -> None:
    (overlay(story) / "kustomization.yaml").write_text("resources: [nothing.yaml]\n")
    (overlay(story) / "nothing.yaml").write_text("# nothing\n")
    said.look({str(overlay(story) / "kustomization.yaml")})
    assert said.condition is Condition.EMPTY
    said.survey()
    assert said.condition is Condition.EMPTY
