"""What the machine itself uses: processors, load, memory, disks. `top.py` shows it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Disk:
    path: str
    used: int  # bytes
    total: int


@dataclass(frozen=True, slots=True)
class Machine:
    """`cpu` is percent of all processors since the last look."""

    cpu: float
    processors: int
    load: tuple[float, float, float]
    memory: int  # bytes that can't be had
    memory_total: int
    swap: int
    swap_total: int
    disks: tuple[Disk, ...]


def look(home: Path) -> Machine:
    """The disks are that of the root directory, and that of the home where it is another. The first look has no `cpu`."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Machine(
        psutil.cpu_percent(None),
        psutil.cpu_count() or 1,
        os.getloadavg(),
        memory.total - memory.available,
        memory.total,
        swap.used,
        swap.total,
        tuple(_disks(home)),
    )


def _disks(home: Path) -> list[Disk]:
    found: dict[int, Disk] = {}
    for path in (Path("/"), next(place for place in (home, *home.parents) if place.exists())):
        usage = psutil.disk_usage(str(path))
        found.setdefault(path.stat().st_dev, Disk(str(path), usage.used, usage.total))
    return list(found.values())
