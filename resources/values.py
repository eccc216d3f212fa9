"""The events of a YAML parser -> plain values: what JSON could hold. `documents.py` feeds it one file or one document.

Built from events rather than by PyYAML's constructors: it takes half the time, scalars are read as kubectl reads them,
and nothing that nests or repeats without end gets further than a message.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from resources.meta import Problem
from resources.scalars import Scalar, resolve

Event = Any  # the stubs leave open whether an event has marks; a parser's events always do

MAX_DEPTH = 100  # levels of nesting
MAX_EXPANSION = 1 << 20  # characters that the aliases of one file may add up to

_CORE = "tag:yaml.org,2002:"


class Document(NamedTuple):
    """One document. `number` counts from 0 within the file, empty documents included; `line` from 1."""

    number: int
    line: int
    content: Any
    sound: bool  # whether reading it brought up no problem


class _Anchor(NamedTuple):
    """What `*name` stands for, and by how much it makes a document longer and deeper. Open: not complete yet."""

    value: Any = None
    size: int = 0  # characters
    height: int = 0  # levels
    open: bool = False


class Hopeless(Exception):
    """A document that is not worth reading on; its problem is noted in the builder."""

    def __init__(self, builder: Builder) -> None:
        super().__init__()
        self.builder = builder


class Builder:
    """Plain values from the events of one parser. `line` is how many lines come before its text in the file."""

    def __init__(self, file: str, line: int) -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self.count = 0
        self._file = file
        self._line = line
        self._next: Callable[[], Event]
        self._anchors: dict[str, _Anchor] = {}
        self._expansion = 0  # characters that aliases have added
        self._deepest = 0  # levels, within the innermost anchor that is open

    def build(self, next_event: Callable[[], Event]) -> None:
        self._next = next_event
        while not isinstance(event := next_event(), StreamEndEvent):
            if isinstance(event, DocumentStartEvent):
                self._document(event)

    def fail(self, problem: Problem) -> None:
        """Notes a document that can't be read at all."""
        self.problems.append(problem)
        self.count += 1

    def _document(self, start: Event) -> None:
        before = len(self.problems)
        self._anchors.clear()
        event = self._next()
        self._refuse_what_kubectl_refuses(start, event)
        content = self._value(event, 0)
        if content is not None:
            sound = len(self.problems) == before
            line = self._line + event.start_mark.line + 1
            self.documents.append(Document(self.count, line, content, sound))
        self.count += 1

    def _refuse_what_kubectl_refuses(self, start: Event, first: Event) -> None:
        if start.version or start.tags:
            self._note(start, "cannot use a % directive: remove the line, and write tags in full")
        if start.explicit and first.start_mark.line == start.end_mark.line and not _nothing(first):
            self._note(first, "cannot begin a document on the line of its ---: begin it on the next line")

    # -- values ----------------------------------------------------------------------------------------------------

    def _value(self, event: Event, depth: int) -> Any:
        if isinstance(event, ScalarEvent):
            value = self._scalar(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchor(value, len(event.value) + 1)
            return value
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        self._descend(event, depth + 1)
        return self._parts(event, depth + 1)[0] if event.anchor is None else self._anchored(event, depth + 1)

    def _descend(self, event: Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._give_up(event, f"cannot read more than {MAX_DEPTH} levels of nesting: nest less deeply")
        self._deepest = max(self._deepest, depth)

    def _anchored(self, event: Event, depth: int) -> Any:
        outside, self._deepest = self._deepest, depth
        before = self._expansion
        self._anchors[event.anchor] = _Anchor(open=True)
        value, end = self._parts(event, depth)
        written = end.end_mark.index - event.start_mark.index
        height = self._deepest - depth + 1
        self._anchors[event.anchor] = _Anchor(value, written + self._expansion - before, height)
        self._deepest = max(outside, self._deepest)
        return value

    def _parts(self, event: Event, depth: int) -> tuple[Any, Event]:
        """The value, and the event that ends it."""
        is_mapping = isinstance(event, MappingStartEvent)
        if event.tag not in (None, "!", _CORE + ("map" if is_mapping else "seq")):
            self._note(event, _unknown_tag(event.tag))
        return self._mapping(depth) if is_mapping else self._sequence(depth)

    def _sequence(self, depth: int) -> tuple[list[Any], Event]:
        items = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            items.append(self._value(event, depth))
        return items, event

    def _mapping(self, depth: int) -> tuple[dict[str, Any], Event]:
        fields: dict[str, Any] = {}
        places: dict[str, Event] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            merges = isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = "<<" if merges else self._key(event, self._value(event, depth))
            value = self._value(self._next(), depth)
            if key in places:
                first = places[key].start_mark
                where = f"line {self._line + first.line + 1}, column {first.column + 1}"
                self._note(event, f'cannot have "{key}" twice: it is already given on {where}; remove one of them')
                continue
            places[key] = event
            if merges:
                self._merge(event, fields, value)
            else:
                fields[key] = value
        return fields, event

    def _merge(self, event: Event, fields: dict[str, Any], value: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._note(event, "cannot merge this: << takes a mapping, or a list of mappings")
            return
        merged: dict[str, Any] = {}
        for source in reversed(sources):
            merged |= source
        # YAML lets the fields beside << win, wherever they stand; kubectl only those that come after it.
        if clash := next((key for key in merged if key in fields), None):
            self._note(event, f'cannot tell which "{clash}" is meant: write << before the fields that replace its own')
        fields.update(merged)

    def _key(self, event: Event, key: Any) -> str:
        name = name_of(key)
        if name is None:
            what = {dict: "a mapping", list: "a list", float: "a fraction"}.get(type(key), "nothing")
            self._note(event, f"cannot use {what} as the name of a field: write a name, in quotes where needed")
        return str(key) if name is None else name

    def _scalar(self, event: Event) -> Scalar:
        if event.tag is None:
            value = resolve(event.value) if event.implicit[0] else str(event.value)
        else:
            try:
                value = _tagged(event.tag, event.value)
            except ValueError as error:
                self._note(event, str(error))
                return None
        if isinstance(value, float) and not math.isfinite(value):
            self._note(event, f"cannot use {event.value}: JSON has no such number; put it in quotes if text is meant")
        return value

    def _alias(self, event: Event, depth: int) -> Any:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            self._note(event, f"cannot find the anchor &{event.anchor}: define it further up in the same document")
            return None
        if anchor.open:
            self._give_up(event, f"cannot use *{event.anchor} inside of what it stands for")
        self._descend(event, depth + anchor.height)
        self._expansion += anchor.size
        if self._expansion > MAX_EXPANSION:
            self._give_up(event, "cannot expand so many aliases: they add up to more than a million characters")
        return anchor.value

    # -- problems --------------------------------------------------------------------------------------------------

    def _note(self, event: Event, message: str) -> None:
        mark = event.start_mark
        self.problems.append(Problem(self._file, message, self._line + mark.line + 1, mark.column + 1))

    def _give_up(self, event: Event, message: str) -> NoReturn:
        self._note(event, message)
        self.count += 1
        raise Hopeless(self)


def name_of(key: Any) -> str | None:
    """The name of a field: JSON has text only, so kubectl writes whole numbers and truths out. None for all else."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key) if isinstance(key, int) else None


def _nothing(event: Event) -> bool:
    return isinstance(event, ScalarEvent) and not event.value and event.implicit[0]


def _tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag. Raises ValueError."""
    name = tag.removeprefix(_CORE)
    if name in ("str", "!"):
        return text
    if name == "binary":
        try:
            return base64.b64decode(text, validate=False).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("cannot use this !!binary: it is not the base64 form of UTF-8 text") from None
    if name not in _TAGGED:
        raise ValueError(_unknown_tag(tag))
    value = resolve(text)
    if type(value) not in _TAGGED[name]:
        raise ValueError(f'cannot read "{text}" as !!{name}: remove the tag, or correct the value')
    return value


_TAGGED: dict[str, tuple[type[Any], ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "timestamp": (str,),
}


def _unknown_tag(tag: str) -> str:
    return f"cannot use the tag {tag.replace(_CORE, '!!')}: nothing here gives it a meaning; remove it"
