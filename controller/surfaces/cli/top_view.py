"""How the figures of `p2 top` are worked out and look. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.console import Paint, Style
from controller.surfaces.cli.table import Cell, Table
from controller.surfaces.cli.words import moment

if TYPE_CHECKING:
    from controller.engine.by_hand import Usage
    from controller.surfaces.cli.machine import Machine
    from resources.meta import Key

HEADING = ["RESOURCE", "CPU", "MEMORY", "LIMIT", "IN/s", "OUT/s", "READ/s", "WRITTEN/s", "PROCESSES", "NAME"]
_BUSY = 80.0  # percent of a limit from which on a figure is worth a look
_UNITS = ("B", "K", "M", "G", "T")


@dataclass(frozen=True, slots=True)
class Using:
    """What one thing uses between two looks. `usage` is None for what is asked for and does not run."""

    key: Key | None
    name: str
    place: str = ""  # which of several systems it is on; empty: the agent's own
    usage: Usage | None = None
    cpu: float | None = None  # percent of one processor
    received: float | None = None  # bytes a second
    sent: float | None = None
    read: float | None = None
    written: float | None = None

    @property
    def of_limit(self) -> float | None:
        """Percent of the memory that it may have."""
        usage = self.usage
        return 100 * usage.memory / usage.limit if usage and usage.memory and usage.limit else None


@dataclass(frozen=True, slots=True)
class Look:
    machine: Machine
    using: list[Using]
    away: Mapping[str, str]  # systems that are left out, and why
    several: bool  # whether there is more than one system


def using(
    before: Mapping[str, Usage],
    now: Mapping[str, Usage],
    keys: Mapping[str, Key],
    wanted: Collection[Key] | None,
    places: Mapping[str, str],
) -> list[Using]:
    """What each thing uses, the busiest first. With `wanted`: these alone, whether they run or not."""
    found = [
        _between(before.get(handle), usage, keys.get(handle), places.get(handle, "")) for handle, usage in now.items()
    ]
    if wanted is not None:
        found = [each for each in found if each.key in wanted]
        found += [Using(key, "") for key in sorted(set(wanted) - {each.key for each in found})]
    return sorted(found, key=lambda each: (-(each.cpu or 0.0), each.key is None, str(each.key or each.name)))


def _between(before: Usage | None, usage: Usage, key: Key | None, place: str) -> Using:
    seconds = usage.at - before.at if before else 0.0

    def rate(name: str) -> float | None:
        old, new = getattr(before, name, None), getattr(usage, name)
        return None if old is None or new is None or seconds <= 0 else max(0.0, (new - old) / seconds)

    cpu = rate("cpu")
    return Using(
        key,
        usage.name,
        place,
        usage,
        None if cpu is None else 100 * cpu,
        rate("received"),
        rate("sent"),
        rate("read"),
        rate("written"),
    )


def lines(look: Look, paint: Paint, width: int | None) -> list[str]:
    """The machine in a few lines, then a table."""
    table = Table(["ENGINE", *HEADING] if look.several else HEADING, paint, width=width)
    rows = [_row(each)[0 if look.several else 1 :] for each in look.using]
    return [*_machine_lines(look.machine, paint), "", *table.lines(rows)]


def _machine_lines(machine: Machine, paint: Paint) -> Iterator[str]:
    load = " ".join(f"{each:.2f}" for each in machine.load)
    yield f"{paint('cpu', Style.BOLD)}     {machine.cpu:.0f}% of {machine.processors}, load {load}"
    swap = f", swap {_part(machine.swap, machine.swap_total)}" if machine.swap_total else ""
    yield f"{paint('memory', Style.BOLD)}  {_part(machine.memory, machine.memory_total)}{swap}"
    for disk in machine.disks:
        yield f"{paint('disk', Style.BOLD)}    {_part(disk.used, disk.total)} at {disk.path}"


def _part(used: int, total: int) -> str:
    return f"{size(used)} of {size(total)} ({100 * used / (total or 1):.0f}%)"


def _row(each: Using) -> list[Cell]:
    usage, of_limit = each.usage, each.of_limit
    memory = size(usage.memory) if usage else "not running"
    return [
        Cell(each.place or "-"),
        Cell(each.key.short if each.key else "-"),
        Cell("-" if each.cpu is None else f"{each.cpu:.1f}%"),
        Cell(memory, Style.YELLOW if of_limit is not None and of_limit >= _BUSY else None),
        Cell("-" if of_limit is None or usage is None else f"{size(usage.limit)} ({of_limit:.0f}%)"),
        Cell(size(each.received)),
        Cell(size(each.sent)),
        Cell(size(each.read)),
        Cell(size(each.written)),
        Cell("-" if usage is None or usage.processes is None else str(usage.processes)),
        Cell(each.name or "-"),
    ]


def size(number: float | None) -> str:
    """`-`, `0B`, `12.5M`: in steps of 1024."""
    if number is None:
        return "-"
    step = 0
    while number >= 1000 and step < len(_UNITS) - 1:
        number, step = number / 1024, step + 1
    return f"{number:.0f}{_UNITS[step]}" if number >= 100 or not step else f"{number:.1f}{_UNITS[step]}"


def document(look: Look, now: float) -> str:
    """One look on one line, for programs. Bytes, bytes a second, percent of one processor."""
    resources = [_document(each) for each in look.using]
    found = {"at": moment(now), "machine": asdict(look.machine), "resources": resources}
    return json.dumps(found, ensure_ascii=False)


def _document(each: Using) -> dict[str, Any]:
    usage = each.usage
    return {
        "key": str(each.key) if each.key else None,
        "name": each.name,
        "engine": each.place or None,
        "running": usage is not None,
        "cpuPercent": _rounded(each.cpu),
        "memory": usage.memory if usage else None,
        "memoryLimit": usage.limit if usage else None,
        "processes": usage.processes if usage else None,
        "perSecond": {
            "received": _rounded(each.received),
            "sent": _rounded(each.sent),
            "read": _rounded(each.read),
            "written": _rounded(each.written),
        },
        "total": {
            "cpuSeconds": usage.cpu if usage else None,
            "received": usage.received if usage else None,
            "sent": usage.sent if usage else None,
            "read": usage.read if usage else None,
            "written": usage.written if usage else None,
        },
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
