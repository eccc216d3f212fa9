"""Where the home is. Imported by every command before anything else, so it imports next to nothing."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as typing has it, which takes a sent command as long as all else that it needs
if TYPE_CHECKING:
    from pathlib import Path


def home_path() -> Path:
    """`PEGASUS2_HOME`, or `~/.pegasus2`."""
    from pathlib import Path

    return Path(_named()).expanduser().absolute()


def socket_of_home() -> str:
    """Where a controller takes commands, as seen from the working directory."""
    return f"{os.path.expanduser(_named())}/run/p2.sock"


def _named() -> str:
    return os.environ.get("PEGASUS2_HOME") or "~/.pegasus2"
