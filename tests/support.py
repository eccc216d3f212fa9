"""What tests of running programs share: patience, and a controller as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.cli.story import P2, Story

Found = TypeVar("Found")

DEADLINE = 20.0  # seconds for something to happen in the real world
GLANCE = 0.02


def eventually(happened: Callable[[], Found], what: str, seconds: float = DEADLINE) -> Found:
    """What `happened` returns once it is true. Fails after `seconds` with `what` did not come about."""
    give_up = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < give_up, f"it took more than {seconds:.0f} s until {what}"
        time.sleep(GLANCE)
    return found


class Background:
    """The program as a process of its own. Its log goes to a file, for a pipe that nobody reads would stop it."""

    program: Sequence[str] = (P2,)

    def __init__(self, command: Sequence[str], directory: Path, log: Path, env: Mapping[str, str]) -> None:
        self._command, self._directory, self._log, self._env = command, directory, log, env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Returns at once; what it does then is to be waited for."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.program, *self._command],
                cwd=self._directory,
                env={**os.environ, **self._env},
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Meanwhile it stands still, so that what is done in several steps is done as one."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def end(self, seconds: float = 10.0) -> int:
        """Asks it to stop, as a service manager does. Returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self) -> None:
        """For the end of a test: asks it to stop, and does not wait for long."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
        self.kill()

    def kill(self) -> None:
        """As a crash would; harmless when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process


class Controller(Background):
    """`p2 run` over the source of a story."""

    def __init__(self, story: Story, env: Mapping[str, str] | None = None) -> None:
        self.story = story
        env = {"PEGASUS2_METRICS_PORT": "0", **(env or {})}
        super().__init__(["run"], story.root, story.root.parent / "controller.log", env)


class OperatorProcess(Background):
    """`p2 operator` with a home of its own, all under `directory`."""

    def __init__(
        self, directory: Path, kubeconfig: Path, node: str, *options: str, env: Mapping[str, str] | None = None
    ) -> None:
        """`options`: more of its command line, as `--default` or `--namespace`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.home, self.node = directory / "home", node
        env = {
            "PEGASUS2_METRICS_PORT": "0",
            "PEGASUS2_HOME": str(self.home),
            "KUBECONFIG": str(kubeconfig),
            **(env or {}),
        }
        super().__init__(["operator", "--node", node, *options], directory, directory / "operator.log", env)


def forgiven(story: Story) -> None:
    """A controller that a test kills again and again is not to end in safe mode: that is another test's story."""
    assert story.p2("unpause").code == 0


Event = dict[str, Any]


def events(story: Story) -> list[Event]:
    """All that was recorded, oldest first."""
    return [json.loads(line) for line in story.p2("events", "-o", "json", "-n", "10000").out.splitlines()]


def told(story: Story, reason: str) -> list[str]:
    """The messages of all events of a reason."""
    return [event["message"] for event in events(story) if event["reason"] == reason]


def happened(story: Story, reason: str) -> list[str]:
    """Names of the resources to which this happened, once for each time."""
    found = (event for event in events(story) if event["reason"] == reason)
    return sorted(event["key"].rpartition("/")[2] for event in found for _ in range(event["count"]))


def listed(story: Story, *what: str) -> dict[str, Event]:
    """The Ready condition of each resource by its name, as `p2 get` has it."""
    found = json.loads(story.p2("get", *what, "-o", "json").out)
    resources = found.get("items", [found])
    return {
        each["metadata"]["name"]: next((c for c in each["status"]["conditions"] if c["type"] == "Ready"), {})
        for each in resources
    }


def all_ready(story: Story, names: Iterable[str]) -> bool:
    """Whether these, and no others, are there and Ready."""
    found = listed(story)
    return found.keys() == set(names) and all(ready.get("status") == "True" for ready in found.values())


def fingerprint(directory: Path) -> dict[str, tuple[int, int]]:
    """What changes when a file is written, made anew, or goes."""
    found = ((path, path.lstat()) for path in directory.rglob("*"))
    return {str(path.relative_to(directory)): (seen.st_ino, seen.st_mtime_ns) for path, seen in found}


def at_rest(controller: Controller, look: Callable[[], object] | None = None) -> bool:
    """Ends the controller; then a fresh look at everything finds nothing to do, and does nothing.

    `look` tells how the world is; without it, how the files of the story's world are.
    """
    story = controller.story
    world = look or partial(fingerprint, story.world)
    before = world()
    assert story.p2("diff").code == 0, story.p2("diff").out
    assert controller.end() == 0, controller.log
    again = story.p2("apply")
    assert (again.code, "nothing to do" in again.last) == (0, True), again.out + again.err
    return world() == before
