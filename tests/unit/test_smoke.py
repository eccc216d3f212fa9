"""Which addresses a deployment asks."""

from __future__ import annotations

from collections.abc import Iterator

from controller.surfaces.cli.smoke import ANNOTATION, checks
from resources.kinds.container_set import ContainerSet
from resources.meta import Resource


def members(addresses: str) -> Iterator[Resource]:
    metadata = {"name": "web", "annotations": {ANNOTATION: addresses}}
    spec = {"replicas": 2, "template": {"image": "nginx"}}
    whole = ContainerSet.model_validate(
        {"apiVersion": "pegasus2.dev/v1", "kind": "ContainerSet", "metadata": metadata, "spec": spec}
    )
    yield whole
    yield from whole.expand(lambda path: b"")


def test_address_of_a_set_is_asked_once() -> None:
    found = checks(members("http://127.0.0.1/a http://127.0.0.1/b"))
    assert [(key.short, address) for key, address in found] == [
        ("Container/web-1", "http://127.0.0.1/a"),
        ("Container/web-1", "http://127.0.0.1/b"),
    ]
