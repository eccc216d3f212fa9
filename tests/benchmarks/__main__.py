"""Runs benchmarks and prints their figures as Markdown: `python tests/benchmarks [NAME ...] [--quick] [--peers-dir DIR]`.

Without names all of them run. Figures go to stdout, progress to stderr. Nothing here passes or fails: these are figures,
not verdicts.
"""

from __future__ import annotations

import argparse
import importlib
from datetime import date
from pathlib import Path

from timing import Report, say
from workbench import Bench, machine, own_folder, p2_beside_this_python

NAMES = (
    "startup",
    "files_templated",
    "scale",
    "raw_docker",
    "docker_diff",
    "docker_apply",
    "compose_project",
    "write_ahead",
    "controller_latency",
    "rest",
    "kube_latency",
    "kube_scale",
)


def main() -> None:
    asked = _arguments()
    print(f"Taken on {date.today()}: {machine()}.\n", flush=True)
    with own_folder() as folder:
        bench = Bench(
            folder, asked.p2, asked.peers_dir, asked.quick, asked.baselines, asked.seconds_at_rest, asked.rounds
        )
        for name in asked.names or NAMES:
            say(f"== {name}")
            report: Report = importlib.import_module(name).run(bench)
            print(f"{report}\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*NAMES, []], help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="few rounds and small sizes: a smoke test of the programs")
    parser.add_argument("--rounds", type=int, default=1000, help="at most so many rounds")
    parser.add_argument("--baselines", action="store_true", help="only the raw engine and the peers, without p2")
    parser.add_argument(
        "--peers-dir", type=Path, help="where Compose, pyinfra, Ansible and Salt are, see docs/performance.md"
    )
    parser.add_argument("--p2", default=p2_beside_this_python(), help="the program to measure")
    parser.add_argument("--seconds-at-rest", type=float, default=300.0, help="how long to watch the controller at rest")
    return parser.parse_args()


if __name__ == "__main__":
    main()
