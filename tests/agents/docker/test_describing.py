"""Containers that nobody has declared, described as resources: to take them over, or to make them anew, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from docker.types import IPAMConfig, IPAMPool

from controller.agents.docker.client import connect
from controller.agents.docker.network import NetworkAgent
from controller.agents.docker.volume import VolumeAgent
from controller.engine.agent import Done, Stalled
from controller.engine.by_hand import Described, Describes
from resources.docker.confidence import looks_secret
from resources.kinds.container import Container
from resources.kinds.network import Network
from resources.kinds.volume import Volume
from resources.plan import Action
from tests.agents.docker.engine import BLOCK, RealContainers
from tests.agents.docker.test_fields import DISK, configuration
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE

SLEEP = ["sleep", "1000"]

# What the engine is asked for, as `docker run` asks, and the fields that say it. PREFIX stands for the test's own.
MADE: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}, {}),
    "environment": ({"Env": ["A=1", "EMPTY="]}, {}, {"env": {"A": "1", "EMPTY": ""}}),
    "entrypoint": ({"Entrypoint": ["sleep"], "Cmd": ["5"]}, {}, {"entrypoint": ("sleep",), "command": ("5",)}),
    "labels": ({"Labels": {"a": "b", "empty": ""}}, {}, {"labels": {"a": "b", "empty": ""}}),
    "names": (
        {"Hostname": "one", "Domainname": "example.com"},
        {"ExtraHosts": ["a:1.2.3.4", "a:1.2.3.5"]},
        {"hostname": "one", "domainname": "example.com", "extraHosts": {"a": "1.2.3.4,1.2.3.5"}},
    ),
    "name servers": (
        {},
        {"Dns": ["1.1.1.1"], "DnsSearch": ["x.y"], "DnsOptions": ["ndots:2"]},
        {"dns": ("1.1.1.1",), "dnsSearch": ("x.y",), "dnsOpt": ("ndots:2",)},
    ),
    "ports": (
        {"ExposedPorts": {"80/tcp": {}, "81/udp": {}, "82/tcp": {}, "90/tcp": {}}},
        {
            "PortBindings": {
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "20341"}],
                "81/udp": [{"HostIp": "", "HostPort": ""}],
                "82/tcp": [{"HostIp": "", "HostPort": "20342-20349"}],
            }
        },
        {"ports": ("127.0.0.1:20341:80", "81/udp", "20342-20349:82"), "expose": ("90",)},
    ),
    "all ports": ({}, {"PublishAllPorts": True}, {"publishAll": True}),
    "terminal": ({"OpenStdin": True, "Tty": True, "AttachStdin": True}, {}, {"stdinOpen": True, "tty": True}),
    "user": (
        {"User": "1000:1000", "WorkingDir": "/tmp"},
        {"GroupAdd": ["7"]},
        {"user": "1000:1000", "groupAdd": ("7",)},
    ),
    "stop": ({"StopSignal": "INT", "StopTimeout": 3}, {}, {"stopSignal": "SIGINT", "stopGracePeriod": "3s"}),
    "stop as usual": ({"StopSignal": "SIGTERM"}, {}, {}),
    "health": (
        {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000, "Retries": 2}},
        {},
        {"healthcheck": {"test": ("CMD", "true"), "interval": "5s", "retries": 2}},
    ),
    "no health": ({"Healthcheck": {"Test": ["NONE"]}}, {}, {"healthcheck": {"disable": True}}),
    "restart": ({}, {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}, {"restart": "on-failure:3"}),
    "memory": (
        {},
        {"Memory": 64 << 20, "MemorySwap": 128 << 20, "MemoryReservation": 32 << 20, "MemorySwappiness": 10},
        {"memory": "64m", "memReservation": "32m", "memSwappiness": 10},
    ),
    "swap": ({}, {"Memory": 64 << 20, "MemorySwap": -1}, {"memory": "64m", "memorySwap": "unlimited"}),
    "killing": ({}, {"OomKillDisable": True, "OomScoreAdj": 9}, {"oomKillDisable": True, "oomScoreAdj": 9}),
    "processors": ({}, {"NanoCpus": 300_000_000, "CpusetCpus": "0-1"}, {"cpus": 0.3, "cpuset": "0-1"}),
    "quota": (
        {},
        {"CpuPeriod": 50000, "CpuQuota": 20000, "CpuShares": 512},
        {"cpuPeriod": 50000, "cpuQuota": 20000, "cpuShares": 512},
    ),
    "limits": (
        {},
        {"PidsLimit": 20, "ShmSize": 8 << 20, "Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 6}]},
        {"pidsLimit": 20, "shmSize": "8m"},
    ),
    "block devices": (
        {},
        {"BlkioDeviceReadBps": [{"Path": DISK, "Rate": 1 << 20}]},
        {"blkioConfig": {"deviceReadBps": {DISK: "1m"}}},
    ),
    "spaces": (
        {},
        {"PidMode": "host", "IpcMode": "host", "UTSMode": "host", "UsernsMode": "host", "CgroupnsMode": "private"},
        {"pid": "host", "ipc": "host", "uts": "host", "usernsMode": "host", "cgroup": "private"},
    ),
    "rights": (
        {},
        {"CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
        {"capAdd": ("NET_ADMIN",), "capDrop": ("ALL",), "securityOpt": ("no-new-privileges", "seccomp=unconfined")},
    ),
    "all rights": ({}, {"Privileged": True}, {"privileged": True}),
    "open paths": ({}, {"MaskedPaths": [], "ReadonlyPaths": []}, {"securityOpt": ("systempaths=unconfined",)}),
    "devices": (
        {},
        {
            "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "r"}],
            "DeviceCgroupRules": ["c 1:3 mr"],
            "DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}],
        },
        {"devices": ("/dev/null:/dev/n:r",), "deviceCgroupRules": ("c 1:3 mr",)},
    ),
    "mounts": (
        {"Volumes": {"/anonymous": {}}},
        {
            "Binds": ["/tmp:/x:ro,z", "PREFIX-data:/data", "PREFIX_other:/other:nocopy"],
            "Mounts": [
                {"Type": "bind", "Source": "/tmp", "Target": "/y", "BindOptions": {"NonRecursive": True}},
                {"Type": "tmpfs", "Target": "/z", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}},
                {"Type": "volume", "Target": "/nameless"},
            ],
            "Tmpfs": {"/run": ""},
        },
        {"tmpfs": {"/run": ""}},
    ),
    "host": ({}, {"NetworkMode": "host"}, {"networks": [{"name": "host", "external": False}]}),
    "none": ({}, {"NetworkMode": "none"}, {"networks": [{"name": "none", "external": False}]}),
    "logs": ({}, {"LogConfig": {"Type": "local", "Config": {}}}, {"logging": {"driver": "local"}}),
    "small things": (
        {},
        {"ReadonlyRootfs": True, "Init": True, "Sysctls": {"net.core.somaxconn": "9"}, "CgroupParent": "/x"},
        {"readOnly": True, "init": True, "sysctls": {"net.core.somaxconn": "9"}, "cgroupParent": "/x"},
    ),
    "MAC address": ({"MacAddress": "02:42:AC:00:00:09"}, {}, {"macAddress": "02:42:ac:00:00:09"}),
}


def run(world: RealContainers, config: Mapping[str, Any], host: Mapping[str, Any], name: str = "one") -> str:
    """Makes a container that nobody has declared. Returns its id."""
    host = {**host, "Binds": [text.replace("PREFIX", world.prefix) for text in host.get("Binds", ())]}
    whole = {"Image": IMAGE, "Cmd": SLEEP, **config, "HostConfig": host}
    return str(world.engine.create_container_from_config(whole, f"{world.prefix}-{name}")["Id"])  # type: ignore[no-untyped-call]


def describe(world: RealContainers, *names: str, plain: bool = True) -> Described:
    assert isinstance(world.reader, Describes)
    return world.reader.describe([f"{world.prefix}-{name}" for name in names], {}, plain=plain)


def only(described: Described) -> Container:
    (found,) = [each for each in described.resources if isinstance(each, Container)]
    return found


def adopt(keeper: Keeper, resource: Any) -> None:
    """Nothing is to be changed, and nothing is."""
    plan = keeper.plan(resource)
    assert plan.action is Action.NONE, plan
    before = keeper.look(resource).handle
    keeper.succeed([keeper.adoption(resource)])
    assert keeper.look(resource).handle == before
    assert keeper.plan(resource).empty


@pytest.mark.parametrize("case", MADE)
def test_described_container_is_taken_over_as_it_is_and_made_anew_as_it_was(
    case: str, world: RealContainers, keeper: Keeper
) -> None:
    config, host, fields = MADE[case]
    if why := world.unable(*fields):
        pytest.skip(why)
    identity = run(world, config, host)
    described = describe(world, "one")
    resource = only(described)
    for name, value in fields.items():
        found = getattr(resource.spec, name)
        assert (found.model_dump(exclude_none=True) if hasattr(found, "model_dump") else plainly(found)) == value, name
    written = resource.spec.model_dump(exclude_defaults=True, exclude_none=True).keys()
    assert written >= fields.keys() | {"image", "command", "state", "adopt"}
    if case in ("nothing", "stop as usual"):
        assert written == {"image", "command", "state", "adopt"}
    assert described.notes == ()
    adopt(keeper, resource)
    assert world.identity(resource) == identity

    was = configuration(world, resource)
    for point in world.inspect(resource)["Mounts"]:
        assert point["Type"] != "volume" or point["Name"]
    world.engine.remove_container(identity)
    keeper.last.clear()
    keeper.make(resource)
    now = configuration(world, resource)
    assert comparable(now) == comparable(was)


def plainly(value: Any) -> Any:
    if isinstance(value, tuple) and value and hasattr(value[0], "model_dump"):
        return [each.model_dump(exclude_none=True) for each in value]
    return value


def comparable(made: Any) -> Any:
    """Less what says the same in another way."""
    config, host, policy, mounts = made
    ways = {"Binds", "Mounts", "Links", "ConsoleSize", "NetworkMode", "DeviceRequests"}
    says = {"AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce", "Volumes", "StopSignal", "MacAddress"}
    points = sorted((each["Destination"], each["Type"], each["RW"], each["Propagation"]) for each in mounts)
    empty: tuple[Any, ...] = (None, [], {}, "", 0, False)
    return (
        {name: value for name, value in config.items() if name not in says and value not in empty},
        {name: value for name, value in host.items() if name not in ways and value not in empty},
        policy,
        points,
    )


def test_networks_and_volumes_are_described_with_the_containers_that_use_them(
    world: RealContainers, keeper: Keeper
) -> None:
    pools = IPAMConfig(pool_configs=[IPAMPool(f"{BLOCK}.61.0/24", iprange=f"{BLOCK}.61.128/25")])
    world.engine.create_network(f"{world.prefix}-chosen", ipam=pools, internal=True, labels={"a": "b"})
    world.engine.create_network(f"{world.prefix}_left")
    world.engine.create_volume(f"{world.prefix}_data", driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})
    host = {"NetworkMode": f"{world.prefix}_left", "Binds": ["PREFIX_data:/data"]}
    identity = run(world, {}, host)
    world.engine.connect_container_to_network(
        identity, f"{world.prefix}-chosen", ipv4_address=f"{BLOCK}.61.9", aliases=["db"]
    )
    described = describe(world, "one")
    assert described.notes == ()
    networks = {each.network_name: each for each in described.resources if isinstance(each, Network)}
    (volume,) = [each for each in described.resources if isinstance(each, Volume)]
    left, chosen = networks[f"{world.prefix}_left"], networks[f"{world.prefix}-chosen"]
    assert (left.metadata.name, left.spec.subnet, left.spec.ipam) == (f"{world.prefix}-left", None, None)
    assert chosen.spec.networkName is None
    assert chosen.spec.ipam is not None and chosen.spec.ipam.config is not None
    assert chosen.spec.ipam.config[0].ipRange == f"{BLOCK}.61.128/25"
    assert (chosen.spec.internal, chosen.spec.labels) == (True, {"a": "b"})
    assert volume.spec.options == {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    resource = only(described)
    attachments = {each.name: each for each in resource.spec.networks or ()}
    assert attachments[f"{world.prefix}_left"].external
    assert attachments[f"{world.prefix}_left"].priority == 1, "it was made in that one"
    assert not attachments[f"{world.prefix}-chosen"].external
    assert attachments[f"{world.prefix}-chosen"].ipv4Address == f"{BLOCK}.61.9"
    adopt(keeper, resource)
    setup = world.setup()
    for each, agent in ((left, NetworkAgent), (chosen, NetworkAgent), (volume, VolumeAgent)):
        adopt(Keeper(world, agent(connect(setup), setup)), each)
    assert world.identity(resource) == identity


def test_containers_that_share_something_refer_to_each_other_by_name(world: RealContainers, keeper: Keeper) -> None:
    run(world, {}, {}, "host")
    world.engine.start(f"{world.prefix}-host")
    other = f"container:{world.prefix}-host"
    run(world, {}, {"NetworkMode": other, "PidMode": other, "VolumesFrom": [f"{world.prefix}-host:ro"]})
    run(world, {}, {"Links": [f"{world.prefix}-host:db"]}, "linked")
    described = describe(world, "one", "linked")
    one, linked = (each for each in sorted(described.resources, key=lambda each: each.metadata.name, reverse=True))
    if one.metadata.name.endswith("linked"):
        one, linked = linked, one
    assert isinstance(one, Container) and isinstance(linked, Container)
    assert (one.spec.networkMode, one.spec.pid, one.spec.volumesFrom) == (other, other, (f"{world.prefix}-host:ro",))
    assert linked.spec.links == {"db": f"{world.prefix}-host"}
    adopt(keeper, one)
    adopt(keeper, linked)


def test_what_the_image_supplies_is_left_out(world: RealContainers, keeper: Keeper) -> None:
    image = world.build(
        "full",
        "ENV COLOR=blue SHAPE=round",
        "LABEL tier=web",
        "EXPOSE 80",
        "USER 7",
        "WORKDIR /srv",
        "VOLUME /data",
        "STOPSIGNAL SIGUSR1",
        "HEALTHCHECK CMD true",
        'ENTRYPOINT ["sleep"]',
        'CMD ["1000"]',
    )
    run(world, {"Image": image, "Cmd": None, "Env": ["COLOR=red"]}, {})
    resource = only(describe(world, "one"))
    written = resource.spec.model_dump(exclude_defaults=True, exclude_none=True)
    assert written == {"image": image, "env": {"COLOR": "red"}, "state": "stopped", "adopt": True}
    adopt(keeper, resource)


def test_entrypoint_that_was_taken_away_stays_away(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("entry", 'ENTRYPOINT ["sleep"]')
    run(world, {"Image": image, "Entrypoint": [""]}, {})
    resource = only(describe(world, "one"))
    assert (resource.spec.entrypoint, resource.spec.command) == ((), ("sleep", "1000"))
    adopt(keeper, resource)


def test_container_of_an_image_without_its_name_is_described_by_the_name(world: RealContainers, keeper: Keeper) -> None:
    image = world.build("named", "ENV A=1")
    run(world, {"Image": world.engine.inspect_image(image)["Id"]}, {})
    resource = only(describe(world, "one"))
    assert resource.spec.image == image
    adopt(keeper, resource)


def test_container_of_an_older_image_than_its_tag_names_is_said_to_be_replaced(world: RealContainers) -> None:
    image = world.build("moving", "ENV A=1")
    run(world, {"Image": image}, {})
    world.build("moving", "ENV A=2")
    described = describe(world, "one")
    assert "runs an older image than its tag" in "\n".join(described.notes)


def test_name_that_is_no_label_is_made_one_and_kept(world: RealContainers, keeper: Keeper) -> None:
    for name in ("A_b.c", "a-b-c"):
        run(world, {}, {}, name)
    found = describe(world, "A_b.c", "a-b-c").resources
    assert {each.metadata.name: each.spec.model_dump().get("containerName") for each in found} == {
        f"{world.prefix}-a-b-c": f"{world.prefix}-A_b.c",
        f"{world.prefix}-a-b-c-2": f"{world.prefix}-a-b-c",
    }
    for each in found:
        adopt(keeper, each)


def test_secret_values_are_not_described_but_referred_to(world: RealContainers) -> None:
    env = ["DB_PASSWORD=hunter2", "URL=postgres://shop:hunter2@db/shop", "TZ=UTC", "API_KEY_FILE=/run/key"]
    run(world, {"Env": env}, {})
    hidden, shown = describe(world, "one", plain=False), describe(world, "one")
    resource, name = only(hidden), f"{world.prefix}-one"
    assert "hunter2" not in repr(hidden) + resource.model_dump_json()
    assert resource.spec.env == {"TZ": "UTC", "API_KEY_FILE": "/run/key"}
    references = {variable: str(ref) for variable, ref in (resource.spec.secretEnv or {}).items()}
    assert references == {"DB_PASSWORD": f"(secret {name}/DB_PASSWORD)", "URL": f"(secret {name}/URL)"}
    assert hidden.secrets == ((name, "DB_PASSWORD", f"{name}/DB_PASSWORD"), (name, "URL", f"{name}/URL"))
    assert (only(shown).spec.env or {})["DB_PASSWORD"] == "hunter2"
    assert shown.secrets == ()


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("PASSWORD", "x", True),
        ("PGPASSWORD", "x", True),
        ("githubToken", "x", True),
        ("AWS_SECRET_ACCESS_KEY", "x", True),
        ("API_KEY", "x", True),
        ("DSN", "x", True),
        ("DATABASE_URL", "redis://:secret@cache:6379/0", True),
        ("DATABASE_URL", "redis://cache:6379/0", False),
        ("PASSWORD", "", False),
        ("PASSWORD_FILE", "/run/secrets/x", False),
        ("PWD", "/srv", False),
        ("KEYBOARD", "us", False),
        ("MONKEY", "1", False),
        ("TZ", "UTC", False),
    ],
)
def test_variables_that_look_secret_are_told_by_their_words(name: str, value: str, secret: bool) -> None:
    assert looks_secret(name, value) is secret


def test_what_can_not_be_kept_is_said(world: RealContainers) -> None:
    host = {"AutoRemove": True, "CpusetMems": "0", "SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']}
    run(world, {}, host)
    described = describe(world, "one")
    notes = "\n".join(described.notes)
    for said in ("made with --rm", "--cpuset-mems can't be declared", "write its seccomp profile into a file"):
        assert said in notes
    assert only(described).spec.securityOpt is None


def test_container_that_is_ours_is_left_out_and_one_that_is_not_there_is_an_error(
    world: RealContainers, keeper: Keeper
) -> None:
    keeper.make(resource := world.resource("one", image=IMAGE, command=SLEEP, pullPolicy="never", state="stopped"))
    described = describe(world, "one")
    assert described.resources == ()
    assert described.notes == (f"{resource.container_name} is {resource.key.short} already, and is left out",)
    with pytest.raises(Stalled, match="cannot find the container"):
        describe(world, "nobody")


def test_services_that_come_first_are_dependencies(world: RealContainers) -> None:
    def labels(service: str, first: str) -> dict[str, str]:
        names = {"project": world.prefix, "service": service, "depends_on": first, "image": "sha256:0"}
        return {f"com.docker.compose.{name}": value for name, value in names.items()}

    run(world, {"Labels": labels("web", "db:service_healthy:false,gone:service_started:false")}, {}, "web-1")
    run(world, {"Labels": labels("db", "")}, {}, "db-1")
    web, db = describe(world, "db-1", "web-1").resources[::-1]
    assert web.spec.dependsOn == (f"Container/{db.metadata.name}",)
    assert "com.docker.compose.service" in (web.spec.model_dump()["labels"] or {})
    assert "com.docker.compose.image" not in (web.spec.model_dump()["labels"] or {})


def test_done_of_an_adoption_is_the_container_that_was_there(world: RealContainers, keeper: Keeper) -> None:
    identity = run(world, {}, {})
    resource = only(describe(world, "one"))
    outcome = keeper.apply([keeper.adoption(resource)])[resource.key]
    assert isinstance(outcome, Done)
    assert outcome.handle == identity
