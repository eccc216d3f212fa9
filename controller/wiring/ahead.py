"""Reading ahead: a cold command spends most of its time importing; the systems can answer meanwhile.

A system that is slow to answer has a module `ahead.py` with `begin(home)`; what it returns is handed to the system's
`connect` as `setup.ahead`. Nothing heavy may be imported on this path: no pydantic, no models, no agents.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import controller.agents


def read_ahead(home: Path) -> Mapping[str, Any]:
    """Begins to ask, in threads, what a look will need; by system. Empty where nothing was ever applied."""
    if not (home / "p2.db").exists():
        return {}
    found = {}
    for folder in controller.agents.__path__:
        for module in sorted(Path(folder).glob("*/ahead.py")):
            system = module.parent.name
            found[system] = importlib.import_module(f"controller.agents.{system}.ahead").begin(home)
    return found
