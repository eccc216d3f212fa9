"""What follows from the leases of machines for what is on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.sources.kube.leases import (
    Hearing,
    Lease,
    Standing,
    derived,
    lost,
    moment,
    published,
    read_lease,
    read_leases,
    written,
)
from controller.sources.kube.objects import FINALIZER, Object, read_object
from resources.conditions import Condition, Reason, Truth
from resources.meta import Key

NOW = 1_800_000_000.0


def lease(node: str, age: float = 5.0, *, holder: str = "someone", default: bool = False) -> Lease:
    return Lease(node, holder, NOW - age, default=default)


def leases(*each: Lease) -> dict[str, Lease]:
    return {one.node: one for one in each}


def thing(
    node: str = "", *, worked: str = "", deleting: bool = False, held: bool = True, ready: dict[str, Any] | None = None
) -> Object:
    metadata: dict[str, Any] = {"name": "motd", "namespace": "default", "generation": 3}
    if deleting:
        metadata["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    if held:
        metadata["finalizers"] = [FINALIZER]
    status: dict[str, Any] = {"observedGeneration": 2}
    if worked:
        status["node"] = worked
    if ready:
        status["conditions"] = [{"type": "Ready", **ready}]
    return read_object({"kind": "File", "metadata": metadata, "spec": {"node": node} if node else {}, "status": status})


def said(found: Object, known: dict[str, Lease], heard: dict[str, float] | None = None) -> Condition | None:
    conditions = derived(found, known, NOW, heard)
    assert conditions is None or len(conditions) == 1
    return conditions[0] if conditions else None


def test_a_node_is_lost_when_its_lease_ran_out_and_not_before() -> None:
    known = leases(lease("atlas", 59.9), lease("hera", 60.0))
    assert lost(known, NOW) == {"hera": NOW - 60}


def test_clocks_that_disagree_lose_no_node_that_is_seen_to_renew() -> None:
    known = leases(lease("atlas", age=3600.0), lease("hera", age=-3600.0))
    assert lost(known, NOW, {"atlas": NOW - 10, "hera": NOW - 61}).keys() == {"hera"}


def test_nobody_is_lost_because_there_was_no_api_server_to_renew_at() -> None:
    hearing, known = Hearing(), leases(lease("atlas"), lease("hera"))
    assert hearing.lost(known, 0.0) == {}
    assert hearing.lost(known, 300.0) == {}  # no look succeeded in between
    known = leases(lease("atlas", age=-300), lease("hera"))
    assert hearing.lost(known, 330.0) == {}
    assert hearing.lost(known, 360.0).keys() == {"hera"}


def test_an_operator_stopped_in_order_has_time_to_be_started_again() -> None:
    assert lost(leases(lease("atlas", 30, holder="")), NOW) == {}
    assert lost(leases(lease("atlas", 61, holder="")), NOW).keys() == {"atlas"}


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (thing("atlas"), leases(lease("atlas"))),
        (thing("atlas", worked="hera"), leases(lease("atlas"), lease("hera", 900))),
        (thing(), leases(lease("atlas", default=True))),
        (thing(worked="hera"), leases(lease("atlas", default=True), lease("hera", 900, default=True))),
        (thing("atlas"), leases(lease("atlas", 30, holder=""))),
    ],
    ids=["its-own", "moved-to-a-live-one", "the-default", "a-second-default", "just-stopped"],
)
def test_nothing_is_derived_for_what_a_machine_looks_after(found: Object, known: dict[str, Lease]) -> None:
    assert said(found, known) is None


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (thing("atlas"), leases(lease("atlas", 900), lease("hera"))),
        (thing("atlas", worked="hera"), leases(lease("atlas", 900), lease("hera"))),
        (thing(worked="atlas"), leases(lease("atlas", 900), lease("hera"))),
        (thing(), leases(lease("atlas", 900, default=True), lease("hera"))),
    ],
    ids=["named", "moved-to-it", "worked-on", "by-default"],
)
def test_what_is_on_a_lost_machine_is_unknown_since_then(found: Object, known: dict[str, Lease]) -> None:
    ready = said(found, known)
    assert ready is not None
    assert (ready.status, ready.reason, ready.observed_generation) == (Truth.UNKNOWN, Reason.NODE_LOST, 2)
    assert ready.since == NOW - 900 + 60
    assert f"the machine atlas has not been heard of since {written(NOW - 900)}" in ready.message
    assert "deletionPolicy" not in ready.message


def test_a_machine_whose_operator_was_stopped_is_told_apart_from_one_that_died() -> None:
    ready = said(thing("atlas"), leases(lease("atlas", 900, holder="")))
    assert ready is not None
    assert "the operator of the machine atlas was stopped at" in ready.message


def test_a_machine_that_nobody_knows_is_named_with_those_that_are() -> None:
    ready = said(thing("atals"), leases(lease("hera"), lease("atlas")))
    assert ready is not None
    assert (ready.status, ready.reason) == (Truth.UNKNOWN, Reason.NODE_UNKNOWN)
    assert ready.message.startswith("no machine is called atals: known are atlas, hera; correct spec.node, or start")


def test_what_names_no_machine_waits_for_an_operator_with_default() -> None:
    ready = said(thing(), leases(lease("atlas")))
    assert ready is not None
    assert ready.reason == Reason.NODE_UNKNOWN
    assert "no operator runs with --default: known are atlas" in ready.message
    nobody = said(thing(), {})
    assert nobody is not None
    assert "none is known" in nobody.message


@pytest.mark.parametrize("node", ["atlas", "nowhere"])
def test_a_deletion_that_waits_for_a_machine_names_the_way_out(node: str) -> None:
    known = leases(lease("atlas", 900))
    waiting, going = said(thing(node, deleting=True), known), said(thing(node, deleting=True, held=False), known)
    assert waiting is not None
    assert going is not None
    assert (
        """kubectl patch files.pegasus2.dev motd --type=merge -p '{"spec":{"deletionPolicy":"Retain"}}'"""
        in waiting.message
    )
    assert "deletionPolicy" not in going.message


def test_what_was_unknown_already_stays_so_since_then() -> None:
    before = {"status": "Unknown", "reason": "AgentUnavailable", "lastTransitionTime": "2027-01-01T00:00:00Z"}
    ready = said(thing("atlas", ready=before), leases(lease("atlas", 900)))
    assert ready is not None
    assert published(ready)["lastTransitionTime"] == "2027-01-01T00:00:00Z"


def test_a_lease_is_read_as_the_api_server_writes_it() -> None:
    body = {
        "metadata": {
            "name": "atlas",
            "resourceVersion": "7",
            "annotations": {
                "pegasus2.dev/default": "true",
                "pegasus2.dev/seat": "abc",
                "pegasus2.dev/namespaces": "blog shop",
                "pegasus2.dev/left": "File/default/motd nonsense",
            },
        },
        "spec": {
            "holderIdentity": "atlas_12_ab",
            "leaseDurationSeconds": 60,
            "acquireTime": written(NOW, micro=True),
            "renewTime": written(NOW + 0.25, micro=True),
        },
    }
    left = frozenset({Key("File", "default", "motd")})
    assert read_lease(body) == Lease(
        "atlas", "atlas_12_ab", NOW + 0.25, NOW, 60.0, True, "abc", frozenset({"shop", "blog"}), left, "7"
    )
    assert read_leases([{"metadata": {"name": "hera"}}]) == {"hera": Lease("hera")}


def test_first_live_operator_that_serves_a_namespace_acts_there() -> None:
    blog = replace(lease("ares"), namespaces=frozenset({"blog"}))
    known = leases(lease("aeolus", 900), lease("apollo", holder=""), blog, lease("hera"), lease("zeus"))
    standing = Standing(known, lost(known, NOW), NOW)
    assert [standing.actor(namespace) for namespace in ("blog", "shop", "")] == ["ares", "hera", "hera"]
    alone = leases(blog)
    assert Standing(alone, {}, NOW).actor("shop") is None


def test_moments_are_read_as_they_are_written() -> None:
    assert written(NOW) == "2027-01-15T08:00:00Z"
    assert moment(written(NOW)) == NOW
    assert moment("soon") == 0.0
