"""Tells systemd how the controller is doing, over the datagram socket that it names: ready, alive, stopping. `p2 run` makes one.

The protocol is https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. Without its variables in the
environment nothing is sent and no thread is made.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event as Flag
from threading import Thread

log = logging.getLogger(__name__)

SEND_TIMEOUT = 1.0  # seconds: a service manager that does not read must not hold us up


class Notifier:
    """`address` is empty where nobody wants to know; `watchdog` is how often a sign of life is expected, 0 for never."""

    def __init__(self, address: str, watchdog: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address  # "@": in the abstract namespace
        self._watchdog = watchdog
        self._stopping = Flag()
        self._ended = Flag()
        self._said = ""  # the last status
        self._withheld = ""  # why no sign of life was given

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Notifier:
        """By `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`; a watchdog of another process is none of ours."""
        microseconds, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        ours = microseconds.isdecimal() and pid in ("", str(os.getpid()))
        return cls(environment.get("NOTIFY_SOCKET", ""), int(microseconds) / 1e6 if ours else 0.0)

    def start(self, begun: Flag, trouble: Callable[[], str], status: Callable[[], str]) -> None:
        """From now on tells, in a thread: READY once `begun` is set, then signs of life as long as `trouble` is empty."""
        if self._address:
            Thread(target=self._work, args=(begun, trouble, status), name="notify", daemon=True).start()

    def stopping(self) -> None:
        """The end has begun; signs of life go on until it comes, for parts of the loop have ended already."""
        self._stopping.set()
        self._send("STOPPING=1", "STATUS=stopping after what is under way")

    def close(self) -> None:
        self._ended.set()

    def _work(self, begun: Flag, trouble: Callable[[], str], status: Callable[[], str]) -> None:
        begun.wait()
        if not self._stopping.is_set():
            self._send("READY=1")
        self._tell(status)
        # Twice as often as is asked for, so that one that comes late is no reason to be killed.
        while self._watchdog and not self._ended.wait(self._watchdog / 2):
            if self._lives(trouble):
                self._send("WATCHDOG=1")
            self._tell(status)

    def _lives(self, trouble: Callable[[], str]) -> bool:
        found = "" if self._stopping.is_set() else trouble()
        if found and found != self._withheld:
            log.error("no sign of life is given to the service manager", extra={"cause": found})
        self._withheld = found
        return not found

    def _tell(self, status: Callable[[], str]) -> None:
        if self._stopping.is_set():
            return
        try:
            now = f"cannot go on: {self._withheld}" if self._withheld else status()
        except Exception:  # what is only said must not cost us the signs of life
            log.exception("the status could not be told")
            return
        if now != self._said:
            self._said = now
            self._send(f"STATUS={now}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(SEND_TIMEOUT)
            sender.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), self._address)
