"""Texts near the edge of what is allowed: the loader and an API server judge each of them alike.

A table has what people thought of; here well-formed texts are changed at random (always in the same way) in a place or two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from random import Random
from typing import Any

import pytest

from controller.sources.kube.cluster import Cluster
from resources.load import load_text
from resources.meta import API_VERSION
from tests.apiserver import Kubernetes
from tests.kube.test_documents import refusal

pytestmark = pytest.mark.kube

TEXTS = 40  # a field


def container(**spec: Any) -> Any:
    return "Container", {"image": "x", **spec}


def targets(text: str) -> Any:
    """Mounts and tmpfs at the parts of a text."""
    parts = [f"/{part}" for part in text.split("b")]
    tmpfs = {f"/q{part}": "" for part in parts} | ({parts[-1]: ""} if len(text) % 2 else {})
    return container(volumes=[{"type": "volume", "target": part} for part in parts], tmpfs=tmpfs)


def network(**attachment: Any) -> Any:
    return container(networks=[{"name": "a", **attachment}])


# What a text is put into, texts to start from, and what to change them with.
FIELDS: dict[str, tuple[Callable[[str], Any], list[str], str]] = {
    "ports": (
        lambda text: container(ports=[text]),
        [
            *("80:80", "1-2:1-2", "[::1]:1:1", "127.0.0.1:53:53/udp", "65535:65536", "1.2.3.4:1-2:3-4/tcp"),
            *("80", "80-81/udp", "127.0.0.1::80", "[::1]::1-2", "8-9:80"),
        ],
        "0189-:[].tcpudT/a\n",
    ),
    "expose": (lambda text: container(expose=[text]), ["80", "1-2/udp", "65535", "53/tcp"], "0189-:/tcpud\n"),
    "cpuset": (lambda text: container(cpuset=text), ["0-3", "0,2", "1-2,5-9"], "0129,-: \n"),
    "extraHosts": (
        lambda text: container(extraHosts={"db": text}),
        ["10.0.0.1", "::1,host-gateway", "1.2.3.4,fd00::1"],
        "0129.:,af-host \n",
    ),
    "networkMode": (lambda text: container(networkMode=text), ["container:db", "container:a.b"], "container:dbA_.-\n"),
    "pid": (lambda text: container(pid=text), ["host", "container:db"], "host:container\n"),
    "volumesFrom": (lambda text: container(volumesFrom=[text]), ["db", "db:ro", "db_1:rw"], "dbrow:_1-\n"),
    "links": (lambda text: container(links={text: "db"}), ["db", "a.b", "a_b-c"], "abA0_.-: \n"),
    "macAddress": (lambda text: container(macAddress=text), ["02:42:ac:11:65:43"], "0aF:-g\n"),
    "platform": (lambda text: container(platform=text), ["linux/amd64", "linux/arm/v7"], "linux/v7A.-\n"),
    "deviceCgroupRules": (
        lambda text: container(deviceCgroupRules=[text]),
        ["c 1:3 mr", "a *:* rwm", "b 8:* w"],
        "abcd 018:*rwm\n",
    ),
    "readyTimeout": (
        lambda text: container(readyTimeout=text),
        ["1h", "5m", "1h30m5s100ms", "1.5h", "0.5ms"],
        "019.hms -\n\u0665",
    ),
    "readyTimeout after a time": (
        lambda text: container(readyTimeout=text, minReadySeconds=10),
        ["10s", "10.1s", "10001ms", "10000.5ms", "9.9999s"],
        "019.ms",
    ),
    "stopGracePeriod": (
        lambda text: container(stopGracePeriod=text),
        ["1h", "1.9999s", "0.33m", "1500ms", "1.9996s", "0.3333333m"],
        "0159.hms",
    ),
    "interval": (lambda text: container(interval=text), ["1s", "999ms", "0.9999999s", "1000ms"], "019.hms"),
    "memory": (lambda text: container(memory=text), ["1k", "1.5GiB", "100 mb", "1 ki"], "019.kKmMgGiIbB \n\t"),
    "image": (
        lambda text: container(image=text),
        ["a/b:1", f"a:5000/b@sha256:{'0a' * 16}", "[::1]:80/a", "a__b", "a--b:A.b"],
        "aA0_.-:/@[]f\nä",
    ),
    "devices": (lambda text: container(devices=[text]), ["/a", "/a:/b", "/a:rwm", "/a:/b:r", "/a::r"], "/a:rwmx\n"),
    "securityOpt": (
        lambda text: container(securityOpt=[text]),
        [
            *("seccomp=/a", "seccomp:~/a", "seccomp=unconfined", "seccomp=builtinx", "label:user:x"),
            *("no-new-privileges=true", "no-new-privileges", "no-new-privilegesx"),
        ],
        "=:/~seccomp-1\n",
    ),
    "capAdd": (lambda text: container(capAdd=[text]), ["NET_ADMIN", "cap_x"], "AZaz_09 -\n"),
    "stopSignal": (
        lambda text: container(stopSignal=text),
        ["TERM", "SIGRTMIN+1", "9"],
        "SIGTERMrtmin+-159\n²",
    ),
    "env": (lambda text: container(env={text: "x"}), ["A", "A=B"], "aB=\0\n "),
    "envFile": (lambda text: container(envFile=[text]), ["/a", "~", "~/", "~a"], "/a.~\n"),
    "restart": (lambda text: container(restart=text), ["no", "on-failure:3", "on-failure"], "no-failure:019always\n"),
    "containerName": (
        lambda text: container(containerName=text),
        ["ab", "a.p2-old", "a.p2-newx", "a\n"],
        "aA0_.-\n",
    ),
    "dependsOn": (lambda text: container(dependsOn=[text]), ["A/b", "A/b/c", "A/b/"], "aB/\n-"),
    "target": (
        lambda text: container(volumes=[{"type": "volume", "target": text}]),
        ["/a", "/a/", "//", "/"],
        "/a.\n ~",
    ),
    "targets": (targets, ["aba/", "aba", "a", "aabaa/", "ab/a"], "/ab"),
    "source": (
        lambda text: container(volumes=[{"type": "bind", "target": "/x", "source": text}]),
        ["/a", "~", "~/", "~a"],
        "/a.~\n",
    ),
    "ipv4Address": (lambda text: network(ipv4Address=text), ["1.2.3.4", "::1", "1.2.3.04"], "0129.:afA%/\n"),
    "ipv6Address": (
        lambda text: network(ipv6Address=text),
        ["fe80::1", "::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "::1.2.3.4", "FE80::", "1:2:3:4:5:6:1.2.3.4"],
        "0129.:afA%/\nx",
    ),
    "subnet": (
        lambda text: ("Network", {"subnet": text}),
        ["10.0.0.0/8", "fd00::/64", "10.0.0.0/08", "::ffff:1.2.3.4/128", "1.2.3.4/32", "0.0.0.0/0"],
        "0129./:afA%\n",
    ),
    "gateway": (
        lambda text: ("Network", {"subnet": "10.0.0.0/8", "gateway": text}),
        ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "11.0.0.1"],
        "0129.:afA%\n",
    ),
    "path": (
        lambda text: ("File", {"path": text, "content": ""}),
        ["/a", "~/a", "~", "/..", "/a/../b", "~/..", "//a"],
        "/a.~\n\0",
    ),
    "mode": (lambda text: ("File", {"path": "/x", "content": "", "mode": text}), ["644", "0644"], "0178\n"),
    "name": (lambda text: ("Volume", {}, {"name": text}), ["ab", "a-b"], "aA0-.\n"),
    "name of a label": (
        lambda text: ("Volume", {}, {"name": "x", "labels": {text: "x"}}),
        ["ab", "a/b", "a.b/c", "A/b"],
        "aA0-./_\n",
    ),
    "value of a label": (
        lambda text: ("Volume", {}, {"name": "x", "labels": {"a": text}}),
        ["ab", ""],
        "aA0-._\n/",
    ),
    "name of an annotation": (
        lambda text: ("Volume", {}, {"name": "x", "annotations": {text: "x"}}),
        ["ab", "a/b", "A.b/c"],
        "aA0-./_\n",
    ),
}


@pytest.fixture(scope="module")
def client(cluster: Kubernetes) -> Iterator[Cluster]:
    with closing(cluster.client()) as found:
        yield found


@pytest.mark.parametrize("field", FIELDS)
def test_a_text_is_judged_alike(field: str, client: Cluster) -> None:
    make, good, letters = FIELDS[field]
    differing, verdicts = [], set()
    for text in texts(Random(field), good, letters):
        kind, spec, *metadata = make(text)
        head = metadata[0] if metadata else {"name": "x"}
        document = {"apiVersion": API_VERSION, "kind": kind, "metadata": head, "spec": spec}
        problems = load_text(json.dumps(document).encode(), "x.yaml", None).problems
        why = refusal(client, document)
        verdicts.add(not why)
        if bool(problems) is not bool(why):
            differing.append((text, problems, why))
    assert differing == []
    assert verdicts == {True, False}, "the texts are all good, or all bad: they prove nothing"


def texts(random: Random, good: list[str], letters: str) -> Iterator[str]:
    """Those given, and others with a letter more, less or changed in up to three places."""
    yield from good
    for _ in range(TEXTS - len(good)):
        text = random.choice(good)
        for _ in range(random.randint(1, 3)):
            at, letter = random.randint(0, len(text)), random.choice(letters)
            end = random.choice((at, at + 1))
            text = text[:at] + random.choice(("", letter)) + text[end:]
        yield text
