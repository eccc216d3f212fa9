"""What the containers of a machine use, all of them within a few milliseconds. The agent measures for `p2 top`.

The engine's own figures (`/containers/ID/stats`) take a second a container: it waits for its next sample. The kernel has the same
ones at once (`cgroups.py`), where the engine runs on this machine. Elsewhere the engine is asked about all of them side by side.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from controller.agents.docker import cgroups, paths
from controller.agents.docker.client import Engine, EngineError, Json
from controller.agents.docker.marks import mark_in
from controller.engine.by_hand import Usage

AT_ONCE = 64  # containers that the engine is asked about side by side


class Measuring:
    """Remembers where the kernel counts for each container, for nothing but its end changes that."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places: dict[str, cgroups.Place | None] = {}

    def usages(self) -> list[Usage]:
        """Of all containers that run. Raises Retry and EngineError."""
        listed: list[Json] = self._engine.read(paths.running())
        self._learn([each["Id"] for each in listed])
        counted: dict[str, cgroups.Counted] = {}
        for each in listed:
            place = self._places[each["Id"]]
            if place and (found := cgroups.counted(place)):
                counted[each["Id"]] = found
        rest = [each["Id"] for each in listed if each["Id"] not in counted]
        asked = self._asked(rest) if rest else {}
        return [_usage(each, found) for each in listed if (found := counted.get(each["Id"]) or asked.get(each["Id"]))]

    def _learn(self, identities: Sequence[str]) -> None:
        new = [identity for identity in identities if identity not in self._places]
        found = self._engine.read_each([paths.container(identity) for identity in new]) if new else []
        for identity, live in zip(new, found, strict=True):
            self._places[identity] = cgroups.place_of(identity, live["State"]["Pid"]) if live else None
        self._places = {identity: self._places[identity] for identity in identities}

    def _asked(self, identities: Sequence[str]) -> Mapping[str, cgroups.Counted]:
        with ThreadPoolExecutor(min(AT_ONCE, len(identities)), "docker-stats") as pool:
            answers = list(pool.map(self._stats, identities))
        return {identity: found for identity, found in zip(identities, answers, strict=True) if found}

    def _stats(self, identity: str) -> cgroups.Counted | None:
        try:
            found = self._engine.read(paths.stats(identity))
        except EngineError:  # it has ended just now
            return None
        return counted_in(found) if found else None


def _usage(listed: Json, found: cgroups.Counted) -> Usage:
    name = (listed["Names"] or [listed["Id"][:12]])[0].removeprefix("/")
    return Usage(
        name,
        listed["Id"],
        mark_in(listed["Labels"]),
        found.at,
        found.cpu,
        found.memory,
        found.limit,
        found.received,
        found.sent,
        found.read,
        found.written,
        found.processes,
    )


def counted_in(stats: Json) -> cgroups.Counted:
    """What the engine says of one container: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerStats."""
    memory, networks = stats.get("memory_stats") or {}, (stats.get("networks") or {}).values()
    details = memory.get("stats") or {}
    idle = details.get("total_inactive_file", details.get("inactive_file", 0))
    moved = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    usage, limit = memory.get("usage"), memory.get("limit")
    return cgroups.Counted(
        time.monotonic(),
        stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        None if usage is None else max(0, usage - idle),
        limit if limit and limit < cgroups.machine_memory() else None,
        sum(each["rx_bytes"] for each in networks) if networks else None,
        sum(each["tx_bytes"] for each in networks) if networks else None,
        sum(each["value"] for each in moved if each["op"].lower() == "read"),
        sum(each["value"] for each in moved if each["op"].lower() == "write"),
        (stats.get("pids_stats") or {}).get("current"),
    )
