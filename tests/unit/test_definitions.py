"""How a cluster's CRD compares with ours, case by case. What a real API server makes of them: tests/kube/test_install.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from controller import __version__
from controller.sources.kube.definitions import VERSION, Standing, compare, definitions
from controller.sources.kube.rights import Rule, Where

Fields = dict[str, Any]


def drop(fields: Fields) -> None:
    del fields["mode"]


def add(fields: Fields) -> None:
    fields["fresh"] = {"type": "string"}


def exchange(fields: Fields) -> None:
    drop(fields)
    add(fields)


def reword(fields: Fields) -> None:
    fields["mode"]["description"] = "In other words."


def widen(fields: Fields) -> None:
    fields["driftPolicy"]["enum"].append("Ask")


def nothing(fields: Fields) -> None:
    fields["mode"]["allOf"] = []


@pytest.mark.parametrize(
    ("change", "version", "standing"),
    [
        (nothing, __version__, Standing.SAME),
        (reword, __version__, Standing.SAME),
        (reword, "0.0.1", Standing.SAME),
        (drop, __version__, Standing.OLDER),
        (drop, "9.0", Standing.OLDER),
        (add, __version__, Standing.NEWER),
        (widen, "0.0.1", Standing.NEWER),
        (exchange, "0.0.1", Standing.OLDER),
        (exchange, "9.0", Standing.NEWER),
        (exchange, __version__, Standing.DIFFERENT),
        (exchange, "", Standing.DIFFERENT),
        (exchange, "next", Standing.DIFFERENT),
    ],
)
def test_crd_is_told_from_ours_by_what_it_knows(
    change: Callable[[Fields], None], version: str, standing: Standing
) -> None:
    ours = next(each for each in definitions() if each["metadata"]["name"] == "files.pegasus2.dev")
    served = json.loads(json.dumps(ours))
    served["metadata"]["annotations"][VERSION] = version
    change(served["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])
    assert compare(ours, served) is standing


def test_version_that_is_not_served_is_older() -> None:
    ours = definitions()[0]
    served = json.loads(json.dumps(ours))
    served["spec"]["versions"][0]["served"] = False
    assert compare(ours, served) is Standing.OLDER


def test_rule_reads_as_kubectl_writes_it() -> None:
    statuses = Rule(Where.OBJECTS, "pegasus2.dev", ("files/status",), ("get", "patch"), "", namespace="shop")
    assert str(statuses) == "get, patch files.pegasus2.dev/status in namespace shop"
    whole = Rule(Where.CLUSTER, "", ("namespaces",), ("get",), "", ("kube-system",))
    assert str(whole) == "get namespaces kube-system in the whole cluster"
