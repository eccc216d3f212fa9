"""What the engine can change while a container runs is changed so: the container stays the same one."""

from __future__ import annotations

from typing import Any

import pytest

from controller.engine.agent import Retry, Stalled
from resources.kinds.container import Container
from resources.plan import Action, Disruption
from tests.agents.docker.engine import BLOCK, RealContainers
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC

BASE: dict[str, Any] = {name: value for name, value in SPEC.items() if name not in ("memory", "restart")}
SUBNET = f"{BLOCK}.77.0/24"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"memory": "64m"}),
        ({"memory": "64m"}, {"memory": "32m"}),
        ({"memory": "64m"}, {"memory": "256m"}),
        ({"memory": "64m", "memorySwap": "64m"}, {"memory": "128m", "memorySwap": "1g"}),
        ({"memory": "64m", "memorySwap": "96m"}, {"memory": "64m"}),
        ({"memory": "64m"}, {"memory": "64m", "memorySwap": "unlimited"}),
        ({}, {"cpus": 0.5}),
        ({"cpus": 0.5}, {"cpus": 1.25}),
        ({}, {"pidsLimit": 20}),
        ({"pidsLimit": 20}, {"pidsLimit": 30}),
        ({}, {"memReservation": "16m"}),
        ({"memory": "64m", "memReservation": "16m"}, {"memory": "64m", "memReservation": "32m"}),
        ({}, {"cpuset": "0"}),
        ({"cpuset": "0"}, {"cpuset": "0-1"}),
        ({}, {"cpuShares": 512}),
        ({"cpuShares": 512}, {"cpuShares": 256}),
        ({}, {"cpuPeriod": 50000, "cpuQuota": 25000}),
        ({"cpuPeriod": 50000, "cpuQuota": 25000}, {"cpuPeriod": 50000, "cpuQuota": 20000}),
        ({}, {"restart": "always"}),
        ({"restart": "always"}, {"restart": "on-failure:2"}),
        ({"restart": "always"}, {}),
        ({}, {"memory": "64m", "cpus": 1, "pidsLimit": 9, "restart": "unless-stopped", "containerName": "p2c-renamed"}),
    ],
    ids=str,
)
def test_limits_change_while_it_runs(
    before: dict[str, Any], after: dict[str, Any], world: RealContainers, keeper: Keeper
) -> None:
    if "containerName" in after:
        after = {**after, "containerName": f"{world.prefix}-renamed"}
    keeper.make(old := world.resource("one", **BASE, **before))
    identity, started = world.identity(old), world.inspect(old)["State"]["StartedAt"]
    new = world.resource("one", **BASE, **after)
    plan = keeper.plan(new)
    assert (plan.action, plan.disruption) == (Action.UPDATE, Disruption.NOTHING)
    keeper.make(new)
    assert (world.identity(new), world.inspect(new)["State"]["StartedAt"]) == (identity, started)
    assert keeper.plan(new).empty, keeper.plan(new)


