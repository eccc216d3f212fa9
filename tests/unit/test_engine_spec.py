"""`engine:` in a spec: whose names and ports are whose, what may refer to what, and who inherits it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.engine.diff import changed_fields
from resources.docker.engines import engine_of, on_engine
from resources.kinds import model_of
from resources.kinds.container import ContainerObserved
from resources.meta import API_VERSION, Claim, Resource


def resource(kind: str, name: str = "one", **spec: Any) -> Resource:
    model = model_of(kind)
    assert model
    header = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}}
    return model.model_validate({**header, "spec": spec})


def container(name: str = "one", **spec: Any) -> Resource:
    return resource("Container", name, image="nginx:1.27", **spec)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Container", {"image": "nginx:1.27", "ports": ["80:80"]}),
        ("Network", {}),
        ("Volume", {}),
        ("Image", {"image": "nginx:1.27"}),
    ],
)
def test_what_is_claimed_is_claimed_on_one_engine(kind: str, spec: dict[str, Any]) -> None:
    here, there = resource(kind, **spec), resource(kind, engine="nas", **spec)
    assert {claim.place for claim in here.claims()} == {""}
    assert {claim.place for claim in there.claims()} == {"nas"}
    for ours, theirs in zip(here.claims(), there.claims(), strict=True):
        assert not ours.collides(theirs)
        assert str(theirs) == f"{ours} on nas"


def test_container_lies_within_what_is_on_its_engine() -> None:
    spec: dict[str, Any] = {"networks": [{"name": "back", "external": True}]}
    assert Claim("network name", "back", place="nas") in container(engine="nas", **spec).within()
    assert Claim("image", "docker.io/library/nginx:1.27", place="nas") in container(engine="nas", **spec).within()


def test_reference_to_another_engine_is_unfit() -> None:
    web = container(engine="nas", networks=[{"name": "back"}])
    assert web.unfit(resource("Network", "back", engine="nas")) == ""
    why = web.unfit(resource("Network", "back"))
    assert why.startswith("cannot use Network/back, which Container/one needs")
    assert "the agent's own engine" in why


def test_order_may_cross_engines() -> None:
    assert container("web", engine="nas", dependsOn=["Container/db"]).unfit(container("db")) == ""


def test_engine_is_no_property_of_the_thing() -> None:
    changes = changed_fields(container(engine="nas").spec, None, ContainerObserved(image="nginx:1.27"))
    assert "engine" not in {change.path for change in changes}


def test_same_resource_can_be_put_on_an_engine() -> None:
    moved = on_engine(container(memory="64m"), "nas")
    assert engine_of(moved) == "nas"
    assert '"engine":"nas"' in moved.model_dump_json(exclude_unset=True)
    assert moved.key == container().key


def test_compose_project_is_on_its_engine_with_all_that_it_stands_for(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {web: {image: 'nginx:1.27', volumes: ['pages:/www']}}\nvolumes: {pages: {}}\n"
    )
    project = resource("Compose", "shop", files=[str(tmp_path / "compose.yaml")], engine="nas")
    children = list(project.expand(Path.read_bytes))
    assert {child.key.kind for child in children} >= {"Container", "Volume", "Network"}
    assert {engine_of(child) for child in children} == {"nas"}


@pytest.mark.parametrize("name", ["My NAS", "-x", "ssh://nas", "a" * 64])
def test_engine_is_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="engine"):
        container(engine=name)
