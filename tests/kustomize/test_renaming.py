"""What refers to a resource follows its new name, which kubectl could not know; and images reach all kinds that name one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.kustomize.resolving import resolve
from resources.kustomize.scripts import Unresolvable

Spec = dict[str, Any]


def document(kind: str, name: str, spec: Spec, namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "pegasus2.dev/v1", "kind": kind, "metadata": metadata, "spec": spec}


def resolved(tmp_path: Path, files: dict[str, Any]) -> dict[str, Spec]:
    """The spec of each resource by its name, with its namespace if it has one. `files`: contents by path, `top` is resolved."""
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        documents = content if isinstance(content, list) else [content]
        (tmp_path / path).write_text(yaml.safe_dump_all(documents))
    found = resolve(tmp_path / "top", lambda path: path.read_bytes()).items
    return {f"{item.id.namespace}/{item.id.name}".removeprefix("default/"): item.content["spec"] for item in found}


SHOP = [
    document("Network", "front", {}),
    document("Volume", "files", {}),
    document("Container", "db", {"image": "postgres:16"}),
    document(
        "Container",
        "web",
        {
            "image": "shop/web:1",
            "dependsOn": ["Container/db", "Container/default/db", "Volume/elsewhere"],
            "networks": [{"name": "front"}, {"name": "front", "external": True}, {"name": "other"}],
            "volumes": [
                {"type": "volume", "source": "files", "target": "/f"},
                {"type": "bind", "source": "files", "target": "/b"},
            ],
            "pid": "container:db",
            "ipc": "host",
            "volumesFrom": ["db:ro", "container"],
            "links": {"database": "db"},
        },
    ),
    document("ContainerSet", "workers", {"dependsOn": ["Container/db"], "template": {"networks": [{"name": "front"}]}}),
]


def test_references_follow_a_prefix_and_nothing_else_changes(tmp_path: Path) -> None:
    found = resolved(
        tmp_path,
        {
            "top/kustomization.yaml": {"resources": ["all.yaml"], "namePrefix": "st-", "nameSuffix": "-x"},
            "top/all.yaml": SHOP,
        },
    )
    web = found["st-web-x"]
    assert web["dependsOn"] == ["Container/st-db-x", "Container/default/st-db-x", "Volume/elsewhere"]
    assert web["networks"] == [{"name": "st-front-x"}, {"name": "front", "external": True}, {"name": "other"}]
    assert [mount["source"] for mount in web["volumes"]] == ["st-files-x", "files"]
    assert (web["pid"], web["ipc"]) == ("container:st-db-x", "host")
    assert (web["volumesFrom"], web["links"]) == (["st-db-x:ro", "container"], {"database": "st-db-x"})
    workers = found["st-workers-x"]
    assert workers["dependsOn"] == ["Container/st-db-x"]
    assert workers["template"]["networks"] == [{"name": "st-front-x"}]


def test_references_follow_a_namespace(tmp_path: Path) -> None:
    found = resolved(
        tmp_path, {"top/kustomization.yaml": {"resources": ["all.yaml"], "namespace": "st"}, "top/all.yaml": SHOP}
    )
    assert found["st/web"]["dependsOn"] == ["Container/db", "Container/st/db", "Volume/elsewhere"]
    assert found["st/web"]["pid"] == "container:st-db"


def test_a_reference_by_a_name_of_before_follows_through_all_levels(tmp_path: Path) -> None:
    added = document("Container", "extra", {"dependsOn": ["Container/db", "Container/m-db"]})
    found = resolved(
        tmp_path,
        {
            "base/kustomization.yaml": {"resources": ["all.yaml"]},
            "base/all.yaml": SHOP,
            "middle/kustomization.yaml": {"resources": ["../base"], "namePrefix": "m-"},
            "top/kustomization.yaml": {"resources": ["../middle", "extra.yaml"], "namePrefix": "t-"},
            "top/extra.yaml": added,
        },
    )
    assert found["t-m-web"]["dependsOn"][0] == "Container/t-m-db"
    assert found["t-extra"]["dependsOn"] == ["Container/t-m-db", "Container/t-m-db"]


def test_a_name_that_two_had_before_is_left_as_it_is(tmp_path: Path) -> None:
    top = {"resources": ["../one", "../two", "extra.yaml"]}
    found = resolved(
        tmp_path,
        {
            "base/kustomization.yaml": {"resources": ["all.yaml"]},
            "base/all.yaml": SHOP,
            "one/kustomization.yaml": {"resources": ["../base"], "namePrefix": "one-"},
            "two/kustomization.yaml": {"resources": ["../base"], "namePrefix": "two-"},
            "top/kustomization.yaml": top,
            "top/extra.yaml": document("Container", "extra", {"dependsOn": ["Container/db"]}),
        },
    )
    assert found["extra"]["dependsOn"] == ["Container/db"]
    assert found["one-web"]["dependsOn"][0] == "Container/one-db"
    assert found["two-web"]["pid"] == "container:two-db"


def test_images_reach_what_runs_and_leave_alone_what_is_built_or_pulled(tmp_path: Path) -> None:
    documents = [
        document("Container", "web", {"image": "shop/web:1"}),
        document("ContainerSet", "set", {"template": {"image": "shop/web:1"}}),
        document("Image", "pulled", {"image": "shop/web:1"}),
        document("Image", "built", {"image": "shop/web:1", "build": {"context": "."}}),
    ]
    images = [{"name": "shop/web", "digest": "sha256:aa"}]
    found = resolved(
        tmp_path, {"top/kustomization.yaml": {"resources": ["all.yaml"], "images": images}, "top/all.yaml": documents}
    )
    assert found["web"]["image"] == found["set"]["template"]["image"] == "shop/web@sha256:aa"
    assert found["pulled"]["image"] == found["built"]["image"] == "shop/web:1"


def test_names_that_come_together_are_refused(tmp_path: Path) -> None:
    documents = [document("Network", "a", {}, "one"), document("Network", "a", {}, "two")]
    with pytest.raises(Unresolvable, match="cannot have Network/both/a twice"):
        resolved(
            tmp_path,
            {"top/kustomization.yaml": {"resources": ["all.yaml"], "namespace": "both"}, "top/all.yaml": documents},
        )


@pytest.mark.parametrize("tag", ["${ENVIRONMENT}", "v${VERSION:-1.2}", "${A}-${B:-x:y}"])
def test_an_image_whose_tag_is_a_variable_is_set_as_any_other(tag: str, tmp_path: Path) -> None:
    documents = [document("Container", "web", {"image": f"host:5000/shop/web:{tag}"})]
    images = [{"name": "host:5000/shop/web", "newTag": "2"}]
    files = {"top/kustomization.yaml": {"resources": ["all.yaml"], "images": images}, "top/all.yaml": documents}
    assert resolved(tmp_path, files)["web"]["image"] == "host:5000/shop/web:2"
