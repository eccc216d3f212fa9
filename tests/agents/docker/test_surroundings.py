"""What a container shares with others and with the machine, and what an engine of this age can't do for it."""

from __future__ import annotations

from typing import Any

import pytest
from docker.types import IPAMConfig, IPAMPool

from controller.agents.docker.abilities import refuse_unsupported
from controller.agents.docker.creation import create_config
from controller.engine.agent import Mark, Retry, Stalled
from resources.docker.parts import Attachment
from resources.kinds.container import Container
from resources.plan import Action
from tests.agents.docker.engine import BLOCK, RealContainers
from tests.agents.docker.test_fields import BASE, converge
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC

OLD, NEW = (1, 41), (1, 48)

# Two values of each field of an attachment but its name, on a network of one's own.
ATTACHMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "external": ({"external": False}, {}),
    "aliases": ({"aliases": ["db", "cache"]}, {"aliases": ["db"]}),
    "ipv4Address": ({"ipv4Address": f"{BLOCK}.71.9"}, {"ipv4Address": f"{BLOCK}.71.10"}),
    "ipv6Address": ({"ipv6Address": "fd00:71::9"}, {"ipv6Address": "fd00:71::10"}),
    "linkLocalIps": ({"linkLocalIps": ["169.254.8.9", "169.254.8.8"]}, {"linkLocalIps": ["169.254.8.7"]}),
    "driverOpts": ({"driverOpts": {"a": "1"}}, {"driverOpts": {"a": "2"}}),
    "macAddress": ({"macAddress": "02:42:AC:00:00:01"}, {"macAddress": "02:42:ac:00:00:02"}),
}
ATTACHMENTS_ELSEWHERE = {"name", "priority", "gwPriority"}


@pytest.fixture
def network(world: RealContainers) -> str:
    pools = [IPAMPool(f"{BLOCK}.71.0/24"), IPAMPool("fd00:71::/64")]
    name = f"{world.prefix}-net"
    world.engine.create_network(name, ipam=IPAMConfig(pool_configs=pools), enable_ipv6=True)
    return name


def test_every_field_of_an_attachment_is_tested() -> None:
    assert Attachment.model_fields.keys() == ATTACHMENTS.keys() | ATTACHMENTS_ELSEWHERE


@pytest.mark.parametrize("field", ATTACHMENTS)
def test_field_of_an_attachment_is_created_changed_and_dropped(
    field: str, network: str, world: RealContainers, keeper: Keeper
) -> None:
    def on(attachment: dict[str, Any]) -> Container:
        return world.resource("one", **BASE, networks=[{"name": network, "external": True, **attachment}])

    first, second = ATTACHMENTS[field]
    if field == "external":
        first, second = {"external": True}, {"external": True}
    for attachment in (first, second, first, {}):
        converge(world, keeper, on(attachment))


def test_host_name_is_no_alias_that_anybody_has_declared(network: str, world: RealContainers, keeper: Keeper) -> None:
    on = {"name": network, "external": True}
    converge(world, keeper, world.resource("one", **SPEC, hostname="db", networks=[{**on, "aliases": ["x"]}]))
    converge(world, keeper, world.resource("one", **SPEC, hostname="db", networks=[{**on, "aliases": ["db"]}]))


def test_first_network_is_that_of_the_highest_priority(network: str, world: RealContainers, keeper: Keeper) -> None:
    networks = [{"name": "bridge"}, {"name": network, "external": True, "priority": 10}]
    converge(world, keeper, resource := world.resource("one", **SPEC, networks=networks))
    assert world.inspect(resource)["HostConfig"]["NetworkMode"] == network


