"""Kills p2 at random moments, and tells where in its work each one met it.

A moment is random time, or the random n-th time that p2 writes to its database: a change begins and ends with such a write,
so that these lie where a crash hurts. The database is only read here.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

PATIENCE = 60.0  # seconds for an apply to end or to come to its moment
GLANCE = 0.001
NEVER = 1_000_000
SLIPS = (0.0, 0.0, 0.003, 0.03, 0.2)  # seconds after a write, at most


class Killer:
    """Of processes that use one home. `phases` counts where its kills met them."""

    def __init__(self, home: Path, chance: random.Random) -> None:
        self._database = home / "p2.db"
        self._chance = chance
        self._seconds = 2.0  # that an apply takes, roughly
        self._writes = 20.0  # to the database, that it makes
        self.phases: Counter[str] = Counter()
        self.intents: Counter[str] = Counter()
        self.ended_first = 0

    @property
    def kills(self) -> int:
        return self.phases.total()

    def kill(self, process: subprocess.Popen[Any], *, ends: bool = True) -> bool:
        """Lets `process` come to a random moment and kills it there. False when it has ended before.

        With `ends` False it never does, so that a moment may come after all its work.
        """
        began, written = time.monotonic(), 0
        by_writing = self._chance.random() < 0.75
        last_write = self._chance.randint(1, int(self._writes)) if by_writing else NEVER
        last_moment = began + (self._chance.uniform(0.1, self._seconds) if not by_writing else self._longest(ends))
        with _drained(process), self._watch() as versions:
            before = next(versions)
            while process.poll() is None and written < last_write and time.monotonic() < last_moment:
                now = next(versions)
                written, before = written + (now != before), now
                time.sleep(GLANCE)
            time.sleep(self._chance.uniform(0, self._chance.choice(SLIPS)) if by_writing else 0)
            survived = process.poll() is None
            process.kill()
            process.wait()
        if survived:
            self._note(written)
        else:
            self.ended_first += 1
            self._seconds = 0.7 * self._seconds + 0.3 * (time.monotonic() - began)
            self._writes = max(2.0, 0.7 * self._writes + 0.3 * written)
        return survived

    def _longest(self, ends: bool) -> float:
        return PATIENCE if ends else 1.5 * self._seconds

    @contextmanager
    def _watch(self) -> Iterator[Iterator[int]]:
        """Numbers that change whenever somebody else has written to the database."""
        if not self._database.exists():
            yield iter(lambda: 0, 1)
            return
        with closing(sqlite3.connect(f"{self._database.as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader:
            yield iter(lambda: int(reader.execute("PRAGMA data_version").fetchone()[0]), None)

    def _note(self, written: int) -> None:
        intents = self._open_intents()
        self.intents.update(intents)
        if intents:
            self.phases["a change was begun and not confirmed"] += 1
        else:
            self.phases["between changes" if written else "before its first write"] += 1

    def _open_intents(self) -> list[str]:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._database, timeout=10)) as reader:
            return [row[0] for row in reader.execute("SELECT intent FROM inventory WHERE intent IS NOT NULL")]
        return []


@contextmanager
def _drained(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Reads what it says, so that a full pipe never stops it."""
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe]
    readers = [Thread(target=pipe.read, daemon=True) for pipe in pipes]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        for reader in readers:
            reader.join()
        for pipe in pipes:
            pipe.close()
