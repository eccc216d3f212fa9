"""A service manager's end of the notify socket: what a real systemd would be told, by a real datagram socket."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import DEADLINE


class ServiceManager:
    """`environment` is what it would start a service with. `watchdog`: seconds, 0 for none."""

    def __init__(self, place: Path, watchdog: float = 0.0, *, abstract: bool = False) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = str(place / "notify")
        self._socket.bind(f"\0{name}" if abstract else name)
        self.environment = {"NOTIFY_SOCKET": f"@{name}" if abstract else name}
        if watchdog:
            self.environment["WATCHDOG_USEC"] = str(round(watchdog * 1e6))
        self.told: list[str] = []  # every line so far

    def wait_for(self, line: str, seconds: float = DEADLINE) -> None:
        """Until a line that begins so is told from now on."""
        give_up = time.monotonic() + seconds
        while True:
            new = self.listen(give_up - time.monotonic())
            assert new, f"{line} was not told; it was told {self.told}"
            if any(each.startswith(line) for each in new):
                return

    def listen(self, seconds: float) -> list[str]:
        """The lines of the next message; none when there is none for so long."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            lines = self._socket.recv(65536).decode().splitlines()
        except TimeoutError:
            return []
        self.told += lines
        return lines

    def silence(self, line: str, seconds: float) -> bool:
        """Whether no line that begins so is told for so long."""
        give_up = time.monotonic() + seconds
        while (left := give_up - time.monotonic()) > 0:
            if any(each.startswith(line) for each in self.listen(left)):
                return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
