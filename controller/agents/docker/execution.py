"""Runs a program within a container, with a person's terminal or pipes at its streams. The agent does so for `p2 exec`."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

from controller.agents.docker.client import EngineError, Json, WritableEngine
from controller.agents.docker.failures import explained
from controller.agents.docker.frames import frames
from controller.agents.docker.interrupting import Interrupting
from controller.engine.agent import Stalled
from controller.engine.by_hand import Execution, LeftRunning, Streams

_CHUNK = 32_768
# Seconds between looks at the size of the terminal, and for a Ctrl-C that came just before the wait began.
_GLANCE = 0.25
# Seconds of silence after which the output of a program that has ended is taken for one that somebody else holds open.
_SILENCE = 2.0


def execute(engine: WritableEngine, name: str, live: Json, execution: Execution, streams: Streams) -> int:
    """Returns its exit code. Raises LeftRunning, Stalled and Retry."""
    if not live["State"]["Running"]:
        raise Stalled("NotRunning", f"cannot run anything in the container {name}: it does not run")
    terminal = execution.terminal
    config = {
        "Cmd": list(execution.command),
        "User": execution.user,
        "WorkingDir": execution.directory or None,
        "Tty": terminal,
        "AttachStdin": streams.read is not None,
        "AttachStdout": True,
        "AttachStderr": True,
        "DetachKeys": _detach_keys(),
    }
    with explained(f"run {execution.command[0]} in the container {name}"):
        program = engine.create_exec(live["Id"], config)
        connection, received = engine.begin_exec(program, terminal=terminal)
    with connection:
        interrupting = Interrupting(engine, program, live["Id"], name)
        fit = _resizing(engine, program, streams)
        _talk(_Talk(connection, received, streams, fit, interrupting.interrupted), terminal=terminal)
    return _exit_code(engine, program)


def _detach_keys() -> str | None:
    """The keys that the user's Docker configuration says to leave a terminal with; None where it says nothing."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()
    try:
        return str(json.loads((folder / "config.json").read_bytes())["detachKeys"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _talk(talk: _Talk, *, terminal: bool) -> None:
    for frame in frames(talk.pieces(), terminal=terminal):
        (talk.streams.write_error if frame.error else talk.streams.write)(frame.content)


def _resizing(engine: WritableEngine, program: str, streams: Streams) -> Callable[[], None]:
    """Makes the program's terminal as large as the person's, whenever that has changed."""
    known: list[tuple[int, int]] = []

    def fit() -> None:
        if streams.size and (size := streams.size()) not in known[-1:]:
            known.append(size)
            with suppress(EngineError):  # it has ended, or not begun: both show soon
                engine.resize_exec(program, *size)

    return fit


def _exit_code(engine: WritableEngine, program: str) -> int:
    """The engine closes the connection a moment before it knows the code."""
    pause = Flag()
    for _ in range(200):
        code = engine.exec_ended(program)
        if code is not None:
            return code
        pause.wait(0.02)
    raise Stalled("NoExitCode", "cannot tell how the program ended: the engine has lost sight of it")


class _Talk:
    """The connection of one program: passes on what is typed while it hands out what comes."""

    def __init__(
        self,
        connection: socket.socket,
        received: bytes,
        streams: Streams,
        fit: Callable[[], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self.streams = streams
        self._interrupted = interrupted
        self._connection = connection
        self._received = received
        self._fit = fit
        self._read = streams.read

    def pieces(self) -> Iterator[bytes]:
        """What comes, until the program has ended."""
        if self._received:
            yield self._received
        interrupts = self.streams.interrupts
        while True:
            self._fit()
            wanted: list[Any] = [self._connection, *(each for each in (self._read, interrupts) if each is not None)]
            ready, _, _ = select.select(wanted, [], [], _GLANCE)
            if interrupts is not None and interrupts in ready and os.read(interrupts, 1) and not self._interrupted():
                yield from self._rest(interrupts)
                return
            if self._read is not None and self._read in ready:
                self._pass_on(self._read)
            if self._connection in ready:
                if not (piece := self._piece()):
                    return
                yield piece

    def _rest(self, interrupts: int) -> Iterator[bytes]:
        """What a program that has ended has left to read. Raises LeftRunning where that does not end, or at one more Ctrl-C."""
        wanted: list[Any] = [self._connection, interrupts]
        while True:
            ready, _, _ = select.select(wanted, [], [], _SILENCE)
            if self._connection not in ready or interrupts in ready:
                raise LeftRunning(
                    "the program has ended, and its output has not: something that it started goes on with it, "
                    "so what is here may not be all"
                )
            if not (piece := self._piece()):
                return
            yield piece

    def _piece(self) -> bytes:
        """Empty at the end."""
        try:
            return self._connection.recv(_CHUNK)
        except ConnectionResetError:
            return b""

    def _pass_on(self, descriptor: int) -> None:
        typed = os.read(descriptor, _CHUNK)
        try:
            if typed:
                self._connection.sendall(typed)
            else:
                self._connection.shutdown(socket.SHUT_WR)
        except OSError:  # the program reads no more, or has ended
            typed = b""
        if not typed:
            self._read = None
