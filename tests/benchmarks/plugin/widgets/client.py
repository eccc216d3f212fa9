"""The widgets' world: a dictionary, with a journal in the home so that the next process finds it again.

A line of the journal is a JSON list: when it was written (seconds since the epoch), name, and the widget or null.
"""

from __future__ import annotations

import json
import time
from functools import cached_property
from pathlib import Path
from threading import Lock

from controller.engine.agent import Setup
from widgets.kind import WidgetObserved


class World:
    def __init__(self, journal: Path, read_only: bool) -> None:
        self._journal = journal
        self._read_only = read_only
        self._lock = Lock()

    @cached_property
    def widgets(self) -> dict[str, WidgetObserved]:
        found: dict[str, WidgetObserved] = {}
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        for _, name, widget in json.loads(f"[{','.join(lines)}]"):
            if widget is None:
                found.pop(name, None)
            else:
                found[name] = WidgetObserved(widget[0], widget[1], tuple(widget[2]))
        return found

    def put(self, name: str, widget: WidgetObserved | None) -> None:
        if self._read_only:
            raise RuntimeError("cannot change widgets: the client is read-only")
        with self._lock, self._journal.open("a") as journal:
            content = None if widget is None else [widget.text, widget.colour, widget.sizes]
            journal.write(json.dumps([time.time(), name, content]) + "\n")
            if widget is None:
                self.widgets.pop(name, None)
            else:
                self.widgets[name] = widget


def connect(setup: Setup) -> World:
    return World(setup.home / "widgets.jsonl", setup.read_only)
