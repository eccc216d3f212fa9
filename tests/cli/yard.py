"""Containers on the real engine for stories of the command line, under a prefix of the test's own; and a person at a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE, need_image
from tests.cli.story import P2

PATIENCE = 20.0  # seconds
# Ends at once when it is told to, and says what it is told.
SCRIPT = "trap 'exit 0' TERM; {body}; while true; do sleep 0.1 & wait $!; done"


@dataclass(frozen=True)
class Yard:
    engine: APIClient
    prefix: str

    def name(self, short: str) -> str:
        return f"{self.prefix}-{short}"

    def key(self, short: str) -> str:
        return f"container/{self.name(short)}"

    def container(self, short: str, body: str = "true", **spec: Any) -> str:
        """A document for a container that does `body` in a shell, and then stays until it is stopped."""
        full = {
            "image": IMAGE,
            "command": ["sh", "-c", SCRIPT.format(body=body)],
            "stopGracePeriod": "2s",
            **spec,
        }
        metadata = {"name": self.name(short)}
        return json.dumps({"apiVersion": "pegasus2.dev/v1", "kind": "Container", "metadata": metadata, "spec": full})

    def inspect(self, short: str) -> dict[str, Any]:
        return dict(self.engine.inspect_container(self.name(short)))

    def started(self, short: str) -> str:
        return str(self.inspect(short)["State"]["StartedAt"])

    def clear(self) -> None:
        for each in self.engine.containers(all=True, filters={"name": self.prefix}):
            with suppress(NotFound):
                self.engine.remove_container(each["Id"], force=True, v=True)
        for network in self.engine.networks(filters={"name": self.prefix}):  # an engine has room for some thirty
            with suppress(NotFound):
                self.engine.remove_network(network["Id"])


def yard() -> Iterator[Yard]:
    """A fixture's body."""
    engine = APIClient(timeout=30)
    need_image(engine)
    made = Yard(engine, f"p2day-{uuid4().hex[:8]}")
    yield made
    made.clear()
    engine.close()


class Typist:
    """A person at a real terminal in front of `p2`."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self.seen = ""

    def types(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def sees(self, text: str) -> None:
        """Waits until the terminal has shown `text`."""
        give_up = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < give_up, f"not shown within {PATIENCE:.0f} s: {text!r} in {self.seen[-500:]!r}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._terminal, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert text in self.seen, f"{text!r} is not in {self.seen[-500:]!r}"

    def resizes(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def ends(self) -> int:
        """Waits for its end. Returns the exit code."""
        give_up = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < give_up, f"p2 did not end: {self.seen[-500:]!r}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                with suppress(OSError):
                    self.seen += os.read(self._terminal, 65536).decode(errors="replace")
        return int(self.process.returncode)


def _have_terminal() -> None:
    """The terminal at its streams becomes that of the new process, so that Ctrl-C reaches it."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def typist(directory: Path, *arguments: str, columns: int = 80, lines: int = 24) -> Iterator[Typist]:
    """`p2` at a terminal of this size."""
    terminal, theirs = pty.openpty()
    process = None
    try:
        person = Typist(None, terminal)  # type: ignore[arg-type]  # the process comes next: it must find the size
        person.resizes(columns, lines)
        process = subprocess.Popen(
            [P2, *arguments], cwd=directory, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=_have_terminal,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        os.close(theirs)
        person.process = process
        yield person
    finally:
        if process is not None:
            process.kill()
            process.wait()
        os.close(terminal)
