"""With a brake on everything is looked at and nothing is changed; crashes are counted, whatever the clock and the disk do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from controller.engine.crashes import MANY, WITHIN, recent
from controller.engine.errand import Errand
from controller.engine.manager import Manager
from controller.engine.passes import Verdict
from controller.engine.prune import Pruning
from controller.engine.queue import Priority, Queue
from controller.engine.stores import Brake, Level, Start
from controller.store.database import DatabaseError
from controller.store.home import Home
from controller.store.stores import OpenStores, open_stores
from controller.wiring.lifetime import Lifetime
from resources.conditions import Reason, Truth, Type
from resources.meta import Key
from tests.support import eventually
from tests.unit.world import Gadget, Loop, declare, gadget

PAUSED = Brake(Reason.PAUSED, "ada", "moving the disks", 100.0)


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: Gadget)


@pytest.fixture
def loop() -> Loop:
    return Loop()


def ready(loop: Loop, name: str) -> tuple[str, str]:
    status = loop.parts.board.status(Key("Gadget", "default", name))
    assert status is not None
    condition = status.condition(Type.READY)
    assert condition is not None
    return condition.status, condition.reason


# -- the guard -----------------------------------------------------------------------------------------------------


def test_paused_nothing_is_created_updated_or_deleted_and_the_differences_are_shown(loop: Loop) -> None:
    assert loop.apply(gadget("same", color="red"), gadget("edited", color="red"), gadget("gone"))
    log = list(loop.agent.log)
    loop.stores.brakes.put_on(PAUSED)
    loop.apply(gadget("same", color="red"), gadget("edited", color="blue"), gadget("new"))
    assert loop.agent.log == log
    assert set(loop.agent.world) == {"same", "edited", "gone"}
    assert ready(loop, "same") == (Truth.TRUE, Reason.CONVERGED)
    for name in ("edited", "new", "gone"):
        assert ready(loop, name) == (Truth.FALSE, Reason.PAUSED)
    assert "paused by ada" in loop.message("new") and "moving the disks" in loop.message("new")
    assert "p2 unpause" in loop.message("new")
    status = loop.parts.board.status(Key("Gadget", "default", "edited"))
    assert status is not None and [change.path for change in status.drift] == ["color"]


def test_after_release_the_rest_is_done(loop: Loop) -> None:
    loop.stores.brakes.put_on(PAUSED)
    assert loop.apply(gadget("a"), gadget("b", dependsOn=["Gadget/a"]))
    assert loop.agent.world == {}
    assert list(loop.stores.brakes.release()) == [PAUSED]
    assert loop.converge()
    assert loop.agent.log == ["create a", "create b"]


def test_drift_is_not_healed_while_paused(loop: Loop) -> None:
    loop.apply(gadget("a", color="red"))
    loop.stores.brakes.put_on(PAUSED)
    loop.agent.world["a"].color = "pink"
    loop.converge()
    assert loop.agent.world["a"].color == "pink"
    assert ready(loop, "a") == (Truth.FALSE, Reason.PAUSED)


def test_what_is_suspended_says_so_even_while_paused(loop: Loop) -> None:
    loop.stores.brakes.put_on(PAUSED)
    loop.apply(gadget("a", suspend=True))
    assert loop.reason("a") == Reason.SUSPENDED


def test_what_waits_for_an_edit_says_so_even_while_paused(loop: Loop) -> None:
    loop.agent.refused["a"] = "cannot make it: another size"
    loop.take(declare(gadget("a")))
    manager = Manager(loop.parts)
    look = manager.reconciler.look
    key = Key("Gadget", "default", "a")
    step = look([key], loop.parts.context)
    manager.reconciler.carry_out(step, loop.parts.context)
    loop.stores.brakes.put_on(PAUSED)
    (again,) = look([key], loop.parts.context)
    assert (again.verdict, again.reason) == (Verdict.STALLED, "Refused")


def test_step_that_waited_for_its_turn_is_not_carried_out_when_a_brake_was_put_on_meanwhile(loop: Loop) -> None:
    loop.take(declare(gadget("a")))
    reconciler = Manager(loop.parts).reconciler
    reconciler.prune(Pruning(frozenset(), ()))
    passes = reconciler.look([Key("Gadget", "default", "a")], loop.parts.context)
    assert [each.verdict for each in passes] == [Verdict.WORK]
    loop.stores.brakes.put_on(PAUSED)
    after = reconciler.carry_out(passes, loop.parts.context)
    assert [each.verdict for each in after] == [Verdict.AGAIN]
    assert loop.agent.world == {} and reconciler.changing() == frozenset()
    assert loop.stores.inventory.find(Key("Gadget", "default", "a")) is None, "nothing was intended"


def test_a_preview_shows_what_would_be_done_whatever_brake_is_on(loop: Loop) -> None:
    loop.stores.brakes.put_on(PAUSED)
    loop.take(declare(gadget("a")))
    (each,) = Manager(loop.parts).reconciler.look([Key("Gadget", "default", "a")], loop.parts.context, preview=True)
    assert each.verdict is Verdict.WORK


def test_deletes_that_wait_for_each_other_are_all_shown_as_paused(loop: Loop) -> None:
    loop.apply(gadget("base"), gadget("app", dependsOn=["Gadget/base"]), gadget("stays"))
    loop.stores.brakes.put_on(PAUSED)
    loop.apply(gadget("stays"))
    assert loop.reason("base") == loop.reason("app") == Reason.PAUSED
    loop.stores.brakes.release()
    loop.converge()
    assert set(loop.agent.world) == {"stays"}


def test_a_change_of_owner_does_not_spin_while_paused(loop: Loop) -> None:
    """A thing whose name passes from one key to another waits for a deletion, which does not come now."""
    loop.apply(gadget("a"))
    loop.agent.world["b"] = loop.agent.world["a"]  # the same thing, under the name that the new key gives it
    loop.stores.brakes.put_on(PAUSED)
    loop.take(declare(gadget("b")))
    manager = Manager(loop.parts)
    manager.reconciler.prune(manager.pruner.decide()[0])
    (each,) = manager.reconciler.look([Key("Gadget", "default", "b")], loop.parts.context)
    assert (each.verdict, each.reason, each.after) == (Verdict.SUSPENDED, Reason.PAUSED, None)


def test_a_one_off_run_that_is_braked_in_the_middle_ends_and_does_nothing_more(loop: Loop) -> None:
    create = loop.agent.create

    def create_and_brake(step: Any, ctx: Any) -> Any:
        done = create(step, ctx)
        loop.stores.brakes.put_on(Brake(Reason.STOPPED, "ada", at=1.0))
        return done

    loop.agent.create = create_and_brake  # type: ignore[method-assign]
    loop.take(declare(gadget("a"), gadget("b", dependsOn=["Gadget/a"]), gadget("c", dependsOn=["Gadget/b"])))
    keys = list(loop.index.entries())
    Manager(loop.parts).converge(Errand(keys, Flag()), 20.0)
    assert loop.agent.log == ["create a"]
    assert loop.reason("b") == Reason.STOPPED


# -- what is kept --------------------------------------------------------------------------------------------------


@pytest.fixture
def stores(home: Path) -> Iterator[OpenStores]:
    with open_stores(Home(home)) as opened:
        yield opened


def test_brakes_outlive_the_process_and_the_gravest_comes_first(stores: OpenStores, home: Path) -> None:
    stopped = Brake(Reason.STOPPED, "bob", "", 200.0)
    assert stores.brakes.put_on(PAUSED) and stores.brakes.put_on(stopped)
    with open_stores(Home(home, read_only=True)) as later:
        assert list(later.brakes.all()) == [stopped, PAUSED]


def test_a_second_pause_leaves_the_first_as_it_is(stores: OpenStores) -> None:
    stores.brakes.put_on(PAUSED)
    assert not stores.brakes.put_on(Brake(Reason.PAUSED, "bob", "other", 300.0))
    assert list(stores.brakes.all()) == [PAUSED]


def test_a_brake_that_cannot_be_written_is_on_in_this_process(stores: OpenStores) -> None:
    unwritable(stores)
    with pytest.raises(DatabaseError):
        stores.brakes.put_on(PAUSED)
    assert list(stores.brakes.all()) == [PAUSED]
    writable(stores)
    assert stores.brakes.put_on(PAUSED)
    assert list(stores.brakes.release()) == [PAUSED] and not stores.brakes.all()


def unwritable(stores: OpenStores) -> None:
    with stores.database.read() as connection:
        connection.execute("PRAGMA query_only = 1")


def writable(stores: OpenStores) -> None:
    with stores.database.read() as connection:
        connection.execute("PRAGMA query_only = 0")


# -- crashes -------------------------------------------------------------------------------------------------------


def started(ago: float, *, at: float | None = None, boot: str = "b1", pid: int = 1) -> Start:
    return Start(1_000_000.0 - ago if at is None else at, boot, 50_000.0 - ago, pid)


NOW = started(0.0)


def test_starts_without_an_end_count_for_ten_minutes() -> None:
    assert len(recent([started(WITHIN - 1), started(WITHIN + 1)], NOW)) == 1


@pytest.mark.parametrize("wrong", [3600.0, -3600.0], ids=["set forward", "set back"])
def test_a_clock_that_was_set_does_not_matter_within_one_boot(wrong: float) -> None:
    old, young = started(WITHIN + 1, at=NOW.at + wrong), started(5.0, at=NOW.at + wrong)
    assert recent([old, young], NOW) == [young]


def test_across_a_reboot_the_clock_tells_in_either_direction() -> None:
    before = [
        started(5.0, boot="b0"),
        started(0.0, at=NOW.at + 30, boot="b0"),
        started(0.0, at=NOW.at - 3600, boot="b0"),
    ]
    assert recent(before, NOW) == before[:2]


class Controller:
    """Starts of a controller in one home, a minute apart."""

    def __init__(self, stores: OpenStores, home: Home) -> None:
        self.stores, self.home = stores, home
        self.clock = 0.0
        self.events: list[str] = []
        self.pokes: list[float] = []

    def start(self, after: float = 60.0) -> Lifetime:
        self.clock += after
        made = Lifetime(
            self.stores,
            self.record,
            lambda: self.pokes.append(self.clock),
            lambda: Start(self.clock, "b1", self.clock, 1),
        )
        made.begin()
        return made

    def record(self, level: Level, reason: str, message: str) -> None:
        assert level is Level.WARNING
        self.events.append(f"{reason}: {message}")

    @property
    def braked(self) -> list[str]:
        return [brake.reason for brake in self.stores.brakes.all()]


@pytest.fixture
def controller(stores: OpenStores, home: Path) -> Controller:
    return Controller(stores, Home(home))


def test_the_start_after_three_crashes_is_in_safe_mode_and_says_so(controller: Controller) -> None:
    for _ in range(MANY):
        controller.start()
        assert controller.braked == []
    controller.start()
    assert controller.braked == [Reason.SAFE_MODE]
    assert len(controller.events) == 1
    assert "SafeMode" in controller.events[0] and "crashed 3 times within 10 minutes" in controller.events[0]


def test_orderly_ends_do_not_count(controller: Controller) -> None:
    for _ in range(2 * MANY):
        controller.start().end()
    controller.start()
    assert controller.braked == []


def test_crashes_that_are_far_apart_do_not_count(controller: Controller) -> None:
    for _ in range(2 * MANY):
        controller.start(after=WITHIN / 2)
    assert controller.braked == []


def test_safe_mode_lasts_until_it_is_ended_and_its_crashes_are_forgotten_with_it(controller: Controller) -> None:
    for _ in range(MANY + 1):
        controller.start()
    controller.start(after=10 * WITHIN).end()
    assert controller.braked == [Reason.SAFE_MODE]
    controller.stores.brakes.release()
    controller.stores.starts.forget()
    controller.start()
    assert controller.braked == [] and len(controller.events) == 1


def test_ending_safe_mode_does_not_forget_the_start_of_the_controller_that_runs(controller: Controller) -> None:
    controller.start()
    controller.stores.starts.forget(but=1)
    assert len(controller.stores.starts.unended()) == 1


def test_unwritable_database_keeps_no_controller_from_starting_and_loses_no_count(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.wiring.lifetime.TRY_AGAIN", 0.01)
    for _ in range(MANY):
        controller.start()
    unwritable(controller.stores)
    running = controller.start()
    assert controller.braked == [Reason.SAFE_MODE], "in force although it could not be written"
    assert len(controller.stores.starts.unended()) == MANY
    writable(controller.stores)
    eventually(lambda: len(controller.stores.starts.unended()) == MANY + 1, "the start was written down later")
    assert controller.braked == [Reason.SAFE_MODE] and len(controller.events) == 1
    running.end()
    assert len(controller.stores.starts.unended()) == MANY


def test_safe_mode_that_was_ended_before_it_could_be_written_is_over(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.wiring.lifetime.TRY_AGAIN", 0.2)
    for _ in range(MANY):
        controller.start()
    unwritable(controller.stores)
    running = controller.start()
    writable(controller.stores)
    with open_stores(controller.home) as elsewhere:  # p2 unpause
        assert (list(elsewhere.brakes.release()), elsewhere.starts.forget()) == ([], MANY)
    eventually(lambda: controller.pokes, "the loop was told")
    assert controller.braked == [] and controller.events == []
    running.end()


def test_only_the_last_hundred_starts_are_kept(controller: Controller) -> None:
    for _ in range(150):
        controller.start(after=0.1)
    assert len(controller.stores.starts.unended()) == 100


# -- a queue that moves --------------------------------------------------------------------------------------------


def test_lane_that_takes_nothing_though_work_is_due_is_stuck() -> None:
    clock = 1000.0
    queue = Queue(lambda: clock)
    keys = [Key("Gadget", "default", name) for name in "ab"]
    queue.add("slow", keys[0], Priority.EDIT)
    queue.add("resting", Key("Gadget", "default", "z"), Priority.RESYNC, after=3600.0)
    clock += 100.0
    assert queue.stuck(60.0) == ["slow"]
    assert queue.take("slow", 10) != []
    assert queue.stuck(60.0) == []
    queue.add("slow", keys[1], Priority.EDIT)
    clock += 30.0
    assert queue.stuck(60.0) == [], "it has not waited for long"
    clock += 100.0
    assert queue.stuck(60.0) == ["slow"]
