"""The patch that says what services of Compose resources run: written, read again, and found by the name that it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.kustomize.deployed import NAME, images_of, names_before, text_of
from resources.kustomize.editing import CannotEdit, add_patch
from resources.kustomize.items import Id
from resources.kustomize.scripts import Unresolvable
from resources.meta import API_VERSION
from tests.kustomize.archive import ours, theirs


def project(name: str, namespace: str = "default") -> Id:
    return Id(API_VERSION, "Compose", namespace, name)


def test_what_is_written_is_read_again() -> None:
    images = {
        project("shop"): {"web": "shop-web:p2-0123456789ab", "on": "a@sha256:00", "1": "x:1.10"},
        project("shop", "other"): {"db": "postgres:16"},
    }
    assert images_of(text_of(images)) == images
    assert text_of({project("shop"): {}}) == ""
    assert images_of("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "kind: Compose\n",
        "[]\n",
        "apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {name: shop}\nspec:\n",
        "apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {name: shop}\nspec: {images: {a: b}, profiles: [c]}\n",
        "apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {name: shop, labels: {a: b}}\nspec: {images: {a: b}}\n",
    ],
)
def test_a_patch_that_says_anything_else_is_not_touched(text: str) -> None:
    with pytest.raises(CannotEdit, match=r"deployed\.yaml"):
        images_of(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("resources: [../../base]\n", "resources: [../../base]\npatches:\n- path: deployed.yaml\n"),
        ("patches:\n  - path: a.yaml\n# end\n", "patches:\n  - path: a.yaml\n  - path: deployed.yaml\n# end\n"),
        ("patches: [{path: a.yaml}]\n", "patches: [{path: a.yaml}, {path: deployed.yaml}]\n"),
        ("patches: []\n", "patches: [{path: deployed.yaml}]\n"),
        (
            "patches:\n- patch: |-\n    a: b\n    c: d\nimages: []\n",
            "patches:\n- patch: |-\n    a: b\n    c: d\n- path: deployed.yaml\nimages: []\n",
        ),
        ("patches:\n- patch: |\n    a: b\n", "patches:\n- patch: |\n    a: b\n- path: deployed.yaml\n"),
        ("patches:\n- path: deployed.yaml\n", "patches:\n- path: deployed.yaml\n"),
    ],
)
def test_it_is_listed_last_and_once(before: str, after: str) -> None:
    assert add_patch(before, NAME) == after


def environment(root: Path, prefixes: tuple[str, ...]) -> Path:
    """An overlay with a prefix and a namespace, over one base or several that have the same project."""
    (root / "shared").mkdir()
    (root / "shared/kustomization.yaml").write_text("resources: [shop.yaml]\n")
    head = f"apiVersion: {API_VERSION}\nkind: Compose\nmetadata: {{name: shop}}\n"
    (root / "shared/shop.yaml").write_text(f"{head}spec: {{directory: /srv/shop, scale: {{web: 2}}}}\n")
    for prefix in prefixes:
        (root / prefix).mkdir()
        (root / prefix / "kustomization.yaml").write_text(f"resources: [../shared]\nnamePrefix: {prefix}-\n")
    (root / "overlay").mkdir()
    bases = ", ".join(f"../{prefix}" for prefix in prefixes)
    text = f"resources: [{bases}]\nnamePrefix: staging-\nnamespace: test\n"
    (root / "overlay/kustomization.yaml").write_text(add_patch(text, NAME))
    return root / "overlay"


def test_what_was_written_for_a_resource_that_has_left_says_what_to_do(tmp_path: Path) -> None:
    overlay = environment(tmp_path, ("a",))
    (overlay / NAME).write_text(text_of({project("gone"): {"web": "shop-web:1"}}))
    with pytest.raises(Unresolvable, match=r"p2 deploy wrote this .* remove this document .*; there is Compose/a-shop"):
        names_before(overlay, Path.read_bytes)
    own = (overlay / NAME).rename(overlay / "own.yaml")
    (overlay / "kustomization.yaml").write_text(add_patch("resources: [../a]\n", own.name))
    with pytest.raises(Unresolvable, match="cannot patch Compose/gone: no resource here is called so; there is"):
        names_before(overlay, Path.read_bytes)


@pytest.mark.kubectl
@pytest.mark.parametrize("prefixes", [("a",), ("a", "b")])
def test_it_reaches_each_project_through_bases_and_prefixes_as_with_kubectl(
    prefixes: tuple[str, ...], tmp_path: Path
) -> None:
    overlay = environment(tmp_path, prefixes)
    text = (overlay / "kustomization.yaml").read_text()
    (overlay / "kustomization.yaml").write_text(text.partition("patches:")[0])
    names = names_before(overlay, Path.read_bytes)
    assert names.keys() == {project(f"staging-{prefix}-shop", "test") for prefix in prefixes}
    images = {before: {"web": f"shop-web:{after.name}"} for after, before in names.items()}
    (overlay / NAME).write_text(text_of(images))
    (overlay / "kustomization.yaml").write_text(text)
    assert ours(overlay) == theirs(overlay)
    assert names_before(overlay, Path.read_bytes) == names
    assert "shop-web:staging-a-shop" in str(ours(overlay))