def test_links_find_others_on_a_network_of_ones_own_and_live(
    network: str, world: RealContainers, keeper: Keeper
) -> None:
    there = {"networks": [{"name": network, "external": True}]}
    keeper.make(db := world.resource("db", **SPEC, **there))
    converge(world, keeper, one := world.resource("one", **SPEC, **there, links={"store": db.container_name}))
    assert world.execute(one, "ping", "-c", "1", "store")
    moved = world.resource(
        "one", **SPEC, networks=[*there["networks"], {"name": "bridge"}], links={"store": db.container_name}
    )
    assert keeper.plan(moved).action is Action.UPDATE
    converge(world, keeper, moved)


def test_container_whose_network_is_shared_with_one_that_was_replaced_joins_the_new_one(
    world: RealContainers, keeper: Keeper
) -> None:
    keeper.make(host := world.resource("host", **SPEC))
    converge(world, keeper, guest := world.resource("guest", **SPEC, networkMode=f"container:{host.container_name}"))
    keeper.make(world.resource("host", **{**SPEC, "env": {"A": "2"}}))
    plan = keeper.plan(guest)
    assert plan.action is Action.REPLACE
    assert [change.path for change in plan.changes] == ["networkMode"]
    assert "(gone)" in str(plan.changes[0].observed)
    converge(world, keeper, guest)
    assert world.inspect(guest)["HostConfig"]["NetworkMode"] == f"container:{world.identity(host)}"


def test_companion_that_is_not_there_is_waited_for(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("guest", **SPEC, networkMode=f"container:{world.prefix}-host")
    assert isinstance(keeper.apply(keeper.steps(resource))[resource.key], Retry)
    keeper.make(world.resource("host", **SPEC))
    converge(world, keeper, resource)


def test_volumes_of_another_container_are_no_mounts_of_ones_own(world: RealContainers, keeper: Keeper) -> None:
    mounts = [{"type": "volume", "target": "/data"}]
    keeper.make(lender := world.resource("lender", **SPEC, volumes=mounts))
    own = {"volumes": [{"type": "bind", "source": "/tmp", "target": "/own"}]}
    converge(world, keeper, one := world.resource("one", **SPEC, **own, volumesFrom=[f"{lender.container_name}:ro"]))
    points = {point["Destination"]: point["RW"] for point in world.inspect(one)["Mounts"]}
    assert points == {"/own": True, "/data": False}


def test_platform_is_asked_for_and_compared(world: RealContainers, keeper: Keeper) -> None:
    converge(world, keeper, world.resource("one", **BASE, platform="linux/amd64"))
    plan = keeper.plan(other := world.resource("one", **BASE, platform="linux/s390x"))
    assert [(change.path, change.observed) for change in plan.changes] == [("platform", "linux/amd64")]
    failure = keeper.apply(keeper.steps(other))[other.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "ImageNotFound"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"annotations": {"a": "b"}},
            "cannot use annotations: it needs Docker 24 (API 1.43), and this engine has API 1.41",
        ),
        ({"healthcheck": {"startInterval": "1s"}}, "cannot use healthcheck.startInterval"),
        ({"volumes": [{"type": "volume", "target": "/x", "source": "v", "subpath": "a"}]}, "cannot use the subpath"),
        (
            {"volumes": [{"type": "bind", "target": "/x", "source": "/tmp", "recursive": "readonly"}]},
            "cannot use recursive: readonly of the mount at /x",
        ),
        ({"networks": [{"name": "a"}, {"name": "b", "macAddress": "02:42:ac:00:00:01"}]}, "which is not the first one"),
        ({"networks": [{"name": "a", "gwPriority": 1}]}, "cannot use the gwPriority of the network a"),
    ],
)
def test_what_an_older_engine_would_pass_over_is_refused_by_name(
    spec: dict[str, Any], message: str, world: RealContainers
) -> None:
    resource = world.resource("one", **BASE, **spec)
    with pytest.raises(Stalled, match="leave it out, or upgrade the engine") as refused:
        refuse_unsupported(resource, OLD)
    assert message in refused.value.message
    refuse_unsupported(resource, NEW)


