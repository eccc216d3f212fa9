"""One run of the controller, written down: its start, and that it ended in good order. `p2 run` keeps one.

A start that finds several others without an end, none long ago, puts the brake SafeMode on: whatever it is that kills the
controller, it must not go on changing the machine while it dies again and again. Nothing here keeps it from starting.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread

from controller.engine.brakes import put_on
from controller.engine.crashes import MANY, WITHIN, recent
from controller.engine.stores import Brake, Level, NotKept, Start, Stores
from controller.store.errors import HomeError
from resources.conditions import Reason

log = logging.getLogger(__name__)

TRY_AGAIN = 5.0  # seconds until what could not be written is written again

_BOOT = Path("/proc/sys/kernel/random/boot_id")

Record = Callable[[Level, str, str], None]


def this_start() -> Start:
    """Now, in this process."""
    try:
        boot = _BOOT.read_text().strip()
    except OSError:
        boot = ""
    # Goes on while the machine sleeps, as a person counts minutes; and nobody can set it.
    return Start(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME), os.getpid())


class Lifetime:
    """`record` keeps an event, `poke` has the loop look at the brakes again.

    To be begun once the home's lock is held: a start that never got it is none.
    """

    def __init__(
        self,
        stores: Stores,
        record: Record,
        poke: Callable[[], None] = lambda: None,
        now: Callable[[], Start] = this_start,
    ) -> None:
        self._stores = stores
        self._record = record
        self._poke = poke
        self._start = now()
        self._lock = Lock()
        self._number = 0  # under which the start is written down; 0: not yet
        self._untold: Brake | None = None
        self._over = Flag()

    def begin(self) -> None:
        """Counts the crashes before this start, and writes it down: now, or as soon as the database can be written."""
        try:
            crashes = recent(self._stores.starts.unended(), self._start)
        except NotKept as error:  # then no change can be written down either, and so none is made
            log.warning("earlier starts could not be read", extra={"cause": str(error)})
            crashes = []
        if len(crashes) >= MANY:
            self._untold = Brake(Reason.SAFE_MODE, "", _why(crashes), self._start.at)
        if not self._written():
            Thread(target=self._try_again, name="start", daemon=True).start()

    def end(self) -> None:
        """It ends in good order, or because it was told to. Safe to be called again, and from any thread."""
        self._over.set()
        with self._lock:  # held while it is written, so that whoever ends the process waits for that
            number, self._number = self._number, 0
            if not number:
                return
            try:
                self._stores.starts.end(number)
            except NotKept as error:
                log.warning("the orderly end could not be written down", extra={"cause": str(error)})

    def _try_again(self) -> None:
        while not self._over.wait(TRY_AGAIN):
            if self._written():
                return

    def _written(self) -> bool:
        """Whether all is written: the start, and the brake with its event. The brake is in force even if not."""
        try:
            if self._untold and len(recent(self._stores.starts.unended(), self._start)) < MANY:
                self._stores.brakes.lapse(self._untold.reason)  # somebody has ended it before it could be written
                self._poke()
                self._untold = None
            if brake := self._untold:
                if self._stores.brakes.put_on(brake):
                    told = put_on(brake)
                    self._record(told.level, told.reason, told.message)
                self._untold = None
            with self._lock:
                if not self._number and not self._over.is_set():
                    self._number = self._stores.starts.begin(self._start)
        except (NotKept, HomeError) as error:
            log.warning("the start could not be written down", extra={"cause": str(error)})
            return False
        return True


def _why(crashes: list[Start]) -> str:
    times = ", ".join(datetime.fromtimestamp(crash.at, UTC).strftime("%H:%M:%S") for crash in crashes[-MANY:])
    return (
        f"the controller has crashed {len(crashes)} times within {WITHIN / 60:.0f} minutes "
        f"(started at {times} UTC); its log says why"
    )
