"""A base with two files, and the overlays of two environments over it."""

from __future__ import annotations

from tests.cli.story import Story

STAGING, PRODUCTION = "state/overlays/staging", "state/overlays/production"


def patch_of(name: str, **spec: str) -> str:
    fields = "".join(f"\n  {field}: {value}" for field, value in spec.items())
    return f"apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {{name: {name}}}\nspec:{fields or ' {}'}\n"


def environments(story: Story) -> None:
    """`one` and `two`, which needs it; in staging they live in other places, with another content of `two`."""
    story.write("base/kustomization.yaml", "resources:\n- one.yaml\n- two.yaml\n")
    story.write("base/one.yaml", story.file("one"))
    story.write("base/two.yaml", story.file("two", dependsOn="[File/one]"))
    story.write(
        "overlays/staging/kustomization.yaml",
        "resources: [../../base]\nnamePrefix: st-\npatches:\n- path: one.yaml\n- path: two.yaml\n",
    )
    story.write("overlays/staging/one.yaml", patch_of("one", path=str(story.world / "st-one")))
    story.write("overlays/staging/two.yaml", patch_of("two", path=str(story.world / "st-two"), content="staging"))
    story.write("overlays/production/kustomization.yaml", "resources: [../../base]\n")


def contents(story: Story) -> dict[str, str]:
    """What is in the world."""
    return {path.name: path.read_text() for path in sorted(story.world.iterdir())}
