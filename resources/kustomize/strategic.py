"""A strategic merge patch, as Kustomize applies it to kinds whose lists have no merge keys (ours). `patching.py` calls it.

Mappings are merged, everything else is replaced, null removes. `$patch: delete` removes the mapping it stands in and
`$patch: replace` puts the patch in its place. What it does beyond what is written down anywhere is what
`kubectl kustomize` does; tests/kustomize compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resources.kustomize.scripts import dotted

DIRECTIVE = "$patch"
Path = tuple[str | int, ...]


class CannotPatch(Exception):
    """Why, and at which path of the patch."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class Merge:
    """One patch of one object. `written` are the paths that have the patch's value afterwards."""

    def __init__(self) -> None:
        self.written: list[Path] = []

    def apply(self, content: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any] | None:
        """The object after it; None: it is deleted. Raises CannotPatch."""
        return self._mapping(content, patch, ())

    def _mapping(self, old: dict[str, Any], patch: dict[str, Any], path: Path) -> dict[str, Any] | None:
        match directive(patch, path):
            case "delete":
                return None
            case "replace":
                self.written.append(path)
                return _added({name: value for name, value in patch.items() if name != DIRECTIVE}, path)
        merged = dict(old)
        for name, value in patch.items():
            if name == DIRECTIVE:
                continue
            below = (*path, name)
            found = self._value(merged.get(name), value, below)
            if found is None:
                merged.pop(name, None)
            else:
                merged[name] = found
        return merged

    def _value(self, old: Any, new: Any, path: Path) -> Any:
        """None where nothing is to be left."""
        if new is None:
            return None
        if old is not None and _shape(old) != _shape(new):
            raise CannotPatch(f"cannot put {_shape(new)} in the place of {_shape(old)}: {dotted(path)} is one", path)
        if isinstance(old, dict):
            return self._mapping(old, new, path)
        self.written.append(path)
        if isinstance(new, dict):
            return None if directive(new, path) == "delete" else _added(new, path)
        _refuse_directives(new, path)
        return new


def directive(patch: dict[str, Any], path: Path) -> str:
    found = patch.get(DIRECTIVE, "merge")
    if found not in ("merge", "replace", "delete"):
        raise CannotPatch(f'cannot use {DIRECTIVE}: "{found}": write merge, replace or delete', (*path, DIRECTIVE))
    return str(found)


def _added(new: dict[str, Any], path: Path) -> dict[str, Any]:
    """A mapping that was not there before: without what was to be deleted from it."""
    added = {}
    for name, value in new.items():
        below = (*path, name)
        if name == DIRECTIVE or value is None:
            continue
        if isinstance(value, dict):
            if directive(value, below) == "delete":
                continue
            value = _added(value, below)
        else:
            _refuse_directives(value, below)
        added[name] = value
    return added


def _refuse_directives(value: Any, path: Path) -> None:
    for place in _directives(value, path):
        raise CannotPatch(
            f"cannot use {DIRECTIVE} within a list: a list is replaced as a whole; write it as it is to be", place
        )


def _directives(value: Any, path: Path) -> Iterator[Path]:
    parts = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for name, part in parts:
        if name == DIRECTIVE:
            yield (*path, name)
        yield from _directives(part, (*path, name))


def _shape(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a single value"
