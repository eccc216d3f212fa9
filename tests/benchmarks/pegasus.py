"""`p2` as the benchmarks run it: the installed program in its own process, with a home that nobody else uses."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workbench import Bench, command

from controller.store.home import Home
from controller.store.stores import open_stores
from resources.conditions import Status
from resources.meta import Key

PATIENCE = 600.0  # seconds until a controller that does not converge is an error


@dataclass(frozen=True)
class Pegasus:
    """One home and the program that uses it. `environment` is added to that of every command."""

    program: str
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def fresh(cls, bench: Bench, **environment: str) -> Pegasus:
        return cls(bench.p2, bench.place("home"), environment)

    def call(self, *arguments: str | Path, expect: Sequence[int] = (0,)) -> str:
        return command((self.program, *arguments), expect, PEGASUS2_HOME=str(self.home), **self.environment)

    def converge(self, source: Path) -> None:
        self.call("apply", source, "--yes")

    def diff(self, source: Path, different: bool = False) -> None:
        """Raises RuntimeError when the answer is not the expected one, so that no benchmark times a failure."""
        self.call("diff", source, expect=(1,) if different else (0,))

    def forget_parsed(self) -> None:
        """Removes the parse cache, so that the next command reads its source for the first time."""
        shutil.rmtree(self.home / "cache", ignore_errors=True)

    def controller(self, source: Path) -> AbstractContextManager[Controller]:
        """`p2 run` on `source`, stopped by a signal at the end."""
        return self._running("run", str(source))

    def operator(self, *options: str) -> AbstractContextManager[Controller]:
        """`p2 operator` on the cluster that `environment` names (KUBECONFIG), stopped by a signal at the end."""
        return self._running("operator", *options)

    @contextmanager
    def _running(self, *arguments: str) -> Iterator[Controller]:
        log = self.home.with_suffix(".log")
        environment = {**os.environ, "PEGASUS2_METRICS_PORT": str(_free_port()), **self.environment}
        environment["PEGASUS2_HOME"] = str(self.home)
        with log.open("ab") as said:
            process = subprocess.Popen(
                [self.program, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        try:
            yield Controller(process, self.home, log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Controller:
    """A running controller, seen from outside: its statuses in the database, its process in /proc."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path, log: Path) -> None:
        self._process = process
        self._home = home
        self._log = log

    def wait_until_settled(self, keys: Collection[Key]) -> None:
        """Returns when all of `keys` are Ready and the controller has come to rest."""
        with open_stores(Home(self._home, read_only=True)) as stores:
            self._wait(lambda: self.is_at_rest() and self._are_ready(stores.statuses.all(), keys), every=0.1)

    def is_at_rest(self) -> bool:
        """Whether it has started, and used next to nothing of the last second."""
        before = self.cpu_seconds()
        time.sleep(1)
        return before > 0.1 and self.cpu_seconds() - before < 0.02

    def _are_ready(self, statuses: Mapping[Key, Status], keys: Collection[Key]) -> bool:
        found = [statuses.get(key) for key in keys]
        return all(status is not None and status.ready for status in found)

    @contextmanager
    def watching(self) -> Iterator[Callable[[Key], Status | None]]:
        """How to read a status, over a connection that is opened once."""
        with open_stores(Home(self._home, read_only=True)) as stores:
            yield stores.statuses.find

    def wait_for(self, settled: Callable[[], bool]) -> float:
        """Seconds since the epoch when `settled` was first seen true; looks every two milliseconds."""
        self._wait(settled, every=0.002)
        return time.time()

    def _wait(self, settled: Callable[[], bool], every: float) -> None:
        give_up = time.monotonic() + PATIENCE
        while not settled():
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = self._log.read_text()[-3000:]
                raise RuntimeError(f"the controller has not settled (exit code {self._process.returncode}):\n{said}")
            time.sleep(every)

    def cpu_seconds(self) -> float:
        """CPU time that the controller's threads have used. Resolution: nanoseconds; of threads that still live."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_bytes(self) -> int:
        return self._memory("VmRSS")

    def peak_bytes(self) -> int:
        """The most that was ever resident."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))
