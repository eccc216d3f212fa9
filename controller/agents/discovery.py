"""Finds the agent of a kind. Wiring calls it; nothing lists the agents.

`controller/agents/docker/container.py` holds the agent of kind `Container`. A third-party package names its agent class in
the entry-point group `pegasus2.agents` (`Widget = "their_package.agent:WidgetAgent"`).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any

import controller.agents
from controller.engine.agent import Agent
from resources.kinds import built_in

ENTRY_POINTS = "pegasus2.agents"


@cache
def _modules() -> dict[str, str]:
    """Module names (`container`) with their full paths, over all systems."""
    found: dict[str, str] = {}
    for system in pkgutil.iter_modules(controller.agents.__path__):
        if system.ispkg:
            folder = f"{controller.agents.__name__}.{system.name}"
            package = importlib.import_module(folder)
            found |= {m.name: f"{folder}.{m.name}" for m in pkgutil.iter_modules(package.__path__)}
    return found


@cache
def agent_of(kind: str) -> type[Agent[Any, Any]] | None:
    """The agent class of a kind by its exact name, or None: no agent at all, or a kind of ours that only stands for others."""
    if kind in built_in():
        path = _modules().get(built_in()[kind].rpartition(".")[2])
        return _class_in(importlib.import_module(path), kind) if path else None
    from importlib.metadata import entry_points

    return next((point.load() for point in entry_points(group=ENTRY_POINTS, name=kind)), None)


def client_module(agent: type[Agent[Any, Any]]) -> ModuleType:
    """The module with `connect(setup)` that belongs to an agent's system."""
    return importlib.import_module(f"{agent.__module__.rpartition('.')[0]}.client")


def _class_in(module: ModuleType, kind: str) -> type[Agent[Any, Any]]:
    for _, found in inspect.getmembers(module, inspect.isclass):
        if found.__module__ == module.__name__ and issubclass(found, Agent) and found.model.__name__ == kind:
            return found
    raise TypeError(f"{module.__name__} holds no agent for the kind {kind}")
