"""Every field of a container: created, it equals its spec; changed, that is seen and healed; dropped, it goes back.

The property that counts is that nothing differs after an apply: a difference that never ends is the worst that a tool
like this can do to its users.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from resources.docker.parts import BlkioConfig, DeviceRequest, Healthcheck, Logging, Mount, Ulimit
from resources.kinds.container import Container, ContainerSpec
from resources.meta import COMMON_FIELDS, Model
from resources.plan import Action, Why
from tests.agents.docker.engine import RealContainers, free_port
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE

DISK = "/dev/vda"  # the engine does not ask whether there is one until the container starts

# Two values for each field, as people write them: not in the canonical form where there is one.
FIELDS: dict[str, tuple[Any, Any]] = {
    "command": (["sleep", "1000"], ["sleep", "2000", ""]),
    "entrypoint": (["/bin/sleep"], ["sh", "-c"]),
    "env": ({"A": "1", "B": "x=y z"}, {"A": "2"}),
    "ports": (
        ["18080-18081:80-81", "127.0.0.1:18053:53/udp", "90", "127.0.0.1::91", "18100-18110:92"],
        ["[::1]:18080:80/tcp"],
    ),
    "volumes": (
        [
            {"type": "tmpfs", "target": "/scratch/", "size": "1Mi", "mode": "1770"},
            {"type": "volume", "target": "/anonymous"},
            {"type": "bind", "source": "/tmp", "target": "/host", "readOnly": True, "propagation": "rslave"},
            {"type": "bind", "source": "/tmp", "target": "/flat", "recursive": "disabled"},
            {"type": "bind", "source": "/tmp", "target": "/labelled", "readOnly": True, "selinux": "z"},
            {"type": "bind", "source": "/tmp", "target": "/made", "createHostPath": True},
            {"type": "volume", "target": "/empty", "nocopy": True},
        ],
        [{"type": "bind", "source": "/tmp", "target": "/host"}],
    ),
    "tmpfs": ({"/run": "size=1m,mode=755"}, {"/run": ""}),
    "hostname": ("one", "two"),
    "extraHosts": ({"db": "10.0.0.1,10.0.0.9", "six": "fd00::1", "gate": "host-gateway"}, {"db": "10.0.0.2"}),
    "dns": (["10.0.0.53", "10.0.0.54"], ["10.0.0.54", "10.0.0.53"]),
    "restart": ("on-failure:3", "always"),
    "healthcheck": (
        {"test": ["CMD", "true"], "interval": "60s", "timeout": "1500ms", "retries": 2, "startPeriod": "1m30s"},
        {"test": ["CMD-SHELL", "true || false"], "interval": "1h"},
    ),
    "stopSignal": ("usr1", "9"),
    "stopGracePeriod": ("1500ms", "0s"),
    "memory": ("0.125Gi", "64m"),
    "cpus": (0.3333333333, 1),
    "pidsLimit": (50, 60),
    "shmSize": ("16Mi", "1g"),
    "ulimits": (
        {"nofile": {"soft": 1000, "hard": 2000}, "core": {"soft": 0, "hard": -1}},
        {"nofile": {"soft": 1, "hard": 2}},
    ),
    "sysctls": ({"net.ipv4.ip_forward": "1"}, {"net.ipv4.ip_forward": "0"}),
    "devices": (["/dev/null:/dev/void"], ["/dev/null:/dev/void:r", "/dev/zero"]),
    "user": ("1000:1000", "nobody"),
    "workingDir": ("/tmp/", "/"),
    "labels": ({"a": "1", "b": ""}, {"a": "2"}),
    "logging": ({"driver": "json-file", "options": {"max-size": "1m"}}, {"driver": "none"}),
    "readOnly": (True, False),
    "init": (True, False),
    "privileged": (True, False),
    "capAdd": (["net_admin", "CAP_SYS_TIME"], ["ALL"]),
    "capDrop": (["ALL"], ["chown"]),
    "securityOpt": (["no-new-privileges:true", "label:disable", "systempaths:unconfined"], ["no-new-privileges"]),
    "memReservation": ("16Mi", "8m"),
    "memSwappiness": (10, 0),
    "oomKillDisable": (True, False),
    "oomScoreAdj": (500, -100),
    "cpuset": ("0,1", "0"),
    "cpuShares": (512, 2048),
    "cpuPeriod": (50000, 20000),
    "cpuQuota": (25000, 5000),
    "domainname": ("example.com", "example.net"),
    "macAddress": ("02:42:AC:11:65:43", "02:42:ac:11:65:44"),
    "dnsSearch": (["a.example", "b.example"], ["."]),
    "dnsOpt": (["ndots:2", "rotate"], ["ndots:1"]),
    "expose": (["3000", "8000-8001/udp"], ["3000"]),
    "publishAll": (True, False),
    "pid": ("host", "container:COMPANION"),
    "ipc": ("shareable", "host"),
    "uts": ("host", None),
    "usernsMode": ("host", None),
    "cgroup": ("private", "host"),
    "cgroupParent": ("/p2test", "/p2other"),
    "groupAdd": (["1001", "1000"], ["audio"]),
    "deviceCgroupRules": (["c 1:3 mr", "a 7:* rmw"], ["c 1:3 mr"]),
    "deviceRequests": (
        [{"capabilities": ["gpu", "compute"], "count": -1}],
        [{"capabilities": ["gpu"], "driver": "nvidia", "deviceIds": ["1", "0"], "options": {"a": "b"}}],
    ),
    "stdinOpen": (True, False),
    "tty": (True, False),
    "runtime": ("io.containerd.runc.v2", "runc"),
    "networkMode": ("container:COMPANION", None),
    "volumesFrom": (["COMPANION:ro"], ["COMPANION"]),
    "links": ({"db": "COMPANION"}, {"cache": "COMPANION"}),
    "blkioConfig": (
        {
            "deviceReadBps": {DISK: "1024k"},
            "deviceWriteBps": {DISK: "1m"},
            "deviceReadIops": {DISK: 9},
            "deviceWriteIops": {DISK: 9},
        },
        {"deviceReadBps": {DISK: "2m"}},
    ),
}
# Those with needs of their own are tested below; those that the engine knows nothing of can't differ.
ELSEWHERE = {
    *("image", "state", "containerName", "networks", "secretEnv", "envFile", "memorySwap", "platform"),
    *("annotations", "storageOpt", "cpuRtPeriod", "cpuRtRuntime", "files"),
}
NOT_IN_THE_WORLD = {"pullPolicy", "minReadySeconds", "readyTimeout", "rollback", "strategy"}

BASE: dict[str, Any] = {"image": IMAGE, "pullPolicy": "never", "state": "stopped"}


# Fields of parts, likewise.
PARTS_ELSEWHERE = {
    Healthcheck: {"startInterval", "disable"},
    Mount: {"subpath", "external", "onChange", "signal"},
    BlkioConfig: {"weight", "weightDevice"},  # few kernels have them
}


def test_every_field_is_tested() -> None:
    own = ContainerSpec.model_fields.keys() - COMMON_FIELDS - ContainerSpec.apart
    assert own == FIELDS.keys() | ELSEWHERE | NOT_IN_THE_WORLD


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("healthcheck", Healthcheck),
        ("volumes", Mount),
        ("ulimits", Ulimit),
        ("logging", Logging),
        ("deviceRequests", DeviceRequest),
        ("blkioConfig", BlkioConfig),
    ],
)
def test_every_field_of_a_part_is_tested(field: str, part: type[Model]) -> None:
    written = json.dumps(FIELDS[field])
    assert {name for name in part.model_fields if f'"{name}"' not in written} == PARTS_ELSEWHERE.get(part, set())


@pytest.mark.parametrize("field", FIELDS)
def test_field_is_created_seen_healed_and_dropped(field: str, world: RealContainers, keeper: Keeper) -> None:
    if why := world.unable(field):
        pytest.skip(why)
    wanted, other = (world.resource("one", **BASE, **filled(world, field, value)) for value in FIELDS[field])
    plain = world.resource("one", **BASE)
    if "COMPANION" in json.dumps(FIELDS[field]):
        keeper.make(world.resource("companion", **{**BASE, "command": ["sleep", "1000"], "state": "running"}))

    converge(world, keeper, wanted)

    converge(world, keeper, other)  # as if somebody had made the container anew by hand
    keeper.last[wanted.key] = wanted
    plan = keeper.plan(wanted)
    assert {change.path.partition(".")[0] for change in plan.changes} == {field}
    assert {change.why for change in plan.changes} <= {Why.DRIFTED}
    converge(world, keeper, wanted)

    plan = keeper.plan(plain)
    assert {change.path.partition(".")[0] for change in plan.changes} == {field}
    assert {change.why for change in plan.changes} == {Why.DROPPED}
    converge(world, keeper, plain)
    keeper.make(fresh := world.resource("two", **BASE))
    assert configuration(world, plain) == configuration(world, fresh)


def filled(world: RealContainers, field: str, value: Any) -> dict[str, Any]:
    """The field with the name of another container where it has to stand; nothing where there is no value."""
    if value is None:
        return {}
    text = json.dumps(value).replace("COMPANION", f"{world.prefix}-companion")
    return {field: json.loads(text)}


def test_all_fields_together_run_and_equal_their_spec(world: RealContainers, keeper: Keeper) -> None:
    apart = {"privileged", "networkMode", "uts", "cpuPeriod", "cpuQuota", "deviceRequests", "blkioConfig", "links"}
    values: dict[str, Any] = {}
    for field in (each for each in FIELDS if each not in apart and not world.unable(each)):
        values |= filled(world, field, FIELDS[field][0])
    keeper.make(world.resource("companion", **{**BASE, "command": ["sleep", "1000"], "state": "running"}))
    values |= {"command": ["1000"], "capDrop": ["CHOWN"], "stopSignal": "KILL", "user": "0"}
    values["volumes"] = [{"type": "tmpfs", "target": "/scratch"}, {"type": "bind", "source": "/tmp", "target": "/host"}]
    values |= {"ports": [f"127.0.0.1:{free_port()}:80", f"{free_port()}:53/udp"]}
    resource = world.resource("one", **{**BASE, "state": "running"}, **values)
    converge(world, keeper, resource)
    assert world.running(resource)


def converge(world: RealContainers, keeper: Keeper, resource: Container) -> None:
    """Makes it as declared; then nothing differs, whether or not anybody remembers what was applied last."""
    keeper.make(resource)
    assert world.inspect(resource)
    assert keeper.plan(resource).action is Action.NONE, keeper.plan(resource)
    unremembered = keeper.agent.diff(resource, None, keeper.look(resource).value)
    assert unremembered.action is Action.NONE, unremembered


def configuration(world: RealContainers, resource: Container) -> Any:
    """All that the engine says of how a container was made, less what is its own."""
    found = world.inspect(resource)
    config = {name: value for name, value in found["Config"].items() if name not in ("Hostname", "Labels")}
    policy = found["HostConfig"].pop("RestartPolicy")["Name"] or "no"  # it has two names for none
    return config, found["HostConfig"], policy, found["Mounts"]
