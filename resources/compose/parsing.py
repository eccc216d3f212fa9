"""The text of a Compose file -> `Fields` and `Items` that know their places. `files.py` calls `parse` for every file.

Other than `resources/values.py`, which reads as kubectl does, this reads as Docker Compose does: fields beside `<<` win
wherever they stand, `!reset` and `!override` mean something, and a mistake in one document is one in the whole file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from resources.compose.nodes import Fields, Items, Place, Report
from resources.compose.scalars import resolve
from resources.documents import LOADER
from resources.scalars import Scalar
from resources.wording import syntax_problem

Event = Any  # the stubs leave open whether an event has marks; a parser's events always do

MAX_DEPTH = 100  # levels of nesting
MAX_VALUES = 200_000  # values of one file, those counted again that aliases repeat

_CORE = "tag:yaml.org,2002:"
_RESET, _OVERRIDE = "!reset", "!override"
_TYPES: dict[str, tuple[type[Any], ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "timestamp": (str,),
}


class _Anchor(NamedTuple):
    value: Any = None
    tag: str | None = None
    size: int = 1  # values
    height: int = 0  # levels
    open: bool = False


def parse(text: bytes, file: str, report: Report) -> list[Any]:
    """The documents of a file, empty ones left out. Raises Stop when it is no YAML; lesser mistakes are reported."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        before = text[: error.start]
        at = (file, before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        report.stop(at, (), "cannot read this as text: save the file as UTF-8")
    loader = LOADER(text)
    try:
        return _Builder(file, report, loader.get_event).documents()
    except yaml.YAMLError as error:
        problem = syntax_problem(error, text, file, 0)
        report.stop((file, problem.line, problem.column), (), problem.message)
    finally:
        loader.dispose()


def _is_merge(event: Event) -> bool:
    return bool(event.tag == _CORE + "merge")


class _Builder:
    def __init__(self, file: str, report: Report, next_event: Callable[[], Event]) -> None:
        self._file = file
        self._report = report
        self._next = next_event
        self._anchors: dict[str, _Anchor] = {}
        self._size = 0  # values so far
        self._deepest = 0

    def documents(self) -> list[Any]:
        found = []
        while not isinstance(event := self._next(), StreamEndEvent):
            if isinstance(event, DocumentStartEvent):
                self._anchors.clear()
                first = self._next()
                value = self._value(first, 0)
                if value is not None:
                    found.append(value)
        return found

    def _place(self, event: Event) -> Place:
        mark = event.start_mark
        return self._file, mark.line + 1, mark.column + 1

    def _value(self, event: Event, depth: int) -> Any:
        self._size += 1
        if isinstance(event, ScalarEvent):
            scalar = self._scalar(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchor(scalar, event.tag)
            return scalar
        if isinstance(event, AliasEvent):
            return self._alias(event, depth).value
        depth += 1
        if depth > MAX_DEPTH:
            self._report.stop(self._place(event), (), f"cannot read more than {MAX_DEPTH} levels of nesting: nest less")
        if event.anchor is None:
            self._deepest = max(self._deepest, depth)
            return self._parts(event, depth)
        outside, self._deepest, before = self._deepest, depth, self._size
        self._anchors[event.anchor] = _Anchor(open=True)
        value = self._parts(event, depth)
        self._anchors[event.anchor] = _Anchor(value, event.tag, self._size - before + 1, self._deepest - depth + 1)
        self._deepest = max(outside, self._deepest)
        return value

    def _alias(self, event: Event, depth: int) -> _Anchor:
        at = self._place(event)
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            message = f"cannot find the anchor &{event.anchor}: define it further up in the same document"
            self._report.fail(at, (), message)
            return _Anchor()
        if anchor.open:
            self._report.stop(at, (), f"cannot use *{event.anchor} inside of what it stands for")
        self._size += anchor.size
        self._deepest = max(self._deepest, depth + anchor.height)
        if self._size > MAX_VALUES:
            self._report.stop(at, (), f"cannot expand so many aliases: they make more than {MAX_VALUES:,} values")
        if self._deepest > MAX_DEPTH:
            self._report.stop(at, (), f"cannot read more than {MAX_DEPTH} levels of nesting: nest less")
        return anchor

    def _parts(self, event: Event, depth: int) -> Fields | Items:
        is_mapping = isinstance(event, MappingStartEvent)
        if event.tag not in (None, "!", _RESET, _OVERRIDE, _CORE + ("map" if is_mapping else "seq")):
            self._unknown_tag(event)
        return self._mapping(depth) if is_mapping else self._sequence(depth)

    def _sequence(self, depth: int) -> Items:
        items = Items()
        while not isinstance(event := self._next(), SequenceEndEvent):
            at = self._place(event)
            value = self._value(event, depth)
            if self._tag(event) != _RESET:
                items.add(value, at)
        return items

    def _mapping(self, depth: int) -> Fields:
        fields = Fields()
        merged: Fields | None = None
        seen: dict[str, Place] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            at = self._place(event)
            merges = isinstance(event, ScalarEvent) and event.value == "<<" and (event.implicit[0] or _is_merge(event))
            key = "<<" if merges else self._key(event, self._value(event, depth))
            follows = self._next()
            value_at = self._place(follows)
            value = self._value(follows, depth)
            if key in seen:
                where = f"line {seen[key][1]}, column {seen[key][2]}"
                message = f'cannot have "{key}" twice: it is already given on {where}; remove one of them'
                self._report.fail(at, (), message)
                continue
            seen[key] = at
            if merges:
                merged = self._merged(at, value)
            else:
                self._put(fields, key, value, at, value_at, self._tag(follows))
        if merged is not None:
            for key in merged:
                if key not in fields and key not in fields.reset:
                    fields.take(merged, key)
            fields.reset |= merged.reset - fields.keys()
            fields.override |= merged.override
        return fields

    def _put(self, fields: Fields, key: str, value: Any, at: Place, value_at: Place, tag: str | None) -> None:
        if tag == _RESET:
            fields.reset.add(key)
            return
        if tag == _OVERRIDE:
            fields.override.add(key)
        fields.put(key, value, at, value_at)

    def _tag(self, event: Event) -> str | None:
        if isinstance(event, AliasEvent):
            return self._anchors.get(str(event.anchor), _Anchor()).tag
        return str(event.tag) if event.tag in (_RESET, _OVERRIDE) else None

    def _merged(self, at: Place, value: Any) -> Fields | None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, Fields) for source in sources):
            self._report.fail(at, (), "cannot merge this: << takes a mapping, or a list of mappings")
            return None
        merged = Fields()
        for source in sources:
            for key in source:
                if key not in merged:
                    merged.take(source, key)
            merged.reset |= source.reset
            merged.override |= source.override
        return merged

    def _key(self, event: Event, key: Any) -> str:
        if isinstance(key, str):
            return key
        what = "nothing" if key is None else {Fields: "a mapping", Items: "a list"}.get(type(key))
        what = what or f'"{event.value}"'
        message = f"cannot use {what} as the name of a field: put the name in quotes, or correct it"
        self._report.fail(self._place(event), (), message)
        return str(getattr(event, "value", ""))

    def _scalar(self, event: Event) -> Scalar:
        tag = event.tag
        if tag is None:
            value = resolve(event.value) if event.implicit[0] else str(event.value)
            if isinstance(value, float) and not math.isfinite(value):
                message = f"cannot use {event.value} as a number: put it in quotes if text is meant"
                self._report.fail(self._place(event), (), message)
            return value
        name = tag.removeprefix(_CORE)
        if tag in (_RESET, _OVERRIDE):
            return resolve(event.value) if event.style is None else str(event.value)
        if name in ("str", "!"):
            return str(event.value)
        if name not in _TYPES:
            self._unknown_tag(event)
            return None
        value = resolve(event.value)
        if type(value) not in _TYPES[name]:
            message = f'cannot read "{event.value}" as !!{name}: remove the tag, or correct the value'
            self._report.fail(self._place(event), (), message)
        return value

    def _unknown_tag(self, event: Event) -> None:
        message = f"cannot use the tag {event.tag.replace(_CORE, '!!')}: Compose knows !reset and !override; remove it"
        self._report.fail(self._place(event), (), message)
