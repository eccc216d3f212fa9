"""Ending the process that holds a home's lock, and no other. `p2 stop` calls it."""

from __future__ import annotations

import os
import select
import signal
from enum import StrEnum

from controller.store.home import Home
from controller.store.lock import Holder


class Ended(StrEnum):
    YES = "yes"
    NOT_YET = "not yet"
    NOT_ALLOWED = "not allowed"
    UNKNOWN = "unknown"  # who it is


def end(home: Home, holder: Holder, seconds: float) -> Ended:
    """Asks `holder` to end (SIGTERM) and waits for it."""
    if not holder.pid:
        return Ended.UNKNOWN
    try:
        # A descriptor means this process for ever; its id may be another one's by the time a signal is sent.
        process = os.pidfd_open(holder.pid)
    except ProcessLookupError:
        return Ended.YES if home.holder() is None else Ended.UNKNOWN
    try:
        if home.holder() != holder:
            return Ended.YES
        signal.pidfd_send_signal(process, signal.SIGTERM)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return Ended.YES if poll.poll(seconds * 1000) else Ended.NOT_YET
    except ProcessLookupError:
        return Ended.YES
    except PermissionError:
        return Ended.NOT_ALLOWED
    finally:
        os.close(process)
