"""Where the home is. Imported by every command before anything else, so it imports next to nothing."""

from __future__ import annotations

import os
from pathlib import Path


def home_path() -> Path:
    """`PEGASUS2_HOME`, or `~/.pegasus2`."""
    return Path(os.environ.get("PEGASUS2_HOME") or "~/.pegasus2").expanduser().absolute()
