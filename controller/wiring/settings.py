"""What the environment says of where and how to run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from controller.wiring.place import home_path


@dataclass(frozen=True)
class Settings:
    """What the environment says: `PEGASUS2_HOME`, `PEGASUS2_AGENT_TIMEOUT` (seconds), `PEGASUS2_AGENTS_CONFIG`."""

    home: Path
    agent_timeout: float = 60.0
    agents_config: Path | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Raises ValueError naming the variable that can't be read."""
        config = os.environ.get("PEGASUS2_AGENTS_CONFIG")
        return cls(
            home=home_path(),
            agent_timeout=_environment_float("PEGASUS2_AGENT_TIMEOUT", 60.0),
            agents_config=Path(config).expanduser() if config else None,
        )


def _environment_float(name: str, default: float) -> float:
    """A number of seconds from the environment. Raises ValueError naming the variable."""
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise ValueError(f'cannot read {name}="{text}": write a number of seconds') from None
