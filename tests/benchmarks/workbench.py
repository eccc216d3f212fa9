"""What a benchmark is given: a folder of its own, `p2` with a home of its own, the peers, and how long it may take."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Where each peer's program is below --peers-dir: a virtual environment a Python peer, Debian's package unpacked for Compose.
PLACES = {
    "docker-compose": ("compose/usr/libexec/docker/cli-plugins/docker-compose", "docker-compose"),
    "docker-compose-1": ("compose1/bin/docker-compose",),
    "pyinfra": ("pyinfra/bin/pyinfra",),
    "ansible-playbook": ("ansible/bin/ansible-playbook",),
    "salt-call": ("salt/bin/salt-call",),
}


@dataclass(frozen=True)
class Bench:
    """How one run is to be made. `seconds_at_rest` is how long the controller at rest is watched.

    `at_most` caps the rounds, for a rough figure at full size.
    """

    folder: Path
    p2: str
    peers_dir: Path | None = None
    quick: bool = False
    baselines_only: bool = False
    seconds_at_rest: float = 300.0
    at_most: int = 1000

    def rounds(self, full: int, quick: int) -> int:
        return min(quick if self.quick else full, self.at_most)

    def peer(self, program: str) -> str | None:
        """The path of a peer's program, from --peers-dir or PATH; None where it is not installed."""
        below = [self.peers_dir / place for place in PLACES[program]] if self.peers_dir else []
        return next((str(path) for path in below if path.is_file()), None) or shutil.which(program)

    def missing(self, *programs: str) -> list[str]:
        """A note for each peer that is not installed."""
        absent = [program for program in programs if self.peer(program) is None]
        return [f"{program} is not installed here: its figures are missing from this run" for program in absent]

    def place(self, name: str) -> Path:
        """A fresh folder below the run's own."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))


def command(arguments: Sequence[str | Path], expect: Sequence[int] = (0,), **environment: str) -> str:
    """Runs a program to its end and returns its output. Raises RuntimeError with what it said when it fails."""
    outcome = subprocess.run(
        [str(argument) for argument in arguments],
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if outcome.returncode not in expect:
        said = f"{outcome.stdout[-2000:]}\n{outcome.stderr[-2000:]}"
        raise RuntimeError(f"{' '.join(map(str, arguments))} ended with {outcome.returncode}:\n{said}")
    return outcome.stdout


@contextmanager
def own_folder() -> Iterator[Path]:
    """A temporary folder, in which Python's bytecode goes too.

    An installed program has its bytecode beside it; a checkout may lack it, or the environment may forbid to write it.
    So that a start never includes compiling, all programs get a cache of the run's own, filled by their first call.
    """
    with tempfile.TemporaryDirectory(prefix="p2bench-") as folder:
        for name in [name for name in os.environ if name.startswith("PYTHON")]:
            del os.environ[name]
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        yield Path(folder)


def machine() -> str:
    """What the figures were taken on, in a line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        f"{os.cpu_count()} x {model}, {gigabytes:.0f} GiB, {system}, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def p2_beside_this_python() -> str:
    return str(Path(sys.executable).with_name("p2"))
