"""What a kustomization resolves to -> resources, or problems with the file and line where each field was written.

`controller/sources/overlay.py` calls `load`; `p2 build` prints the contents that it leaves.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from resources.kustomize.items import Item
from resources.kustomize.resolving import Read, Resolved
from resources.kustomize.variables import BadFile, substitute, values_of
from resources.load import Faulty, resource_of
from resources.meta import SUBSTITUTE, Declared, Origin, Problem, Resource
from resources.parsed import digest_of
from resources.scalars import resolve
from resources.wording import Mistake


@dataclass(frozen=True, slots=True)
class Loaded:
    """One object: the resource that it is, or why it is none. `file` is where it was declared."""

    file: str
    content: dict[str, Any]
    declared: Declared | None
    problems: tuple[Problem, ...] = ()


def load(resolved: Resolved, read: Read, known: dict[Hashable, Loaded] | None = None) -> list[Loaded]:
    """`read` gives the files with values of variables.

    `known` is what came of it the last time; it has what came of it this time afterwards.
    """
    values = _Values(resolved, read)
    before, now = known or {}, {}
    loaded = []
    for item in resolved.items:
        problems = values.fill(item)
        same = _sameness(item)
        found = None if problems else before.get(same)
        if found is None:
            found = _loaded(item, problems)
        if not found.problems:
            now[same] = found
        loaded.append(found)
    if known is not None:
        known.clear()
        known.update(now)
    return loaded


def _sameness(item: Item) -> Hashable:
    """Where it is equal, the same resource comes of an item."""
    written = frozenset((path, place.script.file) for path, place in item.written.items())
    return item.declared.script.file, item.number, to_json(item.content), written, frozenset(item.variables)


def _loaded(item: Item, problems: tuple[Problem, ...]) -> Loaded:
    file = item.declared.script.file
    if problems:
        return Loaded(file, item.content, None, problems)
    found = _resource(item)
    if isinstance(found, Faulty):
        return Loaded(file, item.content, None, tuple(_placed(item, found)))
    declared = Declared(found, Origin(file, item.number), digest_of(found))
    return Loaded(file, item.content, declared)


def _resource(item: Item) -> Resource | Faulty:
    base = Path(item.declared.script.file).parent
    found = resource_of(item.content, base)
    if isinstance(found, Faulty) and _retyped(item, found.mistakes):
        found = resource_of(item.content, base)
    if isinstance(found, Faulty):
        return found
    if others := {place.script.file for place in item.written.values()} - {item.declared.script.file}:
        return _with_paths_beside(item, found[0], base, others)
    return found[0]


def _retyped(item: Item, mistakes: list[Mistake]) -> bool:
    """What a variable stands for is text, unless that is wrong where it stands and a number or a truth is written."""
    retyped = False
    for mistake in mistakes:
        if mistake.path in item.variables:
            holder: Any = item.content
            for part in mistake.path[:-1]:
                holder = holder[part]
            text = holder[mistake.path[-1]]
            if isinstance(text, str) and not isinstance(resolve(text), str):
                holder[mistake.path[-1]], retyped = resolve(text), True
    return retyped


def _with_paths_beside(item: Item, resource: Resource, base: Path, others: set[str]) -> Resource | Faulty:
    """Relative paths start at the file that writes them, which may be a patch: those are made absolute.

    Which fields are paths only the kind knows: they are those that come out otherwise from another directory.
    """
    content = item.content
    here = resource.spec.model_dump(mode="json", exclude_unset=True)
    for directory in {Path(file).parent for file in others} - {base}:
        from_there = resource_of(content, directory)
        if isinstance(from_there, Faulty):
            continue
        there = from_there[0].spec.model_dump(mode="json", exclude_unset=True)
        for path in _differing(here, there, ("spec",)):
            if Path(item.place(path).script.file).parent == directory:
                _set(content, path, _at(there, path[1:]))
    found = resource_of(content, base)
    return found if isinstance(found, Faulty) else found[0]


def _differing(one: Any, other: Any, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            each for name in one.keys() & other.keys() for each in _differing(one[name], other[name], (*path, name))
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [each for n, (a, b) in enumerate(zip(one, other, strict=True)) for each in _differing(a, b, (*path, n))]
    return [path] if one != other and isinstance(one, str) else []


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def _set(content: Any, path: tuple[str | int, ...], value: Any) -> None:
    try:
        holder = _at(content, path[:-1])
        if isinstance(holder[path[-1]], str):
            holder[path[-1]] = value
    except (LookupError, TypeError):
        return  # the spec writes it in another form; then it stays as it is


def _placed(item: Item, faulty: Faulty) -> list[Problem]:
    found = []
    for mistake in faulty.mistakes:
        problem = item.problem(mistake.message, mistake.path, mistake.field, name=mistake.name)
        found.append(Problem(problem.file, problem.message, problem.line, problem.column, problem.field, faulty.key))
    return found


class _Values:
    """Of the variables, from files beside the outermost kustomization; each is read once."""

    def __init__(self, resolved: Resolved, read: Read) -> None:
        self._resolved = resolved
        self._directory = Path(resolved.kustomization.file).parent
        self._read = read
        self._files: dict[str, dict[str, str] | tuple[Problem, ...]] = {}

    def fill(self, item: Item) -> tuple[Problem, ...]:
        """Fills in the variables of `item`, if it says so. What is wrong."""
        annotations = item.content["metadata"].get("annotations") or {}
        name = annotations.get(SUBSTITUTE, self._resolved.annotations.get(SUBSTITUTE))
        if name is None:
            return ()
        if SUBSTITUTE in annotations:  # it is done, and not to be done again
            del annotations[SUBSTITUTE]
            if not annotations:
                del item.content["metadata"]["annotations"]
        if not isinstance(name, str) or not name or Path(name).is_absolute() or ".." in Path(name).parts:
            message = (
                f'cannot use "{name}": name a file beside {self._resolved.kustomization.file}, such as environment.env'
            )
            return (
                item.problem(message, ("metadata", "annotations", SUBSTITUTE), f"metadata.annotations.{SUBSTITUTE}"),
            )
        values = self._values(name)
        return values if isinstance(values, tuple) else tuple(substitute(item, values, name))

    def _values(self, name: str) -> dict[str, str] | tuple[Problem, ...]:
        if name not in self._files:
            path = self._directory / name
            try:
                self._files[name] = values_of(self._read(path), str(path))
            except BadFile as error:
                self._files[name] = tuple(error.problems)
            except OSError as error:
                reason = "is not there" if isinstance(error, FileNotFoundError) else f"can't be read: {error.strerror}"
                message = f"cannot fill in variables: this file {reason}; write it, or drop the annotation {SUBSTITUTE}"
                self._files[name] = (Problem(str(path), message),)
        return self._files[name]
