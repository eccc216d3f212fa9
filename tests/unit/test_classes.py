"""Our `dataclass` beside the standard library's: the same classes made with both say and do the same."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import pytest

from resources.classes import dataclass

T = TypeVar("T")
Made = dict[str, Any]


def _classes(dataclass: Callable[..., Any]) -> Made:
    @dataclass(frozen=True, slots=True)
    class Point:
        """A place."""

        x: int
        y: int = 0
        tags: tuple[str, ...] = ()

    @dataclass(frozen=True)
    class Line:
        ends: list[int] = field(default_factory=list)
        note: str = field(default="", compare=False)
        hidden: str = field(default="", repr=False)

        @cached_property
        def length(self) -> int:
            return len(self.ends)

    @dataclass(slots=True)
    class Counter:
        """Can be changed."""

        count: int = 0

    @dataclass(frozen=True, eq=False)
    class Itself:
        """Equal to nothing else."""

        x: int

    @dataclass(frozen=True, slots=True)
    class One(Generic[T]):
        """Of any type."""

        value: T

    @dataclass(frozen=True)
    class Nothing:
        """No field at all."""

    @dataclass(frozen=True)
    class Own:
        """Says itself what it is."""

        x: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, int) and other == self.x

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    @dataclass(frozen=True)
    class Named(Line):
        """One that derives from another."""

        name: str = "line"

    return {each.__name__: each for each in (Point, Line, Counter, Itself, One, Nothing, Own, Named)}


OURS, THEIRS = _classes(dataclass), _classes(dataclasses.dataclass)

DOINGS: dict[str, Callable[[Made], object]] = {
    "repr": lambda made: [repr(each(1)) for each in made.values() if fields(each)] + [repr(made["Nothing"]())],
    "defaults": lambda made: [repr(made[name]()) for name in ("Line", "Counter", "Nothing", "Named")],
    "words": lambda made: repr(made["Point"](y=2, x=1, tags=("a",))),
    "equal": lambda made: made["Point"](1, 2) == made["Point"](1, 2),
    "unequal": lambda made: made["Point"](1, 2) == made["Point"](1, 3),
    "another class": lambda made: made["Point"](1) == made["One"](1),
    "compared without": lambda made: made["Line"]([1], "a") == made["Line"]([1], "b"),
    "only itself": lambda made: made["Itself"](1) == made["Itself"](1),
    "one field": lambda made: made["One"]([1]) == made["One"]([1]),
    "no field": lambda made: made["Nothing"]() == made["Nothing"](),
    "own equality": lambda made: made["Own"](3) == 3,
    "own hash": lambda made: hash(made["Own"](3)),
    "hashes": lambda made: len({made["Point"](1), made["Point"](1), made["One"](1), made["One"](1), made["Nothing"]()}),
    "hash of what can change": lambda made: hash(made["Counter"]()),
    "hash of a list": lambda made: hash(made["Line"]([1])),
    "a factory each": lambda made: made["Line"]().ends is made["Line"]().ends,
    "cached": lambda made: made["Line"]([1, 2]).length,
    "change": lambda made: setattr(made["Point"](1), "x", 2),
    "change of what is derived": lambda made: setattr(made["Named"](), "note", "x"),
    "delete": lambda made: delattr(made["Line"](), "note"),
    "new attribute": lambda made: setattr(made["Line"](), "other", 1),
    "new attribute beside slots": lambda made: setattr(made["Counter"](), "other", 1),
    "missing": lambda made: made["Point"](),
    "too many": lambda made: made["Point"](1, 2, (), 4),
    "unknown": lambda made: made["Point"](z=1),
    "twice": lambda made: made["Point"](1, x=1),
    "replace": lambda made: repr(replace(made["Point"](1, 2), y=3)),
    "replace of an unknown one": lambda made: replace(made["Point"](1, 2), z=3),
    "asdict": lambda made: asdict(made["Named"]([1])),
    "fields": lambda made: [[(f.name, f.type, f.init) for f in fields(each)] for each in made.values()],
    "is one": lambda made: [is_dataclass(each) for each in made.values()],
    "matched": lambda made: [each.__match_args__ for each in made.values()],
    "slots": lambda made: [getattr(each, "__slots__", None) for each in made.values()],
    "copies": lambda made: [copy.deepcopy(each(1)) == each(1) for each in made.values() if fields(each)],
    "docs": lambda made: [made[name].__doc__ for name in ("Point", "Nothing")],
}


@pytest.mark.parametrize("doing", DOINGS)
def test_class_does_what_one_of_the_standard_library_does(doing: str) -> None:
    assert _came_of(DOINGS[doing], OURS) == _came_of(DOINGS[doing], THEIRS)


def _came_of(doing: Callable[[Made], object], made: Made) -> object:
    """Of an error the type and the words, less what the standard library calls the method."""
    try:
        return doing(made)
    except Exception as error:
        return type(error), str(error).replace("_classes.<locals>.", "")


@dataclass(frozen=True, slots=True)
class Packed:
    x: int


def test_one_that_is_frozen_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Packed(1))) == Packed(1)


def test_one_that_is_frozen_says_which_field_it_refuses() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        OURS["Point"](1).x = 2


@pytest.mark.parametrize("above", [dataclass, dataclasses.dataclass])
@pytest.mark.parametrize("below", [dataclass, dataclasses.dataclass])
def test_classes_of_either_derive_from_classes_of_either(above: Callable[..., Any], below: Callable[..., Any]) -> None:
    @above(frozen=True)
    class Above:
        x: int

    @below(frozen=True)
    class Below(Above):
        y: int

    assert repr(Below(1, 2)).endswith("Below(x=1, y=2)")
    with pytest.raises(FrozenInstanceError):
        Below(1, 2).x = 2


def test_fields_that_init_does_not_take_are_refused() -> None:
    @dataclass
    class Odd:
        x: int = field(default=0, init=False)

    with pytest.raises(TypeError, match="standard library"):
        Odd()
