"""A Docker engine of the test's own, beside the usual one, to be stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE, need_image
from tests.support import eventually

needs_own_engine = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("dockerd") and shutil.which("unshare")),
    reason="starting an engine takes root, dockerd and unshare",
)


class OwnEngine:
    """Everything that it has is in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.host = f"unix://{directory}/docker.sock"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers; does nothing if it does already."""
        if self._answers():
            return
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        options = [f"--{option}={self._directory / name}" for option, name in places.items()]
        # In a network namespace of its own: without a bridge of its own an engine would remove docker0, the usual one's.
        command = ["unshare", "--net", "dockerd", "-H", self.host, *options, "--bridge=none", "--iptables=false"]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(self._answers, "the engine answered")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Returns when it has ended; SIGKILL leaves its containers running, and what looked after them."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(30)
            for pidfile in ("pid", "exec/containerd/containerd.pid"):  # a killed engine leaves them
                (self._directory / pidfile).unlink(missing_ok=True)

    def client(self) -> APIClient:
        return APIClient(self.host, version="1.41", timeout=30)

    def load_image(self, usual: APIClient) -> None:
        """Gives it the image of the tests, which the usual engine has or makes."""
        need_image(usual)
        with self.client() as own:
            own.load_image(b"".join(usual.get_image(IMAGE)))  # type: ignore[no-untyped-call]

    def leave_half_started(self, identity: str) -> None:
        """As an engine does that is killed while it starts a container: its runtime keeps what it had begun with."""
        (self._directory / "exec/containerd/daemon/io.containerd.runtime.v2.task/moby" / identity).mkdir(parents=True)

    def clear(self) -> None:
        """Removes all containers, those that outlived a killed engine included."""
        self.start()
        with self.client() as own:
            for container in own.containers(all=True):
                with suppress(NotFound):
                    own.remove_container(container["Id"], force=True)

    def remove(self) -> None:
        """Stops it, and takes away all that it had."""
        self.clear()
        self.stop()
        for process in self._left_behind():
            os.kill(process, signal.SIGKILL)
        mounts = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
        for mount in [mount for mount in mounts if Path(mount).is_relative_to(self._directory)]:
            subprocess.run(["umount", "--lazy", mount], check=True)
        shutil.rmtree(self._directory)

    def _left_behind(self) -> list[int]:
        """Processes of its containers that it has lost sight of when it was killed."""
        mine = f"{self._directory}/exec/".encode()
        found = (path for path in Path("/proc").iterdir() if path.name.isdecimal())
        return [int(path.name) for path in found if mine in _command_line(path)]

    def _answers(self) -> bool:
        try:
            with self.client() as api:
                return bool(api.ping())
        except Exception:  # not yet, in whatever way
            return False


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:  # it has ended
        return b""
