"""Reads a running controller's own metrics: what a test of bounded work measures it by."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from tests.cli.story import Story
from tests.support import Controller, eventually


@dataclass(frozen=True)
class Reading:
    """Figures since the controller's start, but for memory."""

    passes: float
    changes: float  # steps that were carried out
    cpu: float  # seconds
    memory: float  # bytes

    def __sub__(self, other: Reading) -> Reading:
        return Reading(
            self.passes - other.passes,
            self.changes - other.changes,
            self.cpu - other.cpu,
            self.memory - other.memory,
        )


class Metered(Controller):
    """A controller with a port of its own for metrics."""

    def __init__(self, story: Story, env: Mapping[str, str] | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        super().__init__(story, {**(env or {}), "PEGASUS2_METRICS_PORT": str(self._port)})

    def read(self) -> Reading:
        page = eventually(self._page, "the metrics were there")
        return Reading(
            _sum(page, "pegasus2_reconciles_total"),
            _sum(page, "pegasus2_reconcile_duration_seconds_count"),
            _sum(page, "process_cpu_seconds_total"),
            _sum(page, "process_resident_memory_bytes"),
        )

    def _page(self) -> str:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer,
        ):
            return str(answer.read().decode())
        return ""


def _sum(page: str, name: str) -> float:
    lines = [line for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
