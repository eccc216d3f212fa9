"""Worlds for the contract suite: every module here that holds a subclass of `World` takes part, nothing lists them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

from tests.agents.world import World


def worlds() -> dict[str, type[World[Any]]]:
    """The worlds by the name of their kind."""
    found: dict[str, type[World[Any]]] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for _, each in inspect.getmembers(loaded, inspect.isclass):
            if each.__module__ == loaded.__name__ and issubclass(each, World) and not inspect.isabstract(each):
                found[each.agent_class.model.__name__] = each
    return dict(sorted(found.items()))
