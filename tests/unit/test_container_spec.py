"""What a container, a network and a volume may declare, what they claim and what they refer to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from resources.kinds.container import Container, ContainerSpec
from resources.kinds.network import Network, NetworkSpec
from resources.kinds.volume import Volume
from resources.meta import API_VERSION, Claim, Key


def container(namespace: str = "default", **spec: Any) -> Container:
    metadata = {"name": "web", "namespace": namespace}
    document = {
        "apiVersion": API_VERSION,
        "kind": "Container",
        "metadata": metadata,
        "spec": {"image": "nginx", **spec},
    }
    return Container.model_validate(document, context={"base": "/manifests"})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"image": "Nginx"}, 'cannot read the image "Nginx"'),
        ({"restart": False}, 'write "no" in quotes'),
        ({"restart": "sometimes"}, "restart"),
        ({"command": []}, "give the entrypoint, too"),
        ({"env": {"A": "1"}, "secretEnv": {"A": {"env": "A"}}}, "cannot set A both in env and in secretEnv"),
        ({"env": {"A=B": "1"}}, 'cannot use "A=B" as the name'),
        ({"env": {"A": 1}}, "valid string"),
        ({"memorySwap": "1g"}, "cannot limit memorySwap without memory"),
        ({"state": "completed", "restart": "always"}, "cannot complete with restart: always"),
        ({"readyTimeout": "0s"}, "cannot be Ready within 0s"),
        ({"readyTimeout": "5s", "minReadySeconds": 5}, "give readyTimeout more than minReadySeconds"),
        ({"readyTimeout": "soon"}, 'cannot read the duration "soon"'),
        ({"containerName": "web.p2-new"}, "Pegasus2 names containers so"),
        ({"volumes": [{"type": "tmpfs", "target": "/x"}, {"type": "tmpfs", "target": "/x/"}]}, "two things at /x"),
        ({"volumes": [{"type": "tmpfs", "target": "/x"}], "tmpfs": {"/x": ""}}, "two things at /x"),
        ({"volumes": [{"type": "bind", "target": "/x"}]}, "cannot mount without source"),
        ({"volumes": [{"type": "tmpfs", "target": "/x", "source": "y"}]}, "cannot use source with type: tmpfs"),
        ({"volumes": [{"type": "tmpfs", "target": "x"}]}, 'cannot use the path "x" in a container'),
        ({"networks": []}, "at least 1"),
        ({"networks": [{"name": "a"}, {"name": "a"}]}, "cannot connect twice to the network a"),
        ({"networks": [{"name": "a"}, {"name": "host"}]}, "cannot combine the network host with others"),
        ({"networks": [{"name": "bridge", "aliases": ["x"]}]}, "cannot give aliases or addresses"),
        ({"networks": [{"name": "container:x"}]}, "give the name of a network"),
        ({"networks": [{"name": "a", "ipv4Address": "10.0.0"}]}, "networks.0.ipv4Address"),
        ({"labels": {"pegasus2.dev/key": "x"}}, "Pegasus2's own"),
        ({"healthcheck": {"test": ["curl", "x"]}}, "the first word is CMD or CMD-SHELL"),
        ({"healthcheck": {"test": ["CMD", "x"], "disable": True}}, "cannot both disable"),
        ({"devices": ["null"]}, 'cannot read the device "null"'),
        ({"ports": ["80/icmp"]}, 'cannot read the port "80/icmp"'),
        ({"networkMode": "container:db", "ports": ["80:80"]}, "cannot have ports of its own beside networkMode"),
        ({"networkMode": "host"}, "host, none and bridge stand in networks"),
        ({"cpus": 1, "cpuQuota": 50000}, "cannot set cpus beside cpuQuota"),
        ({"uts": "host", "hostname": "web"}, "cannot have a hostname of its own with uts: host"),
        (
            {"macAddress": "02:00:00:00:00:01", "networks": [{"name": "a", "macAddress": "02:00:00:00:00:02"}]},
            "cannot set macAddress both",
        ),
        ({"cpuset": "3-1"}, "ranges go upwards"),
        ({"extraHosts": {"db": "db.example"}}, "write an IP address or host-gateway"),
        ({"links": {"db x": "db"}}, "cannot use this name for another container"),
        ({"deviceRequests": [{"capabilities": ["gpu"], "count": 1, "deviceIds": ["0"]}]}, "give count or deviceIds"),
        ({"volumes": [{"type": "bind", "source": "/x", "target": "/x", "nocopy": True}]}, "cannot use nocopy with"),
        ({"cpus": 0}, "greater than or equal to 0.01"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_contradiction_is_named(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        ContainerSpec.model_validate({"image": "nginx", **spec})
    assert message in str(error.value)


def test_name_and_published_ports_are_claimed() -> None:
    claims = set(container(ports=["8080:80", "127.0.0.1:53:53/udp", "0.0.0.0:443:443"]).claims())
    assert claims == {
        Claim("container name", "web"),
        Claim("host port", "8080/tcp"),
        Claim("host port", "443/tcp"),
        Claim("host port", "53/udp", "127.0.0.1"),
    }
    assert Claim("container name", "other") in container(containerName="other").claims()
    assert Claim("container name", "shop-web") in container("shop").claims()


def test_networks_and_volumes_are_referred_to_unless_they_are_not_ours() -> None:
    resource = container(
        "shop",
        networks=[{"name": "back"}, {"name": "old", "external": True}, {"name": "bridge"}],
        volumes=[
            {"type": "volume", "source": "data", "target": "/data"},
            {"type": "volume", "source": "old", "target": "/old", "external": True},
            {"type": "volume", "target": "/anonymous"},
            {"type": "bind", "source": "/srv", "target": "/srv"},
        ],
    )
    assert set(resource.references()) == {Key("Network", "shop", "back"), Key("Volume", "shop", "data")}
    assert [resource.network_name(each) for each in resource.spec.networks or ()] == ["shop-back", "bridge", "old"]
    mounted = {each.target: resource.volume_name(each) for each in resource.spec.volumes or () if each.type == "volume"}
    assert mounted == {"/data": "shop-data", "/old": "old", "/anonymous": ""}


def test_what_is_named_as_the_engine_names_it_comes_first_if_it_is_declared() -> None:
    resource = container(
        pid="container:db",
        ipc="host",
        links={"cache": "shop-cache-1"},
        volumesFrom=["data:ro"],
        networks=[{"name": "shop_default", "external": True}, {"name": "back"}],
        volumes=[{"type": "volume", "source": "shop_data", "target": "/data", "external": True}],
    )
    assert {place for place in resource.within() if place.what != "image"} == {
        Claim("container name", "db"),
        Claim("container name", "shop-cache-1"),
        Claim("container name", "data"),
        Claim("network name", "shop_default"),
        Claim("volume name", "shop_data"),
    }
    network = Network.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "Network",
            "metadata": {"name": "shop-default"},
            "spec": {"networkName": "shop_default"},
        }
    )
    assert list(network.claims()) == [Claim("network name", "shop_default")]


def test_ports_of_the_engines_choice_belong_to_nobody() -> None:
    claims = {claim.value for claim in container(ports=["80", "127.0.0.1::81", "8000-8010:82", "83:83"]).claims()}
    assert claims == {"web", "83/tcp"}


def test_paths_start_at_the_manifest() -> None:
    resource = container(
        envFile=["app.env"],
        volumes=[{"type": "bind", "source": "./data", "target": "/data"}],
        securityOpt=["seccomp=profile.json", "seccomp=unconfined"],
    )
    assert resource.spec.envFile == ("/manifests/app.env",)
    assert resource.spec.volumes is not None
    assert resource.spec.volumes[0].source == "/manifests/data"
    assert sorted(map(str, resource.inputs())) == ["/manifests/app.env", "/manifests/profile.json"]


def test_spec_survives_being_kept_as_text() -> None:
    resource = container(
        ports=["8000-8001:80-81"],
        memory="1Gi",
        healthcheck={"interval": "60s"},
        ulimits={"nofile": {"soft": 1, "hard": 2}},
        volumes=[{"type": "bind", "source": "data", "target": "/data"}],
        secretEnv={"A": {"secret": {"name": "a", "key": "b"}}},
    )
    assert Container.model_validate_json(resource.model_dump_json(exclude_unset=True)) == resource


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"subnet": "10.0.0.1/24"}, 'cannot use the subnet "10.0.0.1/24"'),
        ({"gateway": "10.0.0.1"}, "cannot set the gateway without subnet"),
        ({"subnet": "10.0.0.0/24", "gateway": "10.0.1.1"}, "is not in the subnet"),
    ],
    ids=str,
)
def test_contradiction_in_a_network_is_named(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        NetworkSpec.model_validate(spec)
    assert message in str(error.value)


def test_networks_and_volumes_claim_their_names() -> None:
    header = {"apiVersion": API_VERSION, "metadata": {"name": "back", "namespace": "shop"}, "spec": {}}
    assert list(Network.model_validate({**header, "kind": "Network"}).claims()) == [Claim("network name", "shop-back")]
    assert list(Volume.model_validate({**header, "kind": "Volume"}).claims()) == [Claim("volume name", "shop-back")]


def test_network_that_every_engine_has_cannot_be_declared() -> None:
    document = {"apiVersion": API_VERSION, "kind": "Network", "metadata": {"name": "bridge"}, "spec": {}}
    with pytest.raises(ValidationError, match="every engine has it already"):
        Network.model_validate(document)


@pytest.mark.parametrize(
    ("spec", "within", "back"),
    [
        ({}, 300.0, None),
        ({"readyTimeout": "1m30s", "rollback": True}, 90.0, True),
        ({"rollback": False}, 300.0, False),
        ({"minReadySeconds": 20}, 320.0, None),
        ({"minReadySeconds": 20, "healthcheck": {"test": ["CMD", "true"], "startPeriod": "10m"}}, 900.0, None),
        ({"state": "stopped"}, 300.0, None),
        ({"state": "completed"}, None, False),
        ({"state": "completed", "rollback": True}, None, True),
        ({"state": "completed", "readyTimeout": "1h"}, 3600.0, False),
    ],
    ids=str,
)
def test_deadline_and_way_back_of_an_edit(spec: dict[str, Any], within: float | None, back: bool | None) -> None:
    found = container(**spec)
    assert (found.ready_within(), found.rolls_back()) == (within, back)
