"""The end of a controller that was told to stop, within its time. `p2 run` makes one.

What is under way is finished. After the deadline the agents are asked to break it off; and if that does not help, the
process ends itself. What it was doing is in the inventory since before it began, so the next start finds out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection
from threading import Event as Flag
from threading import Thread

from controller.surfaces.cli.command import Exit
from resources.meta import Key

log = logging.getLogger(__name__)

GRACE = 5.0  # seconds that the agents have for breaking off
_PATIENCE = 1.0  # seconds for a last word to be written: nobody may be reading


class Deadline:
    """`changing` tells what is under way, `cancel` asks the agents to break it off."""

    def __init__(
        self,
        seconds: float,
        cancel: Callable[[], None],
        changing: Callable[[], Collection[Key]],
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._seconds = seconds
        self._cancel = cancel
        self._changing = changing
        self._leave = leave
        self._over = Flag()
        self._cancelled = False

    def begin(self) -> None:
        """The time runs."""
        Thread(target=self._wait, name="deadline", daemon=True).start()

    def met(self) -> Exit:
        """All has ended. Returns the exit code, and says as the last line how it went."""
        self._over.set()
        if self._cancelled:
            log.warning("stopped; what took longer than the deadline was broken off")
            return Exit.BROKEN_OFF
        log.info("stopped; what was under way is finished")
        return Exit.OK

    def _wait(self) -> None:
        if self._over.wait(self._seconds):
            return
        self._cancelled = True
        self._say("the deadline has passed; what is under way is to be broken off")
        self._cancel()
        if not self._over.wait(GRACE):
            self._say("ended with work under way; the next start finds out how far it got")
            self._leave(Exit.ABANDONED)

    def _say(self, message: str) -> None:
        about = {"keys": sorted(self._changing()), "deadline": self._seconds}
        # In a thread: whoever is stuck may be so while writing the log.
        saying = Thread(target=log.warning, args=(message,), kwargs={"extra": about}, daemon=True)
        saying.start()
        saying.join(_PATIENCE)
