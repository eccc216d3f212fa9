"""What every part of the loop works with, made once by wiring and handed to each of them whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from controller.engine.agent import Agent, Context
from controller.engine.board import Board
from controller.engine.clock import Clock
from controller.engine.history import Texts
from controller.engine.index import Index
from controller.engine.requests import Request, Requests
from controller.engine.stores import Listener, Stores
from resources.meta import Key

# The agent of a kind, or None where there is none.
AgentOf = Callable[[str], Agent[Any, Any] | None]


@dataclass(frozen=True)
class Identity:
    """Who reconciles: this installation, and the source whose desired state it works off."""

    installation: str
    source: str
    source_exists: Callable[[str], bool]  # whether another source is still there, and so still owns what it declared
    is_part: Callable[[str], bool] = lambda name: False  # whether another source is a path within ours
    covers: Callable[[Key], bool] = lambda key: True  # whether a key that is not declared would be seen if it were


@dataclass(frozen=True)
class Parts:
    index: Index
    agent_of: AgentOf
    stores: Stores
    board: Board
    listener: Listener
    clock: Clock
    context: Context
    identity: Identity
    requests: Requests = field(default_factory=lambda: Requests(Request()))
    texts: Texts | None = None  # the source's files, where they are kept for the history
