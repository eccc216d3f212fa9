"""`dataclass` as the standard library has it, made in a tenth of the time. What a command imports takes it from here.

The standard library compiles up to six methods of a class from text while the module is imported; for the 160 classes of
a cold `p2 apply` that is a fifth of all that the command does. Here fields, slots and what `replace`, `fields` and `asdict`
need come from the standard library, too, but `__init__` is compiled when the first object is made, and the rest are closures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a type checker knows that one
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, eq=True):
        """The class with the methods that its fields ask for."""
        if cls is None:
            return lambda given: dataclass(given, frozen=frozen, slots=slots, eq=eq)
        cls.__doc__ = cls.__doc__ or cls.__name__  # else the standard library looks for its signature
        derives = hasattr(cls, "__dataclass_fields__")  # and must say then whether it is frozen, as that one must
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, frozen=frozen and derives)(cls)
        made.__dataclass_params__.frozen = frozen
        _add_methods(made, dataclasses.fields(made), frozen, eq)
        if frozen and slots:
            made.__getstate__, made.__setstate__ = _state, _set_state
        return made


def _add_methods(cls: type, fields: Sequence[Field[Any]], frozen: bool, eq: bool) -> None:
    """Those that the class does not define itself."""
    made: dict[str, Any] = {"__init__": _init_on_demand(cls, fields, frozen), "__repr__": _repr(fields)}
    own = vars(cls)
    if eq:
        values = _values(tuple(field.name for field in fields if field.compare))
        made["__eq__"] = _equal(values)
        if "__hash__" not in own or (own["__hash__"] is None and "__eq__" in own):
            made["__hash__"] = _hash(values) if frozen else None
    if frozen:
        made["__setattr__"], made["__delattr__"] = _refusals(cls, frozenset(field.name for field in fields))
    for name, method in made.items():
        if name == "__hash__" or name not in own:
            setattr(cls, name, method)


def _init_on_demand(cls: type, fields: Sequence[Field[Any]], frozen: bool) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        made = _init(fields, frozen)
        made.__qualname__ = f"{cls.__qualname__}.__init__"
        cls.__init__ = made  # type: ignore[misc]  # from now on that one is called
        made(self, *args, **kwargs)

    return __init__


def _init(fields: Sequence[Field[Any]], frozen: bool) -> Callable[..., None]:
    """Compiled as the standard library does it. Names that begin with a double underscore are no field's."""
    scope: dict[str, Any] = {"__set": object.__setattr__, "__missing": MISSING}
    parameters, lines = [], []
    for field in fields:
        if not field.init or field.kw_only:
            raise TypeError(f"cannot make __init__ for the field {field.name}: take dataclass of the standard library")
        name, value, default = field.name, field.name, ""
        if field.default is not MISSING:
            scope[f"__of_{name}"], default = field.default, f"=__of_{name}"
        elif field.default_factory is not MISSING:
            scope[f"__of_{name}"], default = field.default_factory, "=__missing"
            value = f"__of_{name}() if {name} is __missing else {name}"
        parameters.append(name + default)
        lines.append(f"  __set(self, {name!r}, {value})" if frozen else f"  self.{name} = {value}")
    exec(f"def __init__({', '.join(['self', *parameters])}):\n" + "\n".join(lines or ["  pass"]), scope)
    made: Callable[..., None] = scope["__init__"]
    return made


def _values(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """All these of an object, as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda found: tuple(getattr(found, name) for name in names)


def _equal(values: Callable[[Any], Any]) -> Callable[[Any, Any], bool]:
    def __eq__(self: Any, other: Any) -> bool:
        if other.__class__ is self.__class__:
            return bool(values(self) == values(other))
        return NotImplemented

    return __eq__


def _hash(values: Callable[[Any], Any]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _repr(fields: Sequence[Field[Any]]) -> Callable[[Any], str]:
    names = tuple(field.name for field in fields if field.repr)

    @recursive_repr()
    def __repr__(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _refusals(cls: Any, names: frozenset[str]) -> tuple[Callable[..., None], Callable[..., None]]:
    def __setattr__(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


def _state(self: Any) -> list[Any]:
    """What a copy of one that is frozen, and has slots, is made from."""
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: Sequence[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
