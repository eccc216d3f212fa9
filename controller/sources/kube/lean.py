"""Imports kubernetes_asyncio without the thousand modules of models and APIs that it generates, which nothing here uses.

They would be 38 of 104 MB of an operator at rest, and 0.3 s of each command that talks to a cluster. Whoever does use one, as an
agent of a third party may, gets it: the first name that is missing loads them all. `cluster.py` and `watching.py` call this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_GENERATED = ("kubernetes_asyncio", "kubernetes_asyncio.client", "kubernetes_asyncio.client.models")


def import_lean() -> None:
    """To be called before `kubernetes_asyncio` is imported. Does nothing where it is already, or is not installed."""
    if _GENERATED[0] in sys.modules or find_spec(_GENERATED[0]) is None:
        return
    for name in _GENERATED:
        _defer(name)
    client: Any = sys.modules["kubernetes_asyncio.client"]
    client.Configuration = import_module("kubernetes_asyncio.client.configuration").Configuration
    client.ApiClient = import_module("kubernetes_asyncio.client.api_client").ApiClient


def _defer(name: str) -> None:
    """Makes the package there to be imported from, with its own `__init__` put off."""
    spec = find_spec(name)
    assert spec is not None, name
    assert spec.loader is not None, name
    package, loader = module_from_spec(spec), spec.loader

    def load(missing: str) -> Any:
        if missing.startswith("__"):
            raise AttributeError(missing)
        if find_spec(f"{name}.{missing}"):
            return import_module(f"{name}.{missing}")
        package.__dict__.pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, missing)

    package.__dict__["__getattr__"] = load
    sys.modules[name] = package
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, package)


@contextmanager
def unseen(name: str) -> Iterator[None]:
    """As if there were no such module: for an import that looks for it and does as well without."""
    found: ModuleType | None = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if found is None:
            del sys.modules[name]
        else:
            sys.modules[name] = found