@pytest.mark.parametrize("limit", [{"memory": "64m"}, {"cpus": 0.5}, {"pidsLimit": 20}], ids=str)
def test_limit_that_is_taken_away_replaces(limit: dict[str, Any], world: RealContainers, keeper: Keeper) -> None:
    keeper.make(world.resource("one", **BASE, **limit))
    plain = world.resource("one", **BASE)
    assert keeper.plan(plain).action is Action.REPLACE
    keeper.make(plain)
    assert keeper.plan(plain).empty
    host = world.inspect(plain)["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (0, 0, None)


def test_container_renamed_by_hand_gets_its_name_back(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := world.resource("one", **BASE))
    identity = world.identity(resource)
    world.engine.rename(resource.container_name, f"{world.prefix}-elsewhere")
    assert keeper.plan(resource).action is Action.UPDATE
    keeper.make(resource)
    assert (world.identity(resource), world.names()) == (identity, ["one"])


def test_name_taken_by_a_stranger_meanwhile_is_not_taken_from_him(world: RealContainers, keeper: Keeper) -> None:
    keeper.make(resource := world.resource("one", **BASE))
    world.engine.rename(resource.container_name, f"{world.prefix}-elsewhere")
    world.make_strangers(resource)
    failure = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "NotOwned"
    assert world.names() == ["elsewhere", "one"]


class TestNetworks:
    @pytest.fixture(autouse=True)
    def networks(self, world: RealContainers) -> None:
        self.make_networks(world)

    def make_networks(self, world: RealContainers) -> None:
        for name in ("front", "back"):
            pool = {"Subnet": SUBNET} if name == "back" else {}
            ipam = {"Driver": "default", "Config": [pool] if pool else []}
            world.engine.create_network(f"{world.prefix}-{name}", ipam=ipam)  # type: ignore[arg-type]

    def on(self, world: RealContainers, *networks: dict[str, Any], **spec: Any) -> Container:
        named = [{"external": True, **each, "name": f"{world.prefix}-{each['name']}"} for each in networks]
        return world.resource("one", **BASE, networks=named, **spec)

    def connected(self, world: RealContainers, resource: Container) -> set[str]:
        return {
            name.removeprefix(f"{world.prefix}-") for name in world.inspect(resource)["NetworkSettings"]["Networks"]
        }

    def test_created_with_all_its_networks(self, world: RealContainers, keeper: Keeper) -> None:
        address = {"name": "back", "aliases": ["db", "data"], "ipv4Address": f"{BLOCK}.77.9"}
        keeper.make(resource := self.on(world, {"name": "front"}, address))
        assert keeper.plan(resource).empty, keeper.plan(resource)
        endpoint = world.inspect(resource)["NetworkSettings"]["Networks"][f"{world.prefix}-back"]
        assert endpoint["IPAddress"] == f"{BLOCK}.77.9"
        assert {"db", "data"} <= {*endpoint["Aliases"]}

    @pytest.mark.parametrize(
        "after",
        [
            ({"name": "back"},),
            ({"name": "front"}, {"name": "back"}),
            ({"name": "front", "aliases": ["www"]},),
            ({"name": "back", "aliases": ["www"], "ipv4Address": f"{BLOCK}.77.7"},),
        ],
        ids=["another", "one more", "an alias", "another with alias and address"],
    )
    def test_networks_change_while_it_runs(
        self, after: tuple[dict[str, Any], ...], world: RealContainers, keeper: Keeper
    ) -> None:
        keeper.make(old := self.on(world, {"name": "front"}))
        identity = world.identity(old)
        keeper.make(new := self.on(world, *after))
        assert world.identity(new) == identity
        assert self.connected(world, new) == {each["name"] for each in after}
        assert keeper.plan(new).empty, keeper.plan(new)

    def test_alias_and_address_that_are_dropped_go(self, world: RealContainers, keeper: Keeper) -> None:
        keeper.make(self.on(world, {"name": "back", "aliases": ["www"], "ipv4Address": f"{BLOCK}.77.7"}))
        keeper.make(new := self.on(world, {"name": "back"}))
        endpoint = world.inspect(new)["NetworkSettings"]["Networks"][f"{world.prefix}-back"]
        assert "www" not in endpoint["Aliases"]
        assert not endpoint["IPAMConfig"]
        assert keeper.plan(new).empty

    def test_networks_that_are_dropped_give_way_to_the_default(self, world: RealContainers, keeper: Keeper) -> None:
        keeper.make(self.on(world, {"name": "front"}))
        plain = world.resource("one", **BASE)
        assert keeper.plan(plain).action is Action.UPDATE
        keeper.make(plain)
        assert self.connected(world, plain) == {"bridge"}
        assert keeper.plan(plain).empty

    def test_disconnected_by_hand_is_connected_again(self, world: RealContainers, keeper: Keeper) -> None:
        keeper.make(resource := self.on(world, {"name": "front"}, {"name": "back", "aliases": ["db"]}))
        world.engine.disconnect_container_from_network(resource.container_name, f"{world.prefix}-back")
        assert keeper.plan(resource).drift_only
        keeper.make(resource)
        assert self.connected(world, resource) == {"front", "back"}

    def test_connected_by_hand_is_disconnected_where_networks_are_declared(
        self, world: RealContainers, keeper: Keeper
    ) -> None:
        keeper.make(resource := self.on(world, {"name": "front"}))
        world.engine.connect_container_to_network(resource.container_name, f"{world.prefix}-back")
        keeper.make(resource)
        assert self.connected(world, resource) == {"front"}

    def test_connected_by_hand_stays_where_none_are_declared(self, world: RealContainers, keeper: Keeper) -> None:
        keeper.make(resource := world.resource("one", **BASE))
        world.engine.connect_container_to_network(resource.container_name, f"{world.prefix}-back")
        assert keeper.plan(resource).empty

    @pytest.mark.parametrize("lone", ["host", "none"])
    def test_network_of_the_machine_takes_a_new_container(
        self, lone: str, world: RealContainers, keeper: Keeper
    ) -> None:
        keeper.make(world.resource("one", **BASE))
        for networks in ([{"name": lone}], None, [{"name": lone}]):
            resource = world.resource("one", **BASE, networks=networks)
            assert keeper.plan(resource).action is Action.REPLACE
            keeper.make(resource)
            assert keeper.plan(resource).empty, keeper.plan(resource)

    def test_stopped_container_changes_networks_too(self, world: RealContainers, keeper: Keeper) -> None:
        keeper.make(self.on(world, {"name": "front"}, state="stopped"))
        keeper.make(new := self.on(world, {"name": "back"}, state="stopped"))
        assert keeper.plan(new).empty, keeper.plan(new)
        keeper.make(started := self.on(world, {"name": "back"}))
        assert self.connected(world, started) == {"back"}

    def test_container_at_rest_is_started_although_its_network_was_made_anew(
        self, world: RealContainers, keeper: Keeper
    ) -> None:
        address = {"name": "back", "aliases": ["db"], "ipv4Address": f"{BLOCK}.77.9"}
        keeper.make(resource := self.on(world, {"name": "front"}, address))
        world.engine.stop(resource.container_name, timeout=0)
        for name in ("front", "back"):
            world.engine.remove_network(f"{world.prefix}-{name}")
        failure = keeper.apply(keeper.steps(resource))[resource.key]
        assert isinstance(failure, Retry)
        assert failure.reason == "NetworkMissing"
        self.make_networks(world)
        keeper.make(resource)
        assert world.running(resource)
        assert self.connected(world, resource) == {"front", "back"}
        assert keeper.plan(resource).empty
