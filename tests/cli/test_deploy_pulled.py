"""`p2 deploy` of images that come from a registry: they are written down by digest, whatever their tags come to name."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.agents.worlds.docker import IMAGE, need_image
from tests.cli.repository import git
from tests.cli.shop import Shop
from tests.registry import RealRegistry

pytestmark = [pytest.mark.docker, pytest.mark.registry]


def declared(shop: Shop, name: str) -> None:
    """The shop is pulled instead of built."""
    image = {
        "apiVersion": "pegasus2.dev/v1", "kind": "Image", "metadata": {"name": shop.name},
        "spec": {"image": f"{name}:1", "updatePolicy": "tag", "interval": "1s"},
    }  # fmt: skip
    container = json.loads(shop.container(image=f"{name}:1", command=["sleep", "600"], stopSignal="SIGKILL"))
    del container["metadata"]["annotations"], container["spec"]["ports"]
    shop.edit("state/base/shop.yaml", "\n---\n".join(map(json.dumps, [image, container])))


def built(shop: Shop, tag: str) -> str:
    """Another image each time."""
    reference = f"{shop.image}:{tag}"
    text = f"FROM {IMAGE}\nLABEL test={shop.yard.prefix} version={tag}\n"
    for message in shop.yard.engine.build(fileobj=io.BytesIO(text.encode()), tag=reference, rm=True, decode=True):
        assert "error" not in message, message
    return reference


def test_the_digest_is_what_is_deployed_until_the_next_deployment(shop: Shop, plain_registry: RealRegistry) -> None:
    need_image(shop.yard.engine)
    path = f"{shop.yard.prefix}/pulled"
    name = f"{plain_registry.host}/{path}"
    first = plain_registry.push(shop.yard.engine, built(shop, "first"), path)
    declared(shop, name)
    try:
        done = shop.deploy()
        assert done.code == 0, done.out + done.err
        assert f"- name: {name}\n  digest: {first}\n" in shop.kustomization.read_text()
        one = shop.running()
        second = plain_registry.push(shop.yard.engine, built(shop, "second"), path)
        assert second != first
        assert shop.story.p2("apply", "state/overlays/staging").code == 0
        assert shop.running() == one
        done = shop.deploy()
        assert done.code == 0, done.out + done.err
        assert f"digest: {second}" in shop.kustomization.read_text()
        assert shop.running() != one
        assert shop.deployments()[0]["deployment"]["images"][0]["reference"] == f"{name}@{second}"
        git(shop.root, "revert", "--no-edit", "HEAD")
        assert shop.story.p2("apply", "state/overlays/staging").code == 0
        assert shop.running() == one
    finally:
        shop.yard.clear()
        for each in shop.yard.engine.images(name=name):
            shop.yard.engine.remove_image(each["Id"], force=True)


def test_what_is_in_no_registry_is_refused_and_changes_nothing(
    shop: Shop, plain_registry: RealRegistry, tmp_path: Path
) -> None:
    assert shop.deploy().code == 0
    running = shop.running()
    done = shop.deploy("--image", f"{shop.image}={plain_registry.host}/{shop.yard.prefix}/nothing:1")
    assert done.code == 1
    assert f"{plain_registry.host}/{shop.yard.prefix}/nothing:1" in done.err
    assert shop.running() == running
    assert shop.clean()
