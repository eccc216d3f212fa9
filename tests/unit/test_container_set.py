"""A set stands for a container each; with `strategy: rolling` each waits for the one before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resources.kinds.container import Container
from resources.kinds.container_set import ContainerSet
from resources.load import load_text
from resources.meta import Key, inherited
from resources.parsed import digest_of


def container_set(namespace: str = "default", **spec: Any) -> ContainerSet:
    template = {"image": "nginx:1", **spec.pop("template", {})}
    metadata = {"name": "web", "namespace": namespace, "labels": {"app": "shop"}}
    document = {"apiVersion": "pegasus2.dev/v1", "kind": "ContainerSet", "metadata": metadata}
    return ContainerSet.model_validate({**document, "spec": {"template": template, **spec}}, context={"base": "/base"})


def children(**spec: Any) -> list[Container]:
    return list(container_set(**spec).expand(lambda path: b""))


def problem(**spec: Any) -> str:
    with pytest.raises(ValueError, match="cannot") as error:
        container_set(**spec)
    return str(error.value)


def test_containers_are_numbered_and_look_like_the_template() -> None:
    found = children(replicas=3, template={"memory": "64m", "env": {"A": "b"}, "envFile": ["app.env"]})
    assert [each.metadata.name for each in found] == ["web-1", "web-2", "web-3"]
    assert {(each.spec.image, each.spec.memory, each.spec.envFile) for each in found} == {
        ("nginx:1", "64m", ("/base/app.env",))
    }
    assert {str(each.metadata.labels) for each in found} == {"{'app': 'shop'}"}
    assert len({digest_of(each) for each in found}) == 3, "each has a name and a place of its own"


def test_child_is_what_the_same_spec_would_be_by_itself() -> None:
    [child] = children(template={"ports": ["80"], "volumes": [{"type": "bind", "source": "/a", "target": "/b"}]})
    loaded = load_text(child.model_dump_json(exclude_unset=True).encode(), "web.yaml", Path("/base"))
    assert loaded.problems == ()
    assert loaded.documents[0].resource == child
    assert loaded.documents[0].digest == digest_of(child)


def test_each_waits_for_the_one_before_it_when_they_roll() -> None:
    first, second, third = children(replicas=3, dependsOn=["Network/net"])
    net = Key("Network", "default", "net")
    assert first.dependencies() == {net}
    assert second.dependencies() == {net, first.key}
    assert third.dependencies() == {net, second.key}


def test_none_waits_for_another_when_they_are_recreated_at_once() -> None:
    assert [each.dependencies() for each in children(replicas=2, strategy="recreate")] == [frozenset(), frozenset()]


def test_the_chain_is_within_the_namespace() -> None:
    found = list(container_set("shop", replicas=2).expand(lambda path: b""))
    assert found[1].dependencies() == {Key("Container", "shop", "web-1")}
    assert found[1].container_name == "shop-web-2"


def test_all_answer_to_the_name_of_the_set_where_names_are_found_out() -> None:
    [child] = children(template={"networks": [{"name": "front", "aliases": ["www"]}, {"name": "back"}]})
    assert {each.name: each.aliases for each in child.spec.networks or ()} == {
        "front": ("web", "www"),
        "back": ("web",),
    }
    [lone] = children(template={"networks": [{"name": "none"}]})
    assert [each.aliases for each in lone.spec.networks or ()] == [None]


def test_what_all_kinds_have_in_common_is_inherited() -> None:
    common = {"suspend": True, "driftPolicy": "Report", "deletionPolicy": "Retain", "interval": "1m", "node": "atlas"}
    [child] = children(**common)
    assert inherited(child.spec) == common


def test_there_may_be_none() -> None:
    assert children(replicas=0) == []


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"template": {"containerName": "web"}}, "leave out containerName"),
        ({"template": {"dependsOn": ["Network/a"]}}, "cannot use dependsOn in a template"),
        ({"replicas": 2, "template": {"ports": ["8080:80"]}}, "a fixed host port from several"),
        ({"replicas": 2, "template": {"ports": ["8080-8081:80-81"]}}, "a fixed host port from several"),
        ({"replicas": 2, "template": {"networks": [{"name": "a", "ipv4Address": "10.0.0.2"}]}}, "fixed address"),
        (
            {"replicas": 2, "template": {"networks": [{"name": "a", "macAddress": "02:42:ac:11:65:43"}]}},
            "fixed address",
        ),
        ({"template": {"strategy": "startFirst", "ports": ["8080:80"]}}, "two can't hold it"),
        ({"template": {"strategy": "startFirst", "state": "completed"}}, "it would run beside itself"),
        ({"template": {"strategy": "startFirst", "networks": [{"name": "host"}]}}, "the machine's own network"),
    ],
)
def test_what_several_cannot_have_is_refused(spec: dict[str, Any], says: str) -> None:
    assert says in problem(**spec)


@pytest.mark.parametrize(
    "ports", [["80"], ["127.0.0.1::80"], ["8080-8089:80"], ["127.0.0.1:8080-8089:80/udp"], ["[::1]::80"]]
)
def test_host_ports_that_are_free_are_for_several(ports: list[str]) -> None:
    assert len(children(replicas=3, template={"ports": ports, "strategy": "startFirst"})) == 3


def test_one_may_have_a_fixed_port() -> None:
    [child] = children(template={"ports": ["8080:80"]})
    assert child.spec.ports == ("8080:80",)


def test_name_leaves_room_for_the_number() -> None:
    made = container_set(replicas=10)
    document = made.model_dump(mode="json", exclude_unset=True)
    document["metadata"]["name"] = "w" * 61
    with pytest.raises(ValueError, match="give the set a shorter name"):
        ContainerSet.model_validate(document)
