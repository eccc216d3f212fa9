"""Listens to what an agent hints at while a controller runs. The manager gives each kind that can be watched a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event as Flag

from controller.engine.agent import Relist, Retry, Scope, Watches
from resources.meta import Key

log = logging.getLogger(__name__)

WATCH_AGAIN = 2.0  # seconds after a watch has broken

Hinted = Callable[[Sequence[Key]], None]


def watch(kind: str, agent: Watches, scope: Scope, stop: Flag, hint: Hinted, relist: Hinted) -> None:
    """Calls `hint` with keys that may have changed, and `relist` with all when the watch has (again) connected.

    Ends when `stop` is set, and for nothing else: a watch that breaks is begun again.
    """

    def everything() -> Sequence[Key]:
        return [resource.key for resource in scope.resources()]

    connected = False
    while not stop.is_set():
        try:
            for found in agent.watch(scope, stop):
                if isinstance(found, Relist):
                    connected = True
                    relist(everything() if found.keys is None else found.keys)
                else:
                    hint([found])
        except Retry as lost:
            log.info("watch lost", extra={"kind": kind, "reason": lost.reason, "cause": lost.message})
        except Exception:  # a watch that dies silently is the complaint heard most
            log.exception("watch failed", extra={"kind": kind})
        if connected and not stop.is_set():  # what it watched may be lost with it, which only a look can tell
            connected = False
            hint(everything())
        stop.wait(WATCH_AGAIN)
