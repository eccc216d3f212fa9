"""What the write-ahead log costs: fifty containers made by a loop with all stores on disk, and by one with them in memory.

Both run in this process, in turn, with the same agents on the same engine; only the database behind the stores differs. Beside
that the time that the loop spends in the inventory's writes: intent before each change, confirmation after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from fleet import Fleet
from raw_docker import fleet_gone_after, need_image
from timing import Contestant, Goal, Report, Table, clocked, comparison, interleave, shown
from workbench import Bench

from controller.engine.stores import Inventory, Record
from controller.store.home import Home
from controller.store.stores import OpenStores, open_stores
from controller.wiring import workspace
from controller.wiring.settings import Settings

DISK, MEMORY = "stores on disk", "stores in memory"


@dataclass
class Clocked:
    """An inventory, with the seconds that its durable calls have taken."""

    inventory: Inventory
    calls: int = 0
    seconds: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inventory, name)

    def intend(self, records: Iterable[Record]) -> None:
        self._keep(partial(self.inventory.intend, list(records)))

    def confirm(self, records: Iterable[Record]) -> None:
        self._keep(partial(self.inventory.confirm, list(records)))

    def _keep(self, keep: partial[None]) -> None:
        began = time.perf_counter()
        keep()
        self.seconds += time.perf_counter() - began
        self.calls += 1


def run(bench: Bench) -> Report:
    need_image()
    size = 10 if bench.quick else 50
    written: dict[str, list[Clocked]] = {DISK: [], MEMORY: []}
    contestants = [Contestant(name, partial(_converge, bench, size, name, written[name])) for name in written]
    for contestant in contestants:
        contestant.once()  # what is imported and connected the first time belongs to nobody
        written[contestant.name].clear()
    seen = interleave(contestants, bench.rounds(9, 2))
    ratio = seen[DISK].median / seen[MEMORY].median
    share = median(each.seconds for each in written[DISK]) / seen[DISK].median
    goals = [
        Goal(f"{DISK} / {MEMORY}", 1.10, ratio, "x"),
        Goal("time in intend and confirm / time to converge", 0.10, share, "x"),
    ]
    table = comparison(f"{size} containers from nothing to converged", seen, MEMORY)
    return Report("What the write-ahead log costs", [table, _writes(written, size)], goals)


def _converge(bench: Bench, size: int, name: str, written: list[Clocked]) -> float:
    fleet = Fleet(name.replace(" ", "-"), size)
    source = fleet.write_manifests(bench.place("source"))
    settings = replace(Settings.from_environment(), home=bench.place("home"))
    with fleet_gone_after(fleet), _stores(name == MEMORY, written):
        return clocked(lambda: _apply(source, settings))


def _apply(source: Path, settings: Settings) -> None:
    with workspace.Workspace.open(source, settings) as opened:
        opened.load()
        opened.preview()
        summary = opened.converge()
    if not summary.converged:
        raise RuntimeError(f"it did not converge: {summary}")


@contextmanager
def _stores(in_memory: bool, written: list[Clocked]) -> Iterator[None]:
    """Has workspaces opened with stores that are clocked, and with `in_memory` gone when closed."""

    def opened(home: Home | None, *arguments: Any, **named: Any) -> OpenStores:
        stores = open_stores(home, *arguments, **named)
        if in_memory:
            stores.close()
            stores = replace(open_stores(None), installation=stores.installation)
        written.append(Clocked(stores.inventory))
        return replace(stores, inventory=written[-1])  # type: ignore[arg-type]

    before = workspace.open_stores
    workspace.open_stores = opened  # type: ignore[assignment]
    try:
        yield
    finally:
        workspace.open_stores = before  # type: ignore[assignment]


def _writes(written: dict[str, list[Clocked]], size: int) -> Table:
    rows = [
        (
            name,
            f"{median(each.calls for each in rounds):.0f}",
            shown(median(each.seconds / each.calls for each in rounds)),
            shown(median(each.seconds / size for each in rounds)),
        )
        for name, rounds in written.items()
    ]
    return Table("Intents and confirmations", ("", "writes", "each", "a resource"), rows)
