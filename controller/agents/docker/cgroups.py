"""What the kernel counts for a group of processes, in both versions of its control groups. `measuring.py` reads it.

https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/index.html
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_MOUNTED = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Counted:
    """Named as in `engine.agent.Usage`."""

    at: float
    cpu: float | None
    memory: int | None
    limit: int | None
    received: int | None
    sent: int | None
    read: int | None
    written: int | None
    processes: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the kernel counts for a container: the directory of each controller, "" is that of version 2."""

    pid: int
    directories: Mapping[str, Path]
    shares_network: bool  # with the machine, whose figures are not its own


def place_of(identity: str, pid: int) -> Place | None:
    """None where the container is not one of this machine's, or the kernel does not let us look."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    found = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if identity not in path:  # another machine's process by the same number
            continue
        for controller in controllers.split(","):
            directory = _MOUNTED / controller / path.lstrip("/")
            if directory.is_dir():
                found[controller] = directory
    if not found or not ("cpuacct" in found or (found.get("", _MOUNTED) / "cpu.stat").exists()):
        return None
    return Place(pid, found, _network_of(pid) == _network_of(os.getpid()))


def counted(place: Place) -> Counted | None:
    """As of now; None when it has ended."""
    try:
        return _in_version_1(place) if "cpuacct" in place.directories else _in_version_2(place)
    except OSError:
        return None


def _in_version_2(place: Place) -> Counted:
    group = place.directories[""]
    cpu, memory, limit = _pairs(group / "cpu.stat"), _number(group / "memory.current"), _number(group / "memory.max")
    moved = _words(group / "io.stat")
    received, sent = _network(place)
    return Counted(
        time.monotonic(),
        cpu.get("usage_usec", 0) / 1e6,
        None if memory is None else max(0, memory - _pairs(group / "memory.stat").get("inactive_file", 0)),
        limit,
        received,
        sent,
        sum(int(word.removeprefix("rbytes=")) for word in moved if word.startswith("rbytes=")),
        sum(int(word.removeprefix("wbytes=")) for word in moved if word.startswith("wbytes=")),
        _number(group / "pids.current"),
    )


def _in_version_1(place: Place) -> Counted:
    cpu = _number(place.directories["cpuacct"] / "cpuacct.usage")
    group = place.directories.get("memory", _MOUNTED / "none")
    memory, limit = _number(group / "memory.usage_in_bytes"), _number(group / "memory.limit_in_bytes")
    idle = _pairs(group / "memory.stat").get("total_inactive_file", 0)
    moved = [
        line.split()
        for line in _lines(place.directories.get("blkio", _MOUNTED / "none") / "blkio.throttle.io_service_bytes")
    ]
    received, sent = _network(place)
    return Counted(
        time.monotonic(),
        (cpu or 0) / 1e9,
        None if memory is None else max(0, memory - idle),
        limit if limit is not None and limit < machine_memory() else None,
        received,
        sent,
        sum(int(words[2]) for words in moved if len(words) == 3 and words[1] == "Read"),
        sum(int(words[2]) for words in moved if len(words) == 3 and words[1] == "Write"),
        _number(place.directories.get("pids", _MOUNTED / "none") / "pids.current"),
    )


def _network(place: Place) -> tuple[int | None, int | None]:
    """Bytes received and sent, by all that is no loopback."""
    if place.shares_network:
        return None, None
    received = sent = 0
    for line in _lines(Path(f"/proc/{place.pid}/net/dev"))[2:]:
        name, _, rest = line.partition(":")
        fields = rest.split()
        if name.strip() != "lo":
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent


def _network_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115  (a name, no path)
    except OSError:  # another user's: then it can't be known, and its own is what most have
        return "" if pid == os.getpid() else "?"


@cache
def machine_memory() -> int:
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _number(file: Path) -> int | None:
    """None where there is no such file, or no limit ("max")."""
    text = "".join(_lines(file)[:1]).strip()
    return int(text) if text.isdecimal() else None


def _pairs(file: Path) -> dict[str, int]:
    found = (line.split() for line in _lines(file))
    return {words[0]: int(words[1]) for words in found if len(words) == 2}


def _words(file: Path) -> list[str]:
    return [word for line in _lines(file) for word in line.split()]


def _lines(file: Path) -> list[str]:
    """Empty where a controller does not count."""
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []
