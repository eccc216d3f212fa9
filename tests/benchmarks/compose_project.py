"""A Compose project of fifty services: nothing to do, one service changed, one container removed by hand.

Compose 1.29 and 2.26 bring the project up again; `p2 apply` has it as one `Compose` resource, without a controller and beside
one. Each has a project of its own on the same engine.
"""

from __future__ import annotations

import json
import os
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fleet import COMMAND, IMAGE
from pegasus import Pegasus
from raw_docker import need_image
from timing import Contestant, Goal, Report, Samples, clocked, comparison, interleave
from workbench import Bench, command

from resources.meta import Key

V1, V2, COLD, BESIDE = "Compose 1.29", "Compose v2", "p2 apply", "p2 apply, a controller runs"


@dataclass
class Project:
    """A project in a folder of its own: services on two networks, with volumes, the later ones after the first ten."""

    use: str
    size: int
    folder: Path
    edition: int = 0
    run: str = field(default_factory=lambda: f"p2bench{os.getpid()}")

    @property
    def name(self) -> str:
        return f"{self.run}{self.use}"

    @property
    def file(self) -> Path:
        return self.folder / "project" / "compose.yaml"

    def write(self) -> None:
        services = {self._name(number): self._service(number) for number in range(self.size)}
        networks, volumes = {"front": {}, "back": {}}, {f"data{number}": {} for number in range(5)}
        content = {"version": "3.8", "services": services, "networks": networks, "volumes": volumes}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(content, indent=1))

    def _name(self, number: int) -> str:
        return f"s{number:03}"

    def _service(self, number: int) -> dict[str, object]:
        edition = self.edition if number == self.size // 2 else 0
        found: dict[str, object] = {
            "image": IMAGE,
            "command": COMMAND,
            "environment": {"NAME": self._name(number), "EDITION": str(edition), "MODE": "benchmark"},
            "labels": {"bench": self.name},
            "restart": "unless-stopped",
            "stop_signal": "SIGKILL",
            "networks": ["front", "back"] if number % 2 else ["back"],
            "volumes": [f"data{number % 5}:/data"],
        }
        return found | ({"depends_on": [self._name(number % 10)]} if number >= 10 else {})

    def change(self) -> None:
        """Another environment for one service."""
        self.edition += 1
        self.write()

    def drift(self) -> None:
        """Removes one container by hand."""
        command(("docker", "rm", "-f", *self.containers(f"com.docker.compose.service={self._name(self.size // 2)}")))

    def containers(self, *labels: str) -> list[str]:
        filters = [f"--filter=label={label}" for label in (f"bench={self.name}", *labels)]
        return command(("docker", "ps", "-aq", *filters)).split()

    def remove(self) -> None:
        if found := self.containers():
            command(("docker", "rm", "-f", *found))
        for kind in ("network", "volume"):
            filtered = f"--filter=label=com.docker.compose.project={self.name}"
            for each in command(("docker", kind, "ls", "-q", filtered)).split():
                self._remove(kind, each)

    @staticmethod
    def _remove(kind: str, name: str) -> None:
        """An engine lets go of a container's networks some time after the container."""
        for _ in range(20):
            if name in command(("docker", kind, "rm", name), expect=(0, 1)):
                return
            time.sleep(0.5)

    def manifest(self) -> Path:
        """The folder with the one resource that stands for it."""
        source = self.folder / "state"
        source.mkdir(exist_ok=True)
        (source / "project.yaml").write_text(
            textwrap.dedent(f"""\
                apiVersion: pegasus2.dev/v1
                kind: Compose
                metadata: {{name: {self.name}}}
                spec:
                  files: [{self.file}]
                  project: {self.name}
                """)
        )
        return source

    @property
    def key(self) -> Key:
        return Key("Compose", "default", self.name)


def run(bench: Bench) -> Report:
    need_image()
    size, rounds = (6, 2) if bench.quick else (50, 11)
    with ExitStack() as closing:
        ways = list(_ways(bench, size, closing))
        for way in ways:
            way.up()
        seen = {what: _seen(ways, what, bench.rounds(rounds, 2)) for what in ("nothing", "change", "drift")}
    tables = [
        comparison(f"{size} services, nothing to do", seen["nothing"], V2),
        comparison(f"{size} services, one changed", seen["change"], V2),
        comparison(f"{size} services, one container removed by hand", seen["drift"], V2),
    ]
    return Report("A Compose project", tables, list(_goals(seen)), bench.missing("docker-compose", "docker-compose-1"))


@dataclass(frozen=True)
class Way:
    """One program with a project of its own. `up` brings it to what is written."""

    name: str
    project: Project
    up: Callable[[], object]

    def contestant(self, what: str) -> Contestant:
        def once() -> float:
            if what == "change":
                self.project.change()
            if what == "drift":
                self.project.drift()
            took = clocked(self.up)
            if len(self.project.containers()) != self.project.size:
                raise RuntimeError(f"{self.name} has left {len(self.project.containers())} containers")
            return took

        return Contestant(self.name, once)


def _ways(bench: Bench, size: int, closing: ExitStack) -> Iterator[Way]:
    for name, program, use in ((V1, "docker-compose-1", "v1"), (V2, "docker-compose", "v2")):
        if found := bench.peer(program):
            project = closing.enter_context(_project(bench, use, size))
            arguments = (found, "-p", project.name, "-f", project.file, "up", "-d")
            yield Way(name, project, lambda arguments=arguments: command(arguments))  # type: ignore[misc]
    if bench.baselines_only:
        return
    project = closing.enter_context(_project(bench, "cold", size))
    cold, source = Pegasus.fresh(bench), project.manifest()
    yield Way(COLD, project, lambda: cold.converge(source))
    project = closing.enter_context(_project(bench, "run", size))
    beside, watched = Pegasus.fresh(bench), project.manifest()
    beside.converge(watched)
    controller = closing.enter_context(beside.controller(watched))
    with controller.watching() as status_of:
        controller.wait_for(lambda: (status := status_of(project.key)) is not None and status.ready)
    yield Way(BESIDE, project, lambda: beside.converge(watched))


@contextmanager
def _project(bench: Bench, use: str, size: int) -> Iterator[Project]:
    project = Project(use, size, bench.place(use))
    project.write()
    try:
        yield project
    finally:
        project.remove()


def _seen(ways: list[Way], what: str, rounds: int) -> dict[str, Samples]:
    return interleave([way.contestant(what) for way in ways], rounds, pause=0.2)


def _goals(seen: dict[str, dict[str, Samples]]) -> Iterator[Goal]:
    wanted = [
        ("nothing", COLD, V1, 0.5),
        ("nothing", COLD, V2, 1.2),
        ("nothing", BESIDE, V2, 0.5),
        *((what, ours, theirs, 1.0) for what in ("change", "drift") for ours in (COLD, BESIDE) for theirs in (V1, V2)),
    ]
    for what, ours, theirs, bound in wanted:
        if ours in seen[what] and theirs in seen[what]:
            ratio = seen[what][ours].median / seen[what][theirs].median
            yield Goal(f"{what}: {ours} / {theirs}", bound, ratio, "x")
