"""The three shapes of system that must fit the contract: one lock and batches, work of minutes, remote and rate-limited."""

from __future__ import annotations

from pathlib import Path
from threading import Event as Flag

import pytest

from controller.engine.agent import Context, Done, Retry, Seen, Started
from resources.conditions import Reason
from resources.plan import Action, Plan
from tests.agents.keeper import Keeper
from tests.agents.worlds.batching import Batching
from tests.agents.worlds.remote import FRESH, HOUR, LIMIT, Remote
from tests.agents.worlds.slow import PIECES, SECONDS_A_PIECE, Slow


def test_forty_tools_are_installed_in_one_transaction(tmp_path: Path) -> None:
    world = Batching(tmp_path)
    keeper = Keeper(world)
    tools = [world.sample(f"tool-{number}") for number in range(40)]
    outcomes = keeper.apply(keeper.steps(*tools))
    assert len(outcomes) == 40
    assert world.depot.transactions == 1
    keeper.apply([*keeper.deletions(*tools[:20]), *keeper.steps(world.sample("another"))])
    assert world.depot.transactions == 2
    assert len(world.depot.installed) == 21


def test_unknown_tool_does_not_spoil_the_transaction(tmp_path: Path) -> None:
    world = Batching(tmp_path)
    keeper = Keeper(world)
    keeper.apply(keeper.steps(world.sample("one"), world.impossible(), world.sample("two")))
    assert world.depot.transactions == 1
    assert len(world.depot.installed) == 2


def test_lock_held_by_somebody_else_is_waited_for(tmp_path: Path) -> None:
    world = Batching(tmp_path)
    keeper = Keeper(world)
    steps = keeper.steps(world.sample("one"), world.sample("two"))
    with world.depot.lock(), pytest.raises(Retry) as busy:
        keeper.apply(steps)
    assert (busy.value.reason, busy.value.after) == ("DepotLocked", 10.0)
    assert all(isinstance(outcome, Done) for outcome in keeper.apply(steps).values())


def test_long_work_reports_progress_and_is_known_to_be_slow(tmp_path: Path) -> None:
    world = Slow(tmp_path)
    keeper = Keeper(world)
    archive = world.sample("one")
    plan = keeper.plan(archive)
    assert world.agent.slow(plan, archive)
    assert not world.agent.slow(Plan(archive.key, Action.DELETE), None)
    begun = world.clock()
    keeper.apply(keeper.steps(archive))
    assert world.clock() - begun == PIECES * SECONDS_A_PIECE
    fractions = [fraction for key, fraction, _ in keeper.reports if key == archive.key]
    assert fractions == [piece / PIECES for piece in range(PIECES)]


def test_cancelled_work_stops_at_the_next_piece_and_leaves_nothing(tmp_path: Path) -> None:
    world = Slow(tmp_path)
    keeper = Keeper(world)
    archive, cancelled = world.sample("one"), Flag()

    def cancel_at_half(key: object, fraction: float | None, message: str) -> None:
        if fraction == 0.5:
            cancelled.set()

    context = Context(world.secrets, cancel_at_half, cancelled)
    outcome = world.agent.apply(keeper.steps(archive), context)[archive.key]
    assert isinstance(outcome, Retry)
    assert world.clock() < 1000.0 + PIECES * SECONDS_A_PIECE
    assert world.state(archive) is None


def test_work_that_outlives_the_agent_is_seen_by_another_one(tmp_path: Path) -> None:
    world = Slow(tmp_path)
    keeper = Keeper(world)
    archive = world.sample("two")
    assert isinstance(keeper.apply(keeper.steps(archive))[archive.key], Started)
    after_a_restart = Keeper(world)
    after_a_restart.last[archive.key] = archive
    world.clock.sleep(PIECES * SECONDS_A_PIECE / 2)
    seen = after_a_restart.look(archive)
    assert (seen.health.ready, seen.health.reason, seen.health.again) == (False, Reason.PROGRESSING, 60.0)
    assert after_a_restart.reports == [(archive.key, 0.5, "the vault writes it")]
    assert after_a_restart.plan(archive).empty, "it would be started a second time"
    world.clock.sleep(PIECES * SECONDS_A_PIECE / 2)
    assert after_a_restart.look(archive).health.ready


def test_many_sites_are_looked_at_with_one_request(tmp_path: Path) -> None:
    world = Remote(tmp_path)
    sites = [world.sample(f"site-{number}") for number in range(30)]
    seen = world.agent.observe(sites, Keeper(world).context)
    assert len(world.hosting.requests) == 1
    assert sum(each.cost for each in seen.values() if isinstance(each, Seen)) == 1


def test_recent_answer_costs_nothing_and_tells_its_age(tmp_path: Path) -> None:
    world = Remote(tmp_path)
    keeper = Keeper(world)
    keeper.look(world.sample())
    world.clock.sleep(FRESH / 2)
    seen = keeper.look(world.sample())
    assert (seen.age, seen.cost, len(world.hosting.requests)) == (FRESH / 2, 0, 1)
    world.clock.sleep(FRESH / 2)
    seen = keeper.look(world.sample())
    assert (seen.age, seen.cost, len(world.hosting.requests)) == (0.0, 1, 2)


def test_own_change_is_never_hidden_by_an_old_answer(tmp_path: Path) -> None:
    world = Remote(tmp_path)
    keeper = Keeper(world)
    site = world.sample()
    keeper.make(site)
    assert keeper.plan(site).empty


def test_service_over_its_limit_says_when_to_come_back(tmp_path: Path) -> None:
    world = Remote(tmp_path)
    keeper = Keeper(world)
    steps = keeper.steps(world.sample())
    world.hosting.requests = [world.clock() + number for number in range(LIMIT)]
    world.clock.sleep(LIMIT)
    outcome = keeper.apply(steps)[steps[0].key]
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.after) == ("RateLimited", HOUR - LIMIT)
    with pytest.raises(Retry, match="cannot ask the hosting service"):
        world.agent.observe([world.sample()], keeper.context)
    world.clock.sleep(HOUR)
    assert isinstance(keeper.apply(steps)[steps[0].key], Done)
