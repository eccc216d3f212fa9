"""A running controller: how long after an edit, or after a container was removed by hand, the machine is right again.

Beside it, in the same rounds, the engine's own time for the same work: the requests of a replacement, and a loop that
makes a container anew on its `destroy` event and does nothing else.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from fleet import Fleet
from pegasus import Controller, Pegasus
from raw_docker import (
    RESTORE,
    SHORTEST,
    UNDOABLE,
    Clock,
    create_fleet,
    fleet_gone_after,
    need_image,
    removed_by_hand,
    replacing,
    restorer,
    restoring,
)
from timing import Contestant, Goal, Report, Samples, comparison, interleave
from workbench import Bench

from resources.conditions import Status
from resources.meta import DEFAULT_NAMESPACE, Key

READY, RUNNING, HEALED = "p2 edit -> Ready", "p2 edit -> running", "p2 removed by hand -> running"


def run(bench: Bench) -> Report:
    need_image()
    ours, replaced, healed = Fleet("p2", 20 if bench.quick else 200), Fleet("replaced", 10), Fleet("healed", 10)
    with fleet_gone_after(ours), fleet_gone_after(replaced), fleet_gone_after(healed):
        create_fleet(replaced)
        create_fleet(healed)
        with restorer(healed):
            seen = _measured(bench, ours, [*replacing(replaced), restoring(healed)])
    edits = {name: seen[name] for name in (SHORTEST, UNDOABLE, RUNNING, READY) if name in seen}
    heals = {name: seen[name] for name in (RESTORE, HEALED) if name in seen}
    return Report(
        "A running controller",
        [
            comparison(f"one of {ours.size} containers edited", edits, UNDOABLE),
            comparison(f"one of {ours.size} containers removed by hand", heals, RESTORE),
        ],
        _goals(seen),
    )


def _measured(bench: Bench, fleet: Fleet, baselines: list[Contestant]) -> dict[str, Samples]:
    rounds = bench.rounds(100, 10)
    if bench.baselines_only:
        return interleave(baselines, rounds, pause=0.2)
    source, p2 = fleet.write_manifests(bench.place("p2")), Pegasus.fresh(bench)
    p2.converge(source)
    with p2.controller(source) as controller, controller.watching() as find:
        controller.wait_until_settled([_key(name) for name in fleet.names])
        edits = Edits(fleet, source, controller, find)
        names, clock = itertools.cycle(reversed(fleet.names)), Clock(fleet)
        ours = [Contestant(READY, edits.once), Contestant(HEALED, lambda: removed_by_hand(next(names), clock))]
        seen = interleave([*baselines, *ours], rounds, pause=0.2)
    return {**seen, RUNNING: Samples(RUNNING, tuple(edits.running))}


def _key(name: str) -> Key:
    return Key("Container", DEFAULT_NAMESPACE, name)


class Edits:
    """Gives one container after another a new value in its environment, the way an editor saves a file."""

    def __init__(
        self, fleet: Fleet, source: Path, controller: Controller, find: Callable[[Key], Status | None]
    ) -> None:
        self._fleet = fleet
        self._source = source
        self._controller = controller
        self._find = find
        self._names = itertools.cycle(fleet.names)
        self._clock = Clock(fleet)
        self.running: list[float] = []  # seconds from each edit to the engine's `start` event

    def once(self) -> float:
        """Seconds from the edit until its status is Ready."""
        name = next(self._names)
        before = self._find(_key(name))
        draft = self._source.with_suffix(".draft")
        draft.write_text(self._fleet.manifest(name, edition=str(time.time_ns())))
        start = time.time()
        draft.replace(self._source / f"{name}.yaml")
        self.running.append(self._clock.after("start", name, start) - start)
        return self._controller.wait_for(lambda: self._is_ready(name, before)) - start

    def _is_ready(self, name: str, before: Status | None) -> bool:
        now = self._find(_key(name))
        return (
            now is not None and now.ready and (before is None or now.observed_generation > before.observed_generation)
        )


def _goals(seen: dict[str, Samples]) -> list[Goal]:
    if READY not in seen:
        return []
    return [
        _over(seen, READY, UNDOABLE, "median", 150),
        _over(seen, HEALED, RESTORE, "median", 50),
        _over(seen, HEALED, RESTORE, "p99", 50),
    ]


def _over(seen: dict[str, Samples], ours: str, raw: str, figure: str, allowed: float) -> Goal:
    """How many milliseconds ours takes more than the engine's own."""
    over = (getattr(seen[ours], figure) - getattr(seen[raw], figure)) * 1000
    return Goal(f"{ours}, {figure}, over {raw}", allowed, over, "ms")