def test_this_engine_refuses_what_it_can_not_do(world: RealContainers, keeper: Keeper) -> None:
    version = world.engine.version()["ApiVersion"]
    if tuple(map(int, version.split("."))) >= (1, 43):
        pytest.skip("this engine knows annotations")
    resource = world.resource("one", **BASE, annotations={"a": "b"})
    failure = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "Unsupported"
    assert keeper.look(resource).value is None


@pytest.mark.parametrize(
    ("mount", "problem"),
    [
        ({"selinux": "z", "recursive": "disabled"}, "selinux can't be had together with recursive"),
        ({"createHostPath": True, "source": "/tmp/a:b"}, "a colon in a path"),
    ],
)
def test_bind_that_can_not_be_written_is_refused(mount: dict[str, Any], problem: str, world: RealContainers) -> None:
    bind = {"type": "bind", "source": "/tmp", "target": "/x", **mount}
    with pytest.raises(Stalled, match=problem):
        refuse_unsupported(world.resource("one", **BASE, volumes=[bind]), OLD)


def test_newer_engine_is_told_what_it_can_do(world: RealContainers) -> None:
    resource = world.resource(
        "one",
        **BASE,
        annotations={"a": "b"},
        healthcheck={"startInterval": "2s"},
        storageOpt={"size": "1g"},
        cpuRtPeriod=1000000,
        cpuRtRuntime=950000,
        networks=[{"name": "a", "macAddress": "02:42:ac:00:00:01", "gwPriority": 5}],
        blkioConfig={"weight": 300, "weightDevice": {"/dev/sda": 400}},
        volumes=[
            {"type": "volume", "source": "v", "target": "/x", "subpath": "a/b"},
            {"type": "bind", "source": "/tmp", "target": "/y", "createHostPath": True, "recursive": "readonly"},
        ],
    )
    made = create_config(resource, Mark(resource.key, "i", 1, "d"), world.secrets, NEW)
    host = made["HostConfig"]
    assert host["Annotations"] == {"a": "b"}
    assert made["Healthcheck"] == {"StartInterval": 2_000_000_000}
    assert host["StorageOpt"] == {"size": "1g"}
    assert (host["CpuRealtimePeriod"], host["CpuRealtimeRuntime"]) == (1000000, 950000)
    assert made["NetworkingConfig"]["EndpointsConfig"]["a"] == {"GwPriority": 5, "MacAddress": "02:42:ac:00:00:01"}
    assert (host["BlkioWeight"], host["BlkioWeightDevice"]) == (300, [{"Path": "/dev/sda", "Weight": 400}])
    assert host["Mounts"][0]["VolumeOptions"] == {"Subpath": "a/b"}
    assert host["Mounts"][1]["BindOptions"] == {"CreateMountpoint": True, "ReadOnlyForceRecursive": True}


def test_port_of_the_engines_choice_stays_as_declared(world: RealContainers, keeper: Keeper) -> None:
    resource = world.resource("one", **SPEC, ports=["80", "127.0.0.1::81", "20340-20349:82"])
    converge(world, keeper, resource)
    published = world.inspect(resource)["NetworkSettings"]["Ports"]
    chosen = int(published["82/tcp"][0]["HostPort"])
    assert 20340 <= chosen <= 20349
    assert published["81/tcp"][0]["HostIp"] == "127.0.0.1"
    world.engine.restart(resource.container_name, timeout=0)
    assert keeper.plan(resource).empty


def test_missing_path_is_made_only_where_that_is_asked_for(world: RealContainers, keeper: Keeper) -> None:
    path = world.directory / "missing"
    bind = {"type": "bind", "source": str(path), "target": "/x"}
    resource = world.resource("one", **SPEC, volumes=[bind])
    failure = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(failure, Retry)
    assert failure.reason == "BindSourceMissing"
    converge(world, keeper, made := world.resource("one", **SPEC, volumes=[{**bind, "createHostPath": True}]))
    assert path.is_dir()
    assert keeper.plan(resource).empty, "whether the path was made is no property of the container"
    assert world.running(made)
