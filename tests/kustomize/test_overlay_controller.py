"""A running controller over an overlay: all that the overlay is made from is watched, and what is broken stays as it was."""

from __future__ import annotations

from tests.cli.story import Story
from tests.kustomize.environments import STAGING, contents, environments, patch_of
from tests.support import Background, all_ready, eventually, happened, told

BOTH = ["st-one", "st-two"]


def holds(story: Story, name: str, text: str) -> bool:
    path = story.world / name
    return path.exists() and path.read_text() == text


def test_an_edit_of_a_base_a_patch_or_a_variable_is_an_edit(story: Story, controller: Background) -> None:
    environments(story)
    annotation = "{name: one, annotations: {pegasus2.dev/substitute: environment.env}}"
    patch = patch_of("one", path=str(story.world / "st-one")).replace("{name: one}", annotation)
    story.write("overlays/staging/one.yaml", patch)
    story.write("overlays/staging/environment.env", "WHO=ada\n")
    controller.start()
    eventually(lambda: all_ready(story, BOTH), "both were made")
    story.write("base/one.yaml", story.file("one", "'hello ${WHO}'"))
    eventually(lambda: holds(story, "st-one", "hello ada"), "the edit of the base was applied")
    story.write("overlays/staging/environment.env", "WHO=eve\n")
    eventually(lambda: holds(story, "st-one", "hello eve"), "the variable was filled in anew")
    story.write("overlays/staging/two.yaml", patch_of("two", path=str(story.world / "st-two"), content="edited"))
    eventually(lambda: holds(story, "st-two", "edited"), "the edit of the patch was applied")
    story.write("base/three.yaml", story.file("three"))
    story.write("base/kustomization.yaml", "resources: [one.yaml, two.yaml, three.yaml]\n")
    eventually(lambda: holds(story, "three", "hello"), "what the base lists now was made")
    story.write("base/kustomization.yaml", "resources: [one.yaml, two.yaml]\n")
    eventually(lambda: "three" not in contents(story), "what it lists no longer has gone")
    assert happened(story, "Created") == ["st-one", "st-three", "st-two"]


def test_a_broken_patch_is_named_and_what_was_good_stays_in_force_and_is_kept_so(
    story: Story, controller: Background
) -> None:
    environments(story)
    controller.start()
    eventually(lambda: all_ready(story, BOTH), "both were made")
    story.write("overlays/staging/two.yaml", patch_of("tow", content="x"))
    eventually(lambda: told(story, "SourceInvalid"), "it was told of the mistake")
    assert any(
        f"{STAGING}/two.yaml:3:18: metadata.name: cannot patch File/tow" in each
        for each in told(story, "SourceInvalid")
    )
    (story.world / "st-two").unlink()
    eventually(lambda: holds(story, "st-two", "staging"), "the last good version was put back")
    assert "two.yaml" in story.p2("get", "file/st-one").out
    for arguments in ([], ["--keep-going"]):
        sent = story.start("apply", "--yes", *arguments, STAGING)
        _, said = sent.communicate(timeout=60)
        assert sent.returncode != 0
        assert "cannot patch File/tow" in said
        assert "twice" not in said
    story.write("overlays/staging/two.yaml", patch_of("two", path=str(story.world / "st-two"), content="repaired"))
    eventually(lambda: holds(story, "st-two", "repaired"), "the corrected patch was applied")
    eventually(lambda: "SourceInvalid" not in story.p2("get").out, "the mistake was forgotten")
    assert happened(story, "Deleted") == []


def test_a_patch_that_is_broken_when_the_controller_starts_takes_nothing_away(
    story: Story, controller: Background
) -> None:
    environments(story)
    assert story.p2("apply", STAGING).code == 0
    whole = (story.root / STAGING / "kustomization.yaml").read_text()
    story.write("overlays/staging/kustomization.yaml", whole + "- path: gone.yaml\n")
    (story.world / "st-two").unlink()
    controller.start()
    eventually(lambda: holds(story, "st-two", "staging"), "the last good version was put back")
    story.write("overlays/staging/gone.yaml", patch_of("two", content="found"))
    eventually(lambda: holds(story, "st-two", "found"), "the file that was missing was found")
    eventually(lambda: all_ready(story, BOTH), "all is well")
    assert happened(story, "Deleted") == []


def test_a_plain_source_becomes_an_overlay_and_plain_again(story: Story, controller: Background) -> None:
    story.write("overlays/staging/one.yaml", story.file("one"))
    story.write("overlays/staging/two.yaml", story.file("two"))
    controller.start()
    eventually(lambda: all_ready(story, ["one", "two"]), "both were made")
    story.write("overlays/staging/kustomization.yaml", "resources: [one.yaml, two.yaml]\ncommonAnnotations: {a: b}\n")
    story.write("overlays/staging/one.yaml", story.file("one", "edited"))
    eventually(lambda: holds(story, "one", "edited"), "the edit was applied")
    story.write("overlays/staging/kustomization.yaml", "resources: [one.yaml]\n")
    eventually(lambda: "two" not in contents(story), "what is not listed has gone")
    story.remove("overlays/staging/kustomization.yaml")
    eventually(lambda: holds(story, "two", "hello"), "all files count again")
    eventually(lambda: all_ready(story, ["one", "two"]), "all is well")
