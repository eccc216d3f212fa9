"""`p2 operator` that is killed, and an API server that goes away, while fifty objects are edited: all of them converge.

`P2_CHAOS` says how often (full: 20 kills, 10 restarts), `P2_TEST_SEED` with which edits and moments.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apiserver import OwnKubernetes
from tests.chaos.census import Census
from tests.chaos.cluster_estate import ClusterEstate
from tests.chaos.killer import Killer
from tests.chaos.size import SEED, sized
from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import OperatorProcess, eventually, forgiven

pytestmark = [pytest.mark.kube, pytest.mark.docker]

KILLS = sized(3, 20)
RESTARTS = sized(1, 10)
SETTLED = 90.0  # seconds for fifty objects
FIX = "put right by nobody but the operator\n"


@dataclass
class Scene:
    """An estate in a cluster, an operator that works on it, and what looks at both."""

    story: Story
    server: OwnKubernetes
    estate: ClusterEstate
    census: Census
    operator: OperatorProcess
    chance: random.Random

    def edit(self, *, carefully: bool) -> set[str]:
        """Edits. Returns the short names of what is wished otherwise now."""
        before = dict(self.estate.wishes)
        self.estate.edit(carefully=carefully)
        return {short for short, wish in self.estate.wishes.items() if wish != before[short]}

    def start(self) -> None:
        forgiven(self.story)
        self.operator.start()

    def converges(self, edited: set[str], where: str) -> None:
        """All wishes come true, with nothing beside them, and nothing was touched but what was edited."""
        try:
            eventually(self.estate.settled, f"all was as wished {where}", SETTLED)
            # What lost its object before that had a finalizer goes when the operator has been up for a moment.
            eventually(lambda: not self.census.stale(), f"nothing was left {where}")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.estate.unsettled()}\n{self.operator.log[-3000:]}") from None
        found = self.census.take(edited)
        assert found.none, f"{where}: {found}\n{self.operator.log[-3000:]}"

    def ends(self) -> None:
        """All objects are deleted: none stays, and of the things only what is to outlive them."""
        edited = {short for short, wish in self.estate.wishes.items() if wish.declared}
        self.estate.wish_nothing()
        self.converges(edited, "when all objects were deleted")
        assert self.operator.end() == 0, self.operator.log[-3000:]


@pytest.fixture
def scene(story: Story, yard: Yard, home: Path, tmp_path: Path, server: OwnKubernetes) -> Iterator[Scene]:
    chance = random.Random(SEED)
    with closing(server.client()) as client:
        estate = ClusterEstate(story, yard, chance, client)
        census = Census(story, yard, estate, home)
        env = {"PEGASUS2_HOME": str(home)}
        operator = OperatorProcess(tmp_path / "operator", server.kubeconfig, "atlas", "--default", env=env)
        try:
            yield Scene(story, server, estate, census, operator, chance)
        finally:
            operator.kill()


@pytest.mark.timeout(120 + 30 * KILLS)
def test_operator_killed_at_any_moment_loses_nothing_doubles_nothing_and_leaves_nothing_undeletable(
    scene: Scene, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killer, converged = Killer(home, scene.chance), 0
    scene.start()
    while killer.kills < KILLS:
        edited: set[str] = set()
        for attempt in range(scene.chance.choice([1, 1, 2, 3])):
            edited |= scene.edit(carefully=attempt > 0)
            killer.kill(scene.operator.process, ends=False)
            if scene.chance.random() < 0.3:  # while nobody is there to see it
                edited |= scene.edit(carefully=True)
            scene.start()
        scene.converges(edited, f"after {killer.kills} kills with seed {SEED}")
        converged += 1
    scene.ends()
    with capsys.disabled():
        print(
            f"\n  {killer.kills} kills -9: {dict(killer.phases)}, {dict(killer.intents)}; converged {converged} times"
        )


@pytest.mark.timeout(120 + 60 * RESTARTS)
def test_restarts_of_the_api_server_during_work_lose_nothing_and_drift_is_healed_meanwhile(scene: Scene) -> None:
    edited = scene.edit(carefully=False)
    scene.start()
    scene.converges(edited, "at first")
    kept = scene.story.world / "p0"
    for count in range(1, RESTARTS + 1):
        edited = scene.edit(carefully=False)
        time.sleep(scene.chance.uniform(0, 1.5))  # a random moment of the work
        scene.server.stop()
        kept.write_text(FIX)
        eventually(lambda: kept.read_text() != FIX, "drift was healed with no API server there")
        scene.server.start()
        scene.converges(edited | {"p0"}, f"after {count} restarts with seed {SEED}")
    scene.ends()
