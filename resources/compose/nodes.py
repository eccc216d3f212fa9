"""Values that know where they were written. `yaml.py` makes them, shapes and merging hand the places on.

They are dicts and lists, so that what is done with a project needs to know nothing of places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from resources.meta import Problem

Place = tuple[str, int, int]  # file, line and column, both from 1
Path = tuple[str | int, ...]

NOWHERE: Place = ("", 0, 0)


class Fields(dict[str, Any]):
    """A mapping. `names`: where each name stands; `values_at`: where its value stands, where that is not a part with names."""

    __slots__ = ("names", "override", "reset", "values_at")

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}
        self.reset: set[str] = set()  # fields tagged !reset: what earlier files say of them is dropped
        self.override: set[str] = set()  # fields tagged !override: they replace instead of being merged

    def put(self, name: str, value: Any, at: Place, value_at: Place) -> None:
        self[name] = value
        self.names[name] = at
        self.values_at[name] = value_at

    def take(self, other: Fields, name: str) -> None:
        """`name` with its value and places from `other`."""
        self.put(name, other[name], other.names[name], other.values_at[name])

    def place(self, name: str) -> Place:
        """Where the value stands; of one with parts, and of one that nobody wrote: where its name does, or nothing."""
        if isinstance(self.get(name), dict | list):
            return self.names.get(name, NOWHERE)
        return self.values_at.get(name, NOWHERE)

    def copied(self) -> Fields:
        """A copy that shares the values."""
        copy = Fields()
        copy.update(self)
        copy.names, copy.values_at = self.names.copy(), self.values_at.copy()
        copy.reset, copy.override = self.reset, self.override
        return copy


class Items(list[Any]):
    """A list. `places`: where each of its values stands."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        super().__init__()
        self.places: list[Place] = []

    def add(self, value: Any, at: Place) -> None:
        self.append(value)
        self.places.append(at)


@dataclass(frozen=True, slots=True)
class Stop(Exception):
    """A mistake after which there is no reading on; it is among the problems."""


def shown(path: Path) -> str:
    """A path as people write it: `services.web.ports[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


class Report:
    """Gathers what is wrong with, or doubtful in, the files of one project."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}
        self.filled: set[tuple[str, str]] = set()  # names and values of variables that went into texts; may be secret

    @property
    def problems(self) -> list[Problem]:
        return list(self._problems)

    @property
    def warnings(self) -> list[Problem]:
        return list(self._warnings)

    def used(self, name: str, value: str) -> None:
        self.filled.add((name, value))

    def fail(self, at: Place, path: Path, message: str) -> None:
        self._problems[Problem(at[0], message, at[1], at[2], shown(path))] = None

    def warn(self, at: Place, path: Path, message: str) -> None:
        self._warnings[Problem(at[0], message, at[1], at[2], shown(path))] = None

    def stop(self, at: Place, path: Path, message: str) -> NoReturn:
        self.fail(at, path, message)
        raise Stop


def each(items: Items | None) -> Iterator[tuple[int, Any, Place]]:
    """Index, value and place of the values of a list; None is an empty one."""
    if items is not None:
        yield from zip(range(len(items)), items, items.places, strict=True)


def fields(at: Place, **values: Any) -> Fields:
    """Fields that all stand where their short form does; those that are None are left out."""
    made = Fields()
    for name, value in values.items():
        if value is not None:
            made.put(name, value, at, at)
    return made
