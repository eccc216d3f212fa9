"""An image is written into a kustomization, and nothing else of the file changes by a byte."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from resources.documents import read
from resources.kustomize.editing import CannotEdit, set_image

DIGEST = "sha256:" + "0a" * 32


def test_a_digest_takes_the_place_of_the_tag() -> None:
    before = "# who: us\nresources: [../../base]  # all\n\nimages:\n- name: web   # ours\n"
    before += "  newTag: '1.27' # old\n  newName: r.example/web\nlabels: []\n"
    after = set_image(before, "web", digest=DIGEST)
    assert after == before.replace("newTag: '1.27' # old", f"digest: {DIGEST} # old")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "images:\n- name: web\n  digest: D\n"),
        ("# only this\n", "# only this\nimages:\n- name: web\n  digest: D\n"),
        ("resources:\n- a.yaml", "resources:\n- a.yaml\nimages:\n- name: web\n  digest: D\n"),
        (
            "resources:\n- a.yaml # x\n\n# end\n",
            "resources:\n- a.yaml # x\nimages:\n- name: web\n  digest: D\n\n# end\n",
        ),
        ("resources:\r\n- a.yaml\r\n", "resources:\r\n- a.yaml\r\nimages:\r\n- name: web\r\n  digest: D\r\n"),
        ("images:\nresources: []\n", "images:\n- name: web\n  digest: D\nresources: []\n"),
        ("images: [] # none\n", "images: [{name: web, digest: D}] # none\n"),
        ("images: ~\n", "images: [{name: web, digest: D}]\n"),
        ("images: [{name: db}]\n", "images: [{name: db}, {name: web, digest: D}]\n"),
        ("images: [{name: web, newTag: a}]\n", "images: [{name: web, digest: D}]\n"),
        ("images: [{name: web, newTag: a, digest: b}]\n", "images: [{name: web, digest: D}]\n"),
        (
            "images:\n  - name: db\n    newTag: a\n  # next\nlabels: []\n",
            "images:\n  - name: db\n    newTag: a\n  - name: web\n    digest: D\n  # next\nlabels: []\n",
        ),
        ("images:\n- newTag: a\n  name: web\n", "images:\n- digest: D\n  name: web\n"),
        ("images:\n- newTag: a\n  name: web\n  digest: b\nx: 1\n", "images:\n- digest: D\n  name: web\nx: 1\n"),
        ("images:\n-   name: web\n", "images:\n-   name: web\n    digest: D\n"),
        ("images:\n- name: web", "images:\n- name: web\n  digest: D"),
        ("images:\n- {name: web}\n", "images:\n- {name: web, digest: D}\n"),
        ("---\nimages:\n- name: web\n  digest: >-\n    old\nx: 1\n", "---\nimages:\n- name: web\n  digest: D\nx: 1\n"),
    ],
)
def test_nothing_but_the_entry_changes(before: str, after: str) -> None:
    assert set_image(before, "web", digest=DIGEST) == after.replace("digest: D", f"digest: {DIGEST}")


def test_what_looks_like_a_number_is_put_in_quotes() -> None:
    assert 'newTag: "1.10"' in set_image("", "web", new_tag="1.10")
    assert "newName: 127.0.0.1:5000/web" in set_image("", "web", new_name="127.0.0.1:5000/web", new_tag="1")


@pytest.mark.parametrize(
    "text",
    [
        "images: *gone\n",
        "- a\n",
        "a: 1\n---\nb: 2\n",
        "{resources: []}\n",
        "images: web\n",
        "x: &e {name: web}\nimages: [*e]\ny: *e\n",
    ],
)
def test_what_cannot_be_edited_is_refused_whole(text: str) -> None:
    with pytest.raises(CannotEdit, match=r"^cannot"):
        set_image(text, "web", digest=DIGEST)


words = st.text("abz019.-_ :#'\"", min_size=1, max_size=8)
entries = st.fixed_dictionaries(
    {"name": st.sampled_from(["web", "db", "cache"])}, optional={"newName": words, "newTag": words, "digest": words}
)


@given(
    st.lists(entries, max_size=4, unique_by=lambda each: each["name"]),
    st.booleans(),
    st.sampled_from([None, True, False]),
    words,
    st.sampled_from(["new_tag", "digest"]),
    st.booleans(),
)
def test_any_list_of_images_says_afterwards_what_was_set(
    images: list[dict[str, str]], indented: bool, flow: bool | None, value: str, field: str, first: bool
) -> None:
    rest = {"resources": ["a.yaml"], "namePrefix": "x-"}
    content: dict[str, Any] = {"images": images, **rest} if first else {**rest, "images": images}
    text = yaml.dump(
        content, Dumper=Indented if indented else yaml.SafeDumper, sort_keys=False, default_flow_style=flow
    )
    if flow:
        text = "\n".join(f"{key}: {json.dumps(each)}" for key, each in content.items())
    # As it is read here: PyYAML writes 09 for a text, and kubectl takes that for a number.
    expected = deepcopy(read(text.encode(), "").documents[0].content)
    entry = next((each for each in expected["images"] if each["name"] == "web"), None)
    if entry is None:
        expected["images"].append(entry := {"name": "web"})
    entry.pop("newTag", None)
    entry.pop("digest", None)
    entry["newTag" if field == "new_tag" else "digest"] = value
    assert read(set_image(text, "web", **{field: value}).encode(), "").documents[0].content == expected


class Indented(yaml.SafeDumper):
    """Lists are indented below their names."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
