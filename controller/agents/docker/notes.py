"""Small notes of the Docker agents that outlive the process: JSON files in $PEGASUS2_HOME/docker.

They hold what neither the engine nor the inventory can: which images we brought, and which were given up. Losing them costs
a comparison or a clearing up, never a container.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.engine.agent import Retry

Content = dict[str, Any]


class Notes:
    """One file. Thread-safe, and safe beside other processes: it is replaced as a whole, under a lock."""

    def __init__(self, home: Path, name: str) -> None:
        self._path = home / "docker" / f"{name}.json"

    def read(self) -> Content:
        """What is noted; nothing where the file is not there, or torn."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def change(self, change: Callable[[Content], None]) -> None:
        """Has `change` alter the content, and keeps it. Raises Retry where it can't be written."""
        try:
            self._replace(change)
        except OSError as error:
            message = f"cannot write {self._path}: {error.strerror}; make room, or make it writable"
            raise Retry("NotKept", message) from None

    def _replace(self, change: Callable[[Content], None]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self.read()
            before = json.dumps(content, sort_keys=True)
            change(content)
            if (after := json.dumps(content, sort_keys=True)) == before:
                return
            draft = self._path.with_suffix(".new")
            draft.write_text(after)
            draft.replace(self._path)
