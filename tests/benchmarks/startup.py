"""What a command costs before it does anything: `p2 --help` and `p2 version` beside the import of a CLI library."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from timing import Contestant, Goal, Report, Table, clocked, comparison, interleave
from workbench import Bench, command

REFERENCE = 'python -c "import typer"'
COMMANDS = ("--help", "version")
HEAVY = ("docker", "github", "kopf", "deepdiff", "prometheus_client", "pydantic", "rich", "typer", "yaml", "watchfiles")
FORBIDDEN = frozenset(HEAVY[:5])


def run(bench: Bench) -> Report:
    contestants = [*_pythons(), *_ours(bench)]
    interleave(contestants, 1)  # writes the bytecode
    seen = interleave(contestants, bench.rounds(50, 10))
    imported = {} if bench.baselines_only else {name: _imported(bench, name) for name in COMMANDS}
    rows = [[f"p2 {name}", ", ".join(m for m in HEAVY if m in found) or "none"] for name, found in imported.items()]
    goals = []
    for name, found in imported.items():
        ratio = seen[f"p2 {name}"].median / seen[REFERENCE].median
        goals.append(Goal(f"p2 {name} / {REFERENCE}", 1.3, ratio, "x"))
        goals.append(
            Goal(f"p2 {name}: of {', '.join(sorted(FORBIDDEN))} imported", 0, len(FORBIDDEN & found), "modules")
        )
    tables = [comparison("A new process, bytecode cached", seen, REFERENCE)]
    return Report("Starting up", [*tables, Table("Heavy modules imported", ("", "of those looked for"), rows)], goals)


def _pythons() -> list[Contestant]:
    def python(code: str) -> Contestant:
        return Contestant(f'python -c "{code}"', lambda: clocked(partial(command, (sys.executable, "-c", code))))

    return [python("pass"), python("import typer")]


def _ours(bench: Bench) -> list[Contestant]:
    if bench.baselines_only:
        return []
    calls = {name: partial(command, (bench.p2, name)) for name in COMMANDS}
    return [Contestant(f"p2 {name}", partial(clocked, call)) for name, call in calls.items()]


def _imported(bench: Bench, argument: str) -> frozenset[str]:
    """Top-level modules that the command imports."""
    outcome = subprocess.run(
        [sys.executable, "-X", "importtime", bench.p2, argument], capture_output=True, text=True, check=True
    )
    lines = (line.rpartition("|")[2].strip() for line in outcome.stderr.splitlines() if line.startswith("import time:"))
    return frozenset(line.partition(".")[0] for line in lines)
