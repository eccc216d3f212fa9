"""What the environment says of where and how to run."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from controller.wiring.place import home_path

JOURNAL = "/run/systemd/journal/socket"  # of systemd: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
STOP_TIMEOUT = 25.0  # seconds that a controller that is told to stop has for finishing what is under way


@dataclass(frozen=True)
class Settings:
    """What the environment says: `PEGASUS2_HOME`, `PEGASUS2_AGENT_TIMEOUT` (seconds), `PEGASUS2_AGENTS_CONFIG`,
    `PEGASUS2_JOURNAL` (the journal's socket, or "none"), `PEGASUS2_STOP_TIMEOUT` (seconds), `PEGASUS2_NODE`.
    """

    home: Path
    agent_timeout: float = 60.0
    agents_config: Path | None = None
    journal: Path | None = None
    stop_timeout: float = STOP_TIMEOUT
    node: str = ""  # what this machine is called in specs

    @classmethod
    def from_environment(cls) -> Self:
        """Raises ValueError naming the variable that can't be read."""
        config = os.environ.get("PEGASUS2_AGENTS_CONFIG")
        return cls(
            home=home_path(),
            agent_timeout=_environment_float("PEGASUS2_AGENT_TIMEOUT", 60.0),
            agents_config=Path(config).expanduser() if config else None,
            journal=_journal(os.environ.get("PEGASUS2_JOURNAL") or JOURNAL),
            stop_timeout=_environment_float("PEGASUS2_STOP_TIMEOUT", STOP_TIMEOUT),
            node=os.environ.get("PEGASUS2_NODE") or os.uname().nodename.partition(".")[0].lower(),
        )


def _journal(text: str) -> Path | None:
    return None if text == "none" else Path(text)


def _environment_float(name: str, default: float) -> float:
    """A number of seconds from the environment. Raises ValueError naming the variable."""
    text = os.environ.get(name, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ValueError(f'cannot read {name}="{text}": write a number of seconds')
    return seconds
