"""Takes times in interleaved rounds and prints them as Markdown. Every benchmark uses it.

Contestants take turns within one run, so that what else the machine does meets all of them alike.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Contestant:
    """One way to do a piece of work. `once` does it and returns the seconds it took."""

    name: str
    once: Callable[[], float]
    rounds: int | None = None  # for one that is slow: fewer than the others


@dataclass(frozen=True)
class Samples:
    """Seconds that one contestant took, in the order taken."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        """The nearest rank, so with fewer than a hundred samples the slowest."""
        return sorted(self.seconds)[math.ceil(0.99 * len(self.seconds)) - 1]


def interleave(contestants: Sequence[Contestant], rounds: int, pause: float = 0.0) -> dict[str, Samples]:
    """Lets the contestants take turns, one after the other and each round in another order.

    `pause`: seconds between turns, where one leaves work behind that would fall into the next one's time.
    """
    taken: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        turn = number % len(contestants)
        for contestant in (*contestants[turn:], *contestants[:turn]):
            if _has_a_turn(contestant, number, rounds):
                taken[contestant.name].append(contestant.once())
                time.sleep(pause)
    return {name: Samples(name, tuple(seconds)) for name, seconds in taken.items()}


def _has_a_turn(contestant: Contestant, number: int, rounds: int) -> bool:
    wanted = min(contestant.rounds or rounds, rounds)
    return number * wanted // rounds != (number - 1) * wanted // rounds


def clocked(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@dataclass(frozen=True)
class Table:
    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [f"**{self.heading}**", "", _row(self.columns), _row("---" for _ in self.columns)]
        return "\n".join([*lines, *(_row(row) for row in self.rows)])


@dataclass(frozen=True)
class Goal:
    """What a figure must reach beside what was seen. `least` turns the comparison round."""

    what: str
    bound: float
    seen: float
    unit: str
    least: bool = False

    def row(self) -> tuple[str, str, str, str]:
        bound = f"{'≥' if self.least else '≤'} {self.bound:g} {self.unit}"
        return (self.what, bound, f"{self.seen:.3g} {self.unit}", "reached" if self._reached() else self._miss())

    def _reached(self) -> bool:
        return self.seen >= self.bound if self.least else self.seen <= self.bound

    def _miss(self) -> str:
        return f"missed by {abs(self.seen - self.bound):.3g} {self.unit}"


@dataclass(frozen=True)
class Report:
    """What one benchmark found. `notes` say what was not measured, and why."""

    title: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        parts = [f"## {self.title}", *(str(table) for table in self.tables)]
        if self.goals:
            columns = ("what", "must reach", "seen", "")
            parts.append(str(Table("Goals", columns, [goal.row() for goal in self.goals])))
        return "\n\n".join([*parts, *(f"- {note}" for note in self.notes)])


def comparison(heading: str, samples: Mapping[str, Samples], reference: str) -> Table:
    """A row a contestant: median, p99, how many times, and the ratio of its median to that of `reference`."""
    base = samples[reference].median if reference in samples else math.nan
    rows = [
        (each.name, shown(each.median), shown(each.p99), str(len(each.seconds)), f"{each.median / base:.2f} x")
        for each in samples.values()
    ]
    return Table(heading, ("", "median", "p99", "rounds", f"to {reference}"), rows)


def shown(seconds: float) -> str:
    """A time with three figures, in the unit that suits it."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def say(text: str) -> None:
    """Progress, on stderr: the figures alone go to stdout."""
    print(text, file=sys.stderr, flush=True)
