"""Networks: every field converges, and one that is replaced keeps its containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker.client import connect
from controller.agents.docker.network import NetworkAgent
from controller.engine.agent import Done, Retry, Seen, Stalled
from resources.kinds.network import Network, NetworkSpec
from resources.meta import COMMON_FIELDS
from resources.plan import Action, Disruption
from tests.agents.docker.engine import BLOCK, Crash, Mortal
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE
from tests.agents.worlds.network import Networks

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "driver": ({"driver": "bridge"}, {}),  # the others need a kernel, or a swarm, that is not everywhere
    "subnet": ({"subnet": f"{BLOCK}.81.0/24"}, {"subnet": f"fd00:{os.getpid() % 10000}:81::/64"}),
    "gateway": ({"subnet": f"{BLOCK}.82.0/24", "gateway": f"{BLOCK}.82.7"}, {"subnet": f"{BLOCK}.82.0/24"}),
    "ipam": (
        {
            "ipam": {
                "driver": "default",
                "config": [
                    {
                        "subnet": f"{BLOCK}.83.0/24",
                        "gateway": f"{BLOCK}.83.7",
                        "ipRange": f"{BLOCK}.83.128/25",
                        "auxAddresses": {"printer": f"{BLOCK}.83.9"},
                    },
                    {"subnet": f"fd00:{os.getpid() % 10000}:83::/64"},
                ],
            }
        },
        {"ipam": {"config": [{"subnet": f"{BLOCK}.84.0/24"}]}},
    ),
    "enableIpv6": ({"enableIpv6": True, "subnet": f"fd00:{os.getpid() % 10000}:85::/64"}, {"enableIpv6": False}),
    "internal": ({"internal": True}, {"internal": False}),
    "attachable": ({"attachable": True}, {"attachable": False}),
    "options": ({"options": {"com.docker.network.driver.mtu": "1400"}}, {"options": {}}),
    "labels": ({"labels": {"a": "1", "b": "2"}}, {"labels": {"a": "2"}}),
}
OLD = {"subnet": f"{BLOCK}.80.0/24", "labels": {"age": "old"}}
NEW = {"subnet": f"{BLOCK}.80.0/24", "labels": {"age": "new"}}
ADDRESS = f"{BLOCK}.80.9"


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[Networks]:
    made = Networks(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keeper(networks: Networks) -> Keeper:
    return Keeper(networks)


def test_every_field_is_tested() -> None:
    assert NetworkSpec.model_fields.keys() - COMMON_FIELDS - NetworkSpec.apart == FIELDS.keys() | {"networkName"}


@pytest.mark.parametrize("field", FIELDS)
def test_field_is_created_changed_and_dropped(field: str, networks: Networks, keeper: Keeper) -> None:
    for spec in (*FIELDS[field], FIELDS[field][0], {}):
        keeper.make(resource := networks.resource("one", **spec))
        assert keeper.plan(resource).empty, keeper.plan(resource)
        assert keeper.agent.diff(resource, None, keeper.look(resource).value).empty


def test_network_whose_declared_name_changes_is_made_anew_with_its_containers(
    networks: Networks, keeper: Keeper
) -> None:
    keeper.make(resource := networks.resource("one"))
    networks.engine.create_container(IMAGE, ["sleep", "9"], name=f"{networks.prefix}-user")
    networks.engine.connect_container_to_network(f"{networks.prefix}-user", resource.network_name)
    renamed = networks.resource("one", networkName=f"{networks.prefix}_default")
    plan = keeper.plan(renamed)
    assert (plan.action, [change.path for change in plan.changes]) == (Action.REPLACE, ["networkName"])
    keeper.make(renamed)
    assert keeper.plan(renamed).empty
    assert [each["Name"] for each in networks.engine.networks(filters={"name": networks.prefix})] == [
        renamed.network_name
    ]
    attached = networks.engine.inspect_container(f"{networks.prefix}-user")["NetworkSettings"]["Networks"]
    assert renamed.network_name in attached
    keeper.make(resource)
    assert keeper.plan(resource).empty


def test_subnet_is_the_same_one_where_ipam_says_it(networks: Networks, keeper: Keeper) -> None:
    keeper.make(networks.resource("one", subnet=f"{BLOCK}.86.0/24"))
    pool = networks.resource("one", ipam={"config": [{"subnet": f"{BLOCK}.86.0/24"}]})
    assert keeper.plan(pool).empty, keeper.plan(pool)
    keeper.last[pool.key] = pool
    assert keeper.plan(networks.resource("one")).changes[0].path == "ipam"


def test_network_that_begins_like_an_id_is_not_mistaken_for_it(networks: Networks, keeper: Keeper) -> None:
    keeper.make(resource := networks.resource("one"))
    prefix = keeper.look(resource).handle[:12]
    other = Network.model_validate(
        {"apiVersion": "pegasus2.dev/v1", "kind": "Network", "metadata": {"name": prefix}, "spec": {}}
    )
    assert keeper.look(other).value is None


def make_double(networks: Networks, resource: Network) -> str:
    """Another network of the same name and mark, as a request makes it that outlived the process which had sent it."""
    name = resource.world_name
    labels = networks.engine.inspect_network(name)["Labels"]
    return str(networks.engine.create_network(name, labels=labels, check_duplicate=False)["Id"])


def there(networks: Networks) -> list[str]:
    return [each["Id"] for each in networks.engine.networks(filters={"name": networks.prefix})]


@pytest.mark.parametrize("edit", [{}, {"labels": {"age": "new"}}], ids=["healed", "replaced"])
def test_double_of_a_network_is_removed_and_the_one_in_use_stays(
    networks: Networks, keeper: Keeper, edit: dict[str, Any]
) -> None:
    keeper.make(networks.resource("one"))
    user = networks.engine.create_container(IMAGE, ["sleep", "100"], name=f"{networks.prefix}-user", stop_signal="KILL")
    networks.engine.connect_container_to_network(user["Id"], networks.resource("one").world_name)
    networks.engine.start(user["Id"])
    (first,) = there(networks)
    double = make_double(networks, networks.resource("one"))
    resource = networks.resource("one", **edit)
    assert keeper.look(resource).handle == first
    assert keeper.plan(resource).action is (Action.REPLACE if edit else Action.UPDATE)
    keeper.make(resource)
    assert keeper.plan(resource).empty, keeper.plan(resource)
    (left,) = there(networks)
    assert left != double
    assert (left == first) is (not edit)
    assert resource.world_name in networks.engine.inspect_container(user["Id"])["NetworkSettings"]["Networks"]


def test_double_of_a_network_goes_with_it(networks: Networks, keeper: Keeper) -> None:
    keeper.make(resource := networks.resource("one"))
    make_double(networks, resource)
    keeper.delete(resource)
    assert there(networks) == []


def test_network_of_a_stranger_with_the_same_name_is_not_taken_for_a_double(networks: Networks, keeper: Keeper) -> None:
    keeper.make(resource := networks.resource("one"))
    networks.engine.create_network(resource.world_name, check_duplicate=False)
    found = keeper.agent.observe([resource], keeper.context)[resource.key]
    assert isinstance(found, Stalled)
    assert "ambiguous" in found.message
    assert len(there(networks)) == 2


def test_replaced_network_gets_its_containers_back(networks: Networks, keeper: Keeper) -> None:
    keeper.make(networks.resource("one", **OLD))
    settle(networks)
    new = networks.resource("one", **NEW)
    plan = keeper.plan(new)
    assert (plan.action, plan.disruption) == (Action.REPLACE, Disruption.RECREATE)
    assert plan.notes == (f"reconnects {networks.prefix}-fixed, {networks.prefix}-simple",)
    keeper.make(new)
    assert settled(networks, new) == {"fixed": (["db"], ADDRESS), "simple": ([], None)}


# disconnect two, remove the network, create it, connect two
@pytest.mark.parametrize("point", range(1, 7))
def test_crash_in_a_replacement_loses_no_container(point: int, networks: Networks, keeper: Keeper) -> None:
    keeper.make(networks.resource("one", **OLD))
    settle(networks)
    new, setup = networks.resource("one", **NEW), networks.setup()
    with pytest.raises(Crash):
        NetworkAgent(Mortal(connect(setup), point), setup).apply(keeper.steps(new), keeper.context)
    keeper.make(new)
    assert keeper.plan(new).empty, keeper.plan(new)
    assert settled(networks, new) == {"fixed": (["db"], ADDRESS), "simple": ([], None)}


def test_container_whose_address_is_not_in_the_new_subnet_is_told_of(networks: Networks, keeper: Keeper) -> None:
    keeper.make(networks.resource("one", **OLD))
    settle(networks)
    new = networks.resource("one", subnet=f"{BLOCK}.83.0/24")
    outcome = keeper.apply(keeper.steps(new))[new.key]
    assert isinstance(outcome, Done)
    assert f"cannot reconnect {networks.prefix}-fixed" in outcome.message
    assert settled(networks, new) == {"simple": ([], None)}
    assert keeper.plan(new).empty


def test_network_in_use_is_not_deleted(networks: Networks, keeper: Keeper) -> None:
    keeper.make(resource := networks.resource("one", **OLD))
    settle(networks)
    failure = keeper.apply(keeper.deletions(resource))[resource.key]
    assert isinstance(failure, Retry)
    assert failure.reason == "InUse"
    assert f"{networks.prefix}-fixed" in failure.message


def test_subnet_of_another_network_is_told_of(networks: Networks, keeper: Keeper) -> None:
    keeper.make(networks.resource("one", **OLD))
    second = networks.resource("two", **OLD)
    failure = keeper.apply(keeper.steps(second))[second.key]
    assert isinstance(failure, Retry)
    assert failure.reason == "SubnetTaken"


def test_container_at_rest_finds_the_new_network_when_it_starts(networks: Networks, keeper: Keeper) -> None:
    keeper.make(networks.resource("one", **OLD))
    settle(networks)
    networks.engine.stop(f"{networks.prefix}-simple", timeout=0)
    keeper.make(new := networks.resource("one", **NEW))
    networks.engine.start(f"{networks.prefix}-simple")
    assert settled(networks, new) == {"fixed": (["db"], ADDRESS), "simple": ([], None)}


def test_name_of_two_networks_is_told_of_and_blinds_us_for_no_other(networks: Networks, keeper: Keeper) -> None:
    keeper.make(good := networks.resource("one"))
    ambiguous = networks.resource("two")
    for _ in range(2):
        networks.engine.create_network(ambiguous.world_name, check_duplicate=False)
    seen = keeper.agent.observe([good, ambiguous], keeper.context)
    assert isinstance(seen[good.key], Seen)
    failure = seen[ambiguous.key]
    assert isinstance(failure, Retry | Stalled)
    assert failure.message.startswith(f"cannot look at the network {ambiguous.world_name}: ")


def settle(networks: Networks) -> None:
    """Two containers join the network: one of its only network, with nothing; one of a second, with name and address."""
    engine, network = networks.engine, f"{networks.prefix}-one"
    for name, mode in (("simple", network), ("fixed", "default")):
        config = {
            "Image": IMAGE,
            "Cmd": ["sleep", "1000"],
            "StopSignal": "SIGKILL",
            "HostConfig": {"NetworkMode": mode},
        }
        made = engine.create_container_from_config(config, f"{networks.prefix}-{name}")  # type: ignore[no-untyped-call]
        engine.start(made["Id"])
    engine.connect_container_to_network(f"{networks.prefix}-fixed", network, aliases=["db"], ipv4_address=ADDRESS)


def settled(networks: Networks, network: Network) -> dict[str, tuple[list[str], str | None]]:
    """Aliases and fixed address of each container in the network."""
    found = {}
    for identity, each in networks.engine.inspect_network(network.world_name)["Containers"].items():
        endpoint = networks.engine.inspect_container(identity)["NetworkSettings"]["Networks"][network.world_name]
        aliases = [alias for alias in endpoint["Aliases"] or () if alias != identity[:12]]
        fixed = (endpoint["IPAMConfig"] or {}).get("IPv4Address")
        found[each["Name"].removeprefix(f"{networks.prefix}-")] = (aliases, fixed)
    return found
