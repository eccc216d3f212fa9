"""p2 killed at random moments while fifty resources are edited: the next apply ends where one without a crash would have.

`P2_CHAOS` says how often it is killed (full: 300 times), `P2_TEST_SEED` with which edits and moments.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.census import Census, Findings
from tests.chaos.estate import Estate
from tests.chaos.killer import Killer
from tests.chaos.size import SEED, sized
from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import forgiven

pytestmark = pytest.mark.docker

KILLS = sized(25, 300)
CONTROLLERS = 0.2  # of the kills meet a controller, the others an apply


@pytest.mark.timeout(60 + 30 * KILLS)
def test_killed_at_any_moment_it_loses_nothing_doubles_nothing_and_leaves_nothing_behind(
    story: Story, yard: Yard, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One to three kills in a row, with edits in between or not; then an apply that is let be, and a look at the world."""
    chance = random.Random(SEED)
    estate, killer = Estate(story, yard, chance), Killer(home, chance)
    census, converged = Census(story, yard, estate, home), 0
    found = Findings()
    try:
        while killer.kills < KILLS:
            edited: set[str] = set()
            for attempt in range(chance.choice([1, 1, 2, 2, 3])):
                if attempt == 0 or chance.random() < 0.5:
                    before = dict(estate.wishes)
                    estate.edit(carefully=attempt > 0)
                    edited |= {short for short, wish in estate.wishes.items() if wish != before[short]}
                if chance.random() < CONTROLLERS:
                    killer.kill(story.start("run", env={"PEGASUS2_METRICS_PORT": "0"}), ends=False)
                else:
                    killer.kill(story.start("apply", "--yes"))
            where = f"after {killer.kills} kills with seed {SEED}"
            forgiven(story)
            again = story.p2("apply", "--yes")
            assert again.code == 0, f"{where}:\n{again.out}{again.err}"
            found = census.take(edited)
            assert found.none, f"{where}: {found}"
            assert story.p2("diff").code == 0, where
            converged += 1
        assert "nothing to do" in story.p2("apply").last
        assert census.take(set()).none
    finally:
        with capsys.disabled():
            print(summary(killer, converged, found))


def summary(killer: Killer, converged: int, found: Findings) -> str:
    """The table of docs/reliability.md."""
    lines = [
        ("kill -9 at work on 50 resources", killer.kills),
        *((f"  when {phase}", count) for phase, count in killer.phases.most_common()),
        *((f"  with an open {intent}", count) for intent, count in killer.intents.most_common()),
        ("  applies that ended before their moment", killer.ended_first),
        ("converged afterwards, each time", converged),
        ("duplicates", len(found.duplicates)),
        ("orphans", len(found.orphans)),
        ("lost", len(found.lost)),
        ("unwanted deletions, replacements, restarts", len(found.unwanted)),
        ("not as declared", len(found.wrong)),
    ]
    return "\n".join(["", *(f"  {what:<46} {count:>5}" for what, count in lines)])
