"""Reading ahead: while a cold command still imports and parses, a thread asks the engine what the first look will need.

`wiring/ahead.py` begins it; `Engine` takes the answers from here, each once, and asks what is missing. Imports nothing heavy.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Protocol

from controller.agents.docker.paths import container, containers, image, temporary_containers
from controller.agents.docker.wire import Address, Answer, Wire
from resources.docker.names import INSTALLATION, NEW_SUFFIX, OLD_SUFFIX

DEFAULT_HOST = "unix:///var/run/docker.sock"
GOOD_FOR = 5.0  # seconds until an answer is too old to be used
_NAMES_AN_ENGINE = re.compile(
    rb"\b(engine|host)\b"
)  # somewhere in agents/docker.yaml, which is YAML: too dear to read here
TIMEOUT = 10.0  # seconds for a request; the look itself has its own


def begin(home: Path) -> Ahead | None:
    """Begins to read what a look at this installation's containers needs. None where that can't be known so early."""
    address = Address.of_environment(os.environ.get("DOCKER_HOST") or DEFAULT_HOST)
    settings = Path(os.environ.get("PEGASUS2_AGENTS_CONFIG") or home / "agents", "docker.yaml").expanduser()
    try:
        elsewhere = settings.exists() and _NAMES_AN_ENGINE.search(settings.read_bytes())
        installation = (home / "id").read_text().strip()
    except OSError:
        return None
    if address is None or elsewhere or not installation:
        return None
    ahead = Ahead()
    ahead.start(Wire(address, TIMEOUT), f"{INSTALLATION}={installation}")
    return ahead


class Reads(Protocol):
    def read_all(self, questions: Sequence[str]) -> list[Answer]: ...

    def close(self) -> None: ...


class Ahead:
    """Answers that were fetched ahead, by path. `forget` them before the first change to the world."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._answers: dict[str, Answer] = {}
        self._noted: dict[str, Answer] | None = {}
        self._until = 0.0

    def start(self, reader: Reads, label: str) -> None:
        """Begins to fetch all containers with this label, and their images; does nothing the second time."""
        if self._thread is None:
            self._thread = Thread(target=self._fetch, args=(reader, label), name="docker-prefetch", daemon=True)
            self._thread.start()

    def take(self, paths: Sequence[str]) -> dict[str, Answer]:
        """The answers known to `paths`; waits for what is being fetched. Each is given once."""
        if self._thread is None:
            return {}
        self._thread.join()
        if not self._answers:
            return {}
        if time.monotonic() > self._until:
            self.forget()
        return {path: self._answers.pop(path) for path in paths if path in self._answers}

    def forget(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._answers.clear()

    def note(self, paths: Sequence[str], answers: Sequence[Answer]) -> None:
        """What a look has made use of. Of a path that was answered in two ways there is nothing to say later."""
        if self._thread is None or self._noted is None:
            return
        for path, answer in zip(paths, answers, strict=True):
            if self._noted.setdefault(path, answer) is not answer:
                self._noted = None
                return

    def noted(self) -> Mapping[str, Answer] | None:
        """All that was made use of, by path; None where that was not one look."""
        return self._noted if self._thread else None

    def _fetch(self, reader: Reads, label: str) -> None:
        self._until = time.monotonic() + GOOD_FOR
        # The other thread imports, and would keep the interpreter for 5 ms each time this one has an answer to take.
        interval = sys.getswitchinterval()
        sys.setswitchinterval(0.001)
        try:
            listing = reader.read_all([containers(label=[label])])[0]
            found = listing.json() if listing.status == 200 else []
            names = {name.removeprefix("/") for each in found for name in each["Names"]}
            passing = temporary_containers()
            paths = [*map(container, sorted(names)), passing, *sorted({image(each["Image"]) for each in found})]
            answers = dict(zip(paths, reader.read_all(paths), strict=True))
            self._answers = answers | _absent_leftovers(names, answers[passing])
        except (OSError, ValueError):
            return  # whoever asks for real will be told why
        finally:
            sys.setswitchinterval(interval)
            reader.close()


def _absent_leftovers(names: set[str], passing: Answer) -> dict[str, Answer]:
    """What an interrupted replacement would have left, and `passing`, the list of all such containers, does not have."""
    if passing.status != 200:
        return {}
    there = {name.removeprefix("/") for each in passing.json() or () for name in each["Names"]}
    possible = {name + suffix for name in names for suffix in (NEW_SUFFIX, OLD_SUFFIX)}
    return {container(name): Answer(404, b"") for name in possible - there}
