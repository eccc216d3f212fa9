"""Fifty containers from nothing: `p2 apply` beside the engine's own API at its best, and Compose."""

from __future__ import annotations

from functools import partial

from fleet import Fleet
from pegasus import Pegasus
from raw_docker import create_fleet, fleet_gone_after, need_image
from timing import Contestant, Goal, Report, clocked, comparison, interleave
from workbench import Bench, command

APPLY, COMPOSE = "p2 apply", "Compose up"
RAW = {in_flight: f"raw, {in_flight} in flight" for in_flight in (4, 8)}  # the optimum lies at one of them


def run(bench: Bench) -> Report:
    need_image()
    size = 10 if bench.quick else 50
    contestants = [*_raw(size), *_ours(bench, size), *_compose(bench, size)]
    seen = interleave(contestants, bench.rounds(7, 2))
    best = min(seen[name].median for name in RAW.values())
    goals = []
    if APPLY in seen:
        goals.append(Goal(f"{APPLY} of {size} / raw API at its best", 1.05, seen[APPLY].median / best, "x"))
        if COMPOSE in seen:
            goals.append(Goal(f"{APPLY} of {size} / Compose", 1.0, seen[APPLY].median / seen[COMPOSE].median, "x"))
    table = comparison(f"{size} containers created, started and seen running", seen, RAW[4])
    return Report("A fleet from nothing", [table], goals, bench.missing("docker-compose"))


def _raw(size: int) -> list[Contestant]:
    def created(in_flight: int) -> float:
        fleet = Fleet(f"raw{in_flight}", size)
        with fleet_gone_after(fleet):
            return clocked(lambda: create_fleet(fleet, in_flight))

    return [Contestant(name, partial(created, in_flight)) for in_flight, name in RAW.items()]


def _ours(bench: Bench, size: int) -> list[Contestant]:
    if bench.baselines_only:
        return []
    fleet = Fleet("p2", size)
    source = fleet.write_manifests(bench.place("p2"))

    def applied() -> float:
        p2 = Pegasus.fresh(bench)
        with fleet_gone_after(fleet):
            return clocked(lambda: p2.converge(source))

    return [Contestant(APPLY, applied)]


def _compose(bench: Bench, size: int) -> list[Contestant]:
    program = bench.peer("docker-compose")
    if program is None:
        return []
    fleet = Fleet("compose", size)
    up = partial(command, (program, "-f", fleet.write_compose(bench.place("compose")), "up", "-d"))

    def brought_up() -> float:
        with fleet_gone_after(fleet):
            return clocked(up)

    return [Contestant(COMPOSE, brought_up)]
