"""Growth: from 10 to 10,000 resources, fifty a file, looked at cold and edited under a running controller.

Kind `File`, and a kind whose world is a dictionary (`plugin/widgets`), to tell the loop's own time from the disk's.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import textwrap
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from pegasus import Controller, Pegasus
from timing import Contestant, Goal, Report, Samples, Table, clocked, interleave, shown
from workbench import Bench

from resources.meta import DEFAULT_NAMESPACE, Key

PER_FILE = 50
PLUGIN = Path(__file__).with_name("plugin")
FIRST, WARM = "p2 diff, first", "p2 diff, parse cache warm"


class Kind(ABC):
    """`size` resources of one kind, and how to see from outside that one was changed."""

    name: str

    def __init__(self, folder: Path, home: Path, size: int) -> None:
        self.folder = folder
        self.home = home
        self.size = size
        self.source = folder / "state"

    @abstractmethod
    def document(self, number: int, text: str) -> str: ...

    @abstractmethod
    def shows(self, number: int, text: str) -> bool:
        """Whether the world already is as an edit of resource `number` wants it."""

    @property
    def keys(self) -> list[Key]:
        return [Key(self.name, DEFAULT_NAMESPACE, f"thing-{number}") for number in range(self.size)]

    def write(self) -> None:
        self.source.mkdir()
        for first in range(0, self.size, PER_FILE):
            self.save(first)

    def save(self, number: int, text: str | None = None) -> float:
        """Writes the file of resource `number` with that resource's new text. Returns when (seconds since the epoch)."""
        first = number - number % PER_FILE
        numbers = range(first, min(first + PER_FILE, self.size))
        draft = self.folder / "draft"
        draft.write_text("---\n".join(self.document(n, text if text and n == number else f"text {n}") for n in numbers))
        saved = time.time()
        draft.replace(self.source / f"things-{first:05}.yaml")
        return saved


class Files(Kind):
    name = "File"

    def document(self, number: int, text: str) -> str:
        return textwrap.dedent(f"""\
            apiVersion: pegasus2.dev/v1
            kind: File
            metadata:
              name: thing-{number}
            spec:
              path: {self.path(number)}
              content: {json.dumps(text)}
              mode: "0644"
            """)

    def shows(self, number: int, text: str) -> bool:
        try:
            return self.path(number).read_text() == text
        except FileNotFoundError:
            return False

    def path(self, number: int) -> Path:
        return self.folder / "made" / f"thing-{number}"

    def write(self) -> None:
        (self.folder / "made").mkdir()
        super().write()


class Widgets(Kind):
    name = "Widget"

    def document(self, number: int, text: str) -> str:
        return textwrap.dedent(f"""\
            apiVersion: pegasus2.dev/v1
            kind: Widget
            metadata:
              name: thing-{number}
            spec:
              text: {json.dumps(text)}
              colour: green
              sizes: [1, 2, 3]
            """)

    def shows(self, number: int, text: str) -> bool:
        with (self.home / "widgets.jsonl").open("rb") as journal:
            journal.seek(-min(1000, journal.seek(0, os.SEEK_END)), os.SEEK_END)
            return f'"thing-{number}", ["{text}"'.encode() in journal.read()


@dataclass(frozen=True)
class Size:
    """What was seen at one number of resources."""

    first: Samples
    warm: Samples
    creation: float  # seconds
    edits: Samples
    cpu: float  # seconds of the controller's CPU an edit


def run(bench: Bench) -> Report:
    if bench.baselines_only:
        return Report("Growth", [], notes=["only p2 is measured here"])
    sizes = (10, 200) if bench.quick else (10, 50, 200, 1_000, 10_000)
    seen = {kind: {size: _measured(bench, kind, size) for size in sizes} for kind in (Files, Widgets)}
    return Report(
        "Growth",
        [_table(kind.name, of_kind) for kind, of_kind in seen.items()],
        [goal for kind, of_kind in seen.items() for goal in _goals(kind.name, of_kind)],
    )


def _measured(bench: Bench, model: type[Kind], size: int) -> Size:
    p2 = Pegasus.fresh(bench, PYTHONPATH=str(PLUGIN))
    things = model(bench.place(model.name.lower()), p2.home, size)
    things.write()
    creation = clocked(lambda: p2.converge(things.source))
    p2.diff(things.source)
    cold = interleave(_cold(p2, things.source), bench.rounds(7, 2))
    with p2.controller(things.source) as controller:
        controller.wait_until_settled(things.keys)
        edits, cpu = _edited(things, controller, bench.rounds(30, 5))
    return Size(cold[FIRST], cold[WARM], creation, edits, cpu)


def _cold(p2: Pegasus, source: Path) -> list[Contestant]:
    def first() -> float:
        p2.forget_parsed()
        return clocked(lambda: p2.diff(source))

    return [Contestant(FIRST, first), Contestant(WARM, lambda: clocked(lambda: p2.diff(source)))]


def _edited(things: Kind, controller: Controller, rounds: int) -> tuple[Samples, float]:
    """Seconds from each edit until the world shows it, and CPU seconds of the controller an edit."""
    numbers = itertools.cycle(range(0, things.size, max(1, things.size // 7)))
    time.sleep(2)
    used = controller.cpu_seconds()
    seconds = []
    for edition in range(rounds):
        number, text = next(numbers), f"edition {edition}"
        saved = things.save(number, text)
        seconds.append(controller.wait_for(lambda: things.shows(number, text)) - saved)  # noqa: B023
        time.sleep(random.uniform(0.2, 0.5))  # so that no edit keeps step with what the controller does in intervals
    return Samples("edit -> changed", tuple(seconds)), (controller.cpu_seconds() - used) / rounds


def _table(kind: str, seen: dict[int, Size]) -> Table:
    rows = [
        [
            f"{size:,}",
            shown(each.first.median),
            shown(each.warm.median),
            shown(each.creation),
            f"{shown(each.edits.median)} / {shown(each.edits.p99)}",
            shown(each.cpu),
        ]
        for size, each in seen.items()
    ]
    columns = (f"{kind} resources", FIRST, WARM, "p2 apply, from nothing", "edit -> changed, p50 / p99", "CPU an edit")
    return Table(f"Kind {kind}", columns, rows)


def _goals(kind: str, seen: dict[int, Size]) -> list[Goal]:
    size = max(seen)
    largest, middle = seen[size], seen[200]
    return [
        Goal(f"{FIRST}, {size:,} {kind}", 6.0, largest.first.median, "s"),
        Goal(f"{WARM}, {size:,} {kind}", 1.5, largest.warm.median, "s"),
        Goal(f"edit -> changed among {size:,} {kind}, p50", 100, largest.edits.median * 1e3, "ms"),
        Goal(f"edit -> changed among {size:,} {kind}, p99", 100, largest.edits.p99 * 1e3, "ms"),
        Goal(f"CPU an edit, {size:,} {kind} / 200", 1.5, largest.cpu / middle.cpu, "x"),
    ]
