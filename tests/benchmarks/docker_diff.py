"""A converged fleet looked at by a new process: `p2 diff` beside the no-op of Compose, pyinfra and Ansible.

`p2 diff` compares every declared field of every container with the live one; Compose compares a hash that it wrote on
the container when it made it. Both have a fleet of the same size in the same engine; pyinfra and Ansible look at p2's.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fleet import Fleet
from pegasus import Pegasus
from raw_docker import Engine, create_fleet, fleet_gone_after, list_and_inspect, need_image
from timing import Contestant, Goal, Report, Samples, Table, clocked, comparison, interleave
from workbench import Bench, command

from resources.meta import DEFAULT_NAMESPACE, Key

DIFF, COMPOSE, RAW = "p2 diff", "Compose up, no-op", "raw list and inspects"
BESIDE = "p2 diff, a controller runs"
PYINFRA, ANSIBLE = "pyinfra, no-op", "Ansible, no-op"


def run(bench: Bench) -> Report:
    need_image()
    sizes = (10,) if bench.quick else (10, 50, 200)
    seen = {size: _measured(bench, size) for size in sizes}
    return Report(
        "A converged fleet, looked at cold",
        [_growth(seen), *(comparison(f"{size} containers", each, COMPOSE) for size, each in seen.items())],
        _goals(seen[sizes[-1]], sizes[-1]),
        bench.missing("docker-compose", "pyinfra", "ansible-playbook"),
    )


def _measured(bench: Bench, size: int) -> dict[str, Samples]:
    ours, theirs = Fleet("p2", size), Fleet("compose", size)
    with fleet_gone_after(ours), fleet_gone_after(theirs):
        p2, source = Pegasus.fresh(bench), ours.write_manifests(bench.place("p2"))
        compose = _compose(bench, theirs)
        contestants = [_raw(ours), *_ours(bench, ours, p2, source), *compose, *_slow_peers(bench, ours)]
        seen = interleave(contestants, bench.rounds(20, 3))
        return seen if bench.baselines_only else seen | _beside(bench, ours, p2, source)


def _raw(fleet: Fleet) -> Contestant:
    return Contestant(RAW, lambda: clocked(lambda: list_and_inspect(Engine(), fleet)))


def _ours(bench: Bench, fleet: Fleet, p2: Pegasus, source: Path) -> list[Contestant]:
    if bench.baselines_only:
        create_fleet(fleet)
        return []
    p2.converge(source)
    p2.diff(source)
    return [Contestant(DIFF, lambda: clocked(lambda: p2.diff(source)))]


def _beside(bench: Bench, fleet: Fleet, p2: Pegasus, source: Path) -> dict[str, Samples]:
    """The same command while a controller runs, which answers it."""
    with p2.controller(source) as controller:
        controller.wait_until_settled([Key("Container", DEFAULT_NAMESPACE, name) for name in fleet.names])
        return interleave([Contestant(BESIDE, lambda: clocked(lambda: p2.diff(source)))], bench.rounds(20, 3))


def _compose(bench: Bench, fleet: Fleet) -> list[Contestant]:
    program = bench.peer("docker-compose")
    if program is None:
        return []
    up = partial(command, (program, "-f", fleet.write_compose(bench.place("compose")), "up", "-d"))
    up()
    return [Contestant(COMPOSE, lambda: clocked(up))]


def _slow_peers(bench: Bench, fleet: Fleet) -> list[Contestant]:
    contestants = []
    if program := bench.peer("pyinfra"):
        pyinfra = partial(command, (program, "@local", fleet.write_pyinfra(bench.place("pyinfra")), "-y"))
        contestants.append(Contestant(PYINFRA, lambda: clocked(pyinfra), rounds=3))
    if program := bench.peer("ansible-playbook"):
        ansible = partial(_unchanged_by_ansible, program, fleet.write_ansible(bench.place("ansible")))
        contestants.append(Contestant(ANSIBLE, lambda: clocked(ansible), rounds=1))
    return contestants


def _unchanged_by_ansible(program: str, playbook: Path) -> None:
    said = command((program, "-i", "localhost,", playbook))
    if "changed=0" not in said:
        raise RuntimeError(f"Ansible found something to change in a converged fleet:\n{said[-2000:]}")


def _growth(seen: dict[int, dict[str, Samples]]) -> Table:
    names = list(seen[min(seen)])
    rows = [[name, *(f"{each[name].median:.3g} s" for each in seen.values())] for name in names]
    return Table("Growth with the number of containers, medians", ("", *map(str, seen)), rows)


def _goals(seen: dict[str, Samples], size: int) -> list[Goal]:
    if DIFF not in seen:
        return []
    ours = seen[DIFF].median
    goals = []
    if COMPOSE in seen:
        goals.append(Goal(f"{DIFF} of {size} / Compose no-op", 1.2, ours / seen[COMPOSE].median, "x"))
    for peer, least in ((PYINFRA, 15), (ANSIBLE, 50)):
        if peer in seen:
            goals.append(Goal(f"{peer} / {DIFF} of {size}", least, seen[peer].median / ours, "x", least=True))
    return goals
