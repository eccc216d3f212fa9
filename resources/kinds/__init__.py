"""The kinds that can be declared: one module a kind, found by its file's name; other packages add theirs as entry points.

`Container` lives in `container.py`. A third-party package names its model in the entry-point group `pegasus2.kinds`
(`Widget = "their_package.widget:Widget"`). Modules are imported when first asked for, so a command pays only for the
kinds it meets.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from resources.meta import Resource

ENTRY_POINTS = "pegasus2.kinds"


@cache
def built_in() -> dict[str, str]:
    """Names of the built-in kinds with their modules. A module `git_repository` holds the kind `GitRepository`."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return {name.title().replace("_", ""): f"{__name__}.{name}" for name in modules}


@cache
def _third_party() -> dict[str, type[Resource]]:
    from importlib.metadata import entry_points

    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}


@cache
def model_of(kind: str) -> type[Resource] | None:
    """The model of a kind by its exact name, or None."""
    if module := built_in().get(kind):
        model: type[Resource] = getattr(importlib.import_module(module), kind)
        return model
    return _third_party().get(kind)


def names() -> list[str]:
    """All known kinds, sorted."""
    return sorted({*built_in(), *_third_party()})


@cache
def resolve(text: str) -> str | None:
    """The kind meant by what a user typed: any case, singular, plural or short name. None when there is none."""
    wanted = text.lower()
    for name in built_in():  # by its own name a kind is known without importing the models of others
        if wanted == name.lower():
            return name
    for name in names():
        model = model_of(name)
        assert model is not None
        if wanted in (name.lower(), model.about.plural, *model.about.short):
            return name
    return None
