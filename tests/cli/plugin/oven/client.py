"""There is nothing to connect to."""

from __future__ import annotations

from controller.engine.agent import Setup


def connect(setup: Setup) -> None: ...
