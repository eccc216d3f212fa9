"""Ctrl-C for a program within a container that has no terminal. `execution.py` calls it.

The engine has no way to send such a program a signal. Where the engine runs on this machine the kernel has: the program is a
process here, and leads a group of its own, to which a terminal would send the signal, too. Anywhere else it goes on, and the
person is told where.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Event as Flag

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, Json
from controller.agents.docker.failures import explained
from controller.engine.by_hand import LeftRunning

_ELSEWHERE = "its process is not to be found on this machine"


class Interrupting:
    """One program: `program` is its id, `container` that of the container which is called `name`."""

    def __init__(self, engine: Engine, program: str, container: str, name: str) -> None:
        self._engine, self._program, self._container, self._name = engine, program, container, name
        self._sent = False

    def interrupted(self) -> bool:
        """A person has pressed Ctrl-C. Returns whether the program is to be waited for. Raises LeftRunning where it goes on."""
        state = self._begun()
        if not state["Running"]:
            return False
        why = "it has not ended at the first Ctrl-C" if self._sent else self._send(int(state["Pid"]))
        self._sent = True
        if not why:
            return True
        raise LeftRunning(
            f"the program goes on in the container {self._name}, for {why}: it is process {state['Pid']} where the engine "
            "runs; kill it there, or restart the container"
        )

    def _begun(self) -> Json:
        """The engine knows the process a moment after its first output."""
        pause = Flag()
        for _ in range(100):
            state = self._state()
            if state["Pid"] or not state["Running"]:
                return state
            pause.wait(0.02)
        return state

    def _state(self) -> Json:
        with explained(f"interrupt the program in the container {self._name}"):
            found: Json = self._engine.read(paths.program(self._program))
            return found

    def _send(self, process: int) -> str:
        """Why the signal was not sent; empty where it was."""
        if not leads_group_in(process, self._container):
            return _ELSEWHERE
        state = self._state()  # its number was not given to another one before we looked
        if not state["Running"]:
            return ""
        try:
            os.killpg(process, signal.SIGINT)
        except ProcessLookupError:
            return ""
        except PermissionError:
            return "this user may not send it a signal"
        return ""


def leads_group_in(process: int, container: str) -> bool:
    """Whether a process of this machine is one of this container's, and all in its group were started by it."""
    try:
        groups = Path(f"/proc/{process}/cgroup").read_text()
        return process > 1 and container in groups and os.getpgid(process) == process
    except OSError:
        return False
