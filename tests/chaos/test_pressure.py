"""More than anybody should ask of a controller: its work stays bounded, what is beside it is served, and it ends right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread

import pytest

from tests.chaos.meter import Metered
from tests.chaos.size import sized
from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import all_ready, at_rest, eventually, happened, listed

EDITS = sized(300, 1000)
PACE = 0.01  # seconds between two edits
DEBOUNCE = 0.05  # seconds within which edits are one, at least
FIGHT = float(sized(12, 60))  # seconds that people go on
MEGABYTE = 1024 * 1024


@pytest.fixture
def metered(story: Story) -> Iterator[Metered]:
    made = Metered(story)
    yield made
    made.kill()


@contextmanager
def people(*hands: Callable[[], object], every: float) -> Iterator[None]:
    """Each of them does the same thing again and again, while the block lasts."""
    enough = Flag()

    def insist(hand: Callable[[], object]) -> None:
        while not enough.wait(every):
            hand()

    threads = [Thread(target=insist, args=(hand,)) for hand in hands]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def reason(story: Story, name: str) -> str:
    return str(listed(story).get(name, {}).get("reason", ""))


def test_thousand_edits_of_one_file_end_in_the_last_one_with_bounded_work(story: Story, metered: Metered) -> None:
    """Files are written in place, so that some readings meet an empty one or a half: nothing goes for that."""
    story.write("all.yaml", story.file("edited", "edit 0"), story.file("stays"))
    metered.start()
    eventually(lambda: all_ready(story, ["edited", "stays"]), "both were made")
    before, stays = metered.read(), (story.world / "stays").stat()
    began = time.monotonic()
    for number in range(1, EDITS + 1):
        story.write("all.yaml", story.file("edited", f"edit {number}"), story.file("stays"))
        assert (story.world / "edited").exists()
        time.sleep(PACE)  # the pace is what is asked
    took = time.monotonic() - began
    eventually(lambda: (story.world / "edited").read_text() == f"edit {EDITS}", "the last edit was applied")
    eventually(lambda: all_ready(story, ["edited", "stays"]), "all was ready")
    work = metered.read() - before
    assert 1 <= work.changes <= took / DEBOUNCE + 2
    assert work.passes <= 4 * (took / DEBOUNCE + 2)
    assert work.memory < 30 * MEGABYTE
    assert (story.world / "stays").stat() == stays
    assert at_rest(metered)


def test_people_who_keep_changing_a_file_are_named_as_such_and_cost_little(story: Story, metered: Metered) -> None:
    story.write("all.yaml", story.file("fought-over"), story.file("beside"))
    metered.start()
    eventually(lambda: all_ready(story, ["fought-over", "beside"]), "both were made")
    before, path = metered.read(), story.world / "fought-over"
    with people(lambda: path.write_text("mine"), lambda: path.write_text("no, mine"), every=0.05):
        began = time.monotonic()
        eventually(lambda: reason(story, "fought-over") == "Contested", "it said that somebody changes it back")
        assert "content" in listed(story)["fought-over"]["message"]
        edited = time.monotonic()
        story.write("all.yaml", story.file("fought-over"), story.file("beside", "edited"))
        eventually(lambda: (story.world / "beside").read_text() == "edited", "the other one was served", seconds=5)
        assert time.monotonic() - edited < 5
        while time.monotonic() - began < FIGHT:
            time.sleep(0.1)  # the fight has to last
        work, took = metered.read() - before, time.monotonic() - began
    assert work.changes <= 20, "healing goes on at longer and longer intervals"
    assert work.cpu < 0.25 * took
    assert work.memory < 30 * MEGABYTE
    eventually(lambda: path.read_text() == "hello", "it was healed when they had gone", seconds=90)
    eventually(lambda: all_ready(story, ["fought-over", "beside"]), "all was ready")


@pytest.mark.docker
def test_people_who_fight_over_the_limit_of_a_container_do_not_get_it_restarted(
    story: Story, yard: Yard, metered: Metered
) -> None:
    story.write("all.yaml", yard.container("web", memory="64m"), yard.container("db"))
    metered.start()
    names = [yard.name("web"), yard.name("db")]
    eventually(lambda: all_ready(story, names), "both were made")
    before, as_it_was = metered.read(), yard.fingerprint()
    one, other = Yard(yard.engine), Yard(type(yard.engine)(timeout=30))
    one.prefix = other.prefix = yard.prefix

    def set_limit(hands: Yard, megabytes: int) -> None:
        hands.update("web", Memory=megabytes << 20, MemorySwap=megabytes << 21)

    with people(lambda: set_limit(one, 80), lambda: set_limit(other, 96), every=0.2):
        began = time.monotonic()
        eventually(lambda: reason(story, names[0]) == "Contested", "it said that somebody changes it back")
        assert "memory" in listed(story)[names[0]]["message"]
        while time.monotonic() - began < FIGHT:
            time.sleep(0.1)  # as above
        work, took = metered.read() - before, time.monotonic() - began
    other.engine.close()
    assert work.changes <= 20
    assert work.cpu < 0.25 * took
    eventually(lambda: yard.inspect("web")["HostConfig"]["Memory"] == 64 << 20, "it was healed", seconds=90)
    assert yard.fingerprint() == as_it_was, "nothing was restarted for it"


@pytest.mark.docker
def test_container_that_dies_every_second_keeps_nobody_else_waiting(story: Story, yard: Yard, metered: Metered) -> None:
    """One that p2 itself has to start again, and one that the engine does."""
    dying = {"command": ["sh", "-c", "sleep 1; exit 3"]}
    story.write("flapping.yaml", yard.container("flaps", **dying), yard.container("loops", **dying, restart="always"))
    story.write("beside.yaml", yard.container("beside", memory="64m"))
    metered.start()
    eventually(lambda: yard.running("beside"), "the other one was made")
    beside, before, began = yard.fingerprint()["beside"], metered.read(), time.monotonic()
    eventually(lambda: reason(story, yard.name("loops")) == "CrashLoop", "it said that one dies again and again")
    eventually(lambda: reason(story, yard.name("flaps")) == "Contested", "it said so of the other one", seconds=60)
    story.write("beside.yaml", yard.container("beside", memory="96m"))
    eventually(lambda: yard.inspect("beside")["HostConfig"]["Memory"] == 96 << 20, "an edit was served", seconds=5)
    while time.monotonic() - began < FIGHT:
        time.sleep(0.1)  # as above
    work, took = metered.read() - before, time.monotonic() - began
    assert work.changes <= 25
    assert work.cpu < 0.25 * took
    assert "code 3" in story.p2("describe", f"container/{yard.name('loops')}").out
    assert yard.fingerprint()["beside"] == beside
    story.write("flapping.yaml", yard.container("flaps"), yard.container("loops"))
    steady = ["beside", "flaps", "loops"]
    eventually(lambda: yard.command("flaps") == ["sleep", "1000"], "the fix of one was acted on")
    eventually(lambda: yard.names() == steady and yard.running(*steady), "that of the other one, too")
    eventually(lambda: all_ready(story, [yard.name(short) for short in steady]), "all was ready")
    assert happened(story, "Deleted") == []
    assert at_rest(metered, yard.fingerprint)
