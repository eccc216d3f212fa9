"""Shapes with parts: a mapping with known fields, one with names of people's own, a list. `schema.py` is made of these."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from resources.compose.filling import Filling
from resources.compose.nodes import Fields, Items, Path, Place, Report
from resources.compose.shapes import TEXT, Shape, Text
from resources.wording import nearest

LIST, MAPPING = "a list", "a mapping (name: value)"


class _Replaced(Shape):
    def merge(self, base: Any, other: Any) -> Any:
        return other


_REPLACED = _Replaced()


class Object(Shape):
    """A mapping with known fields. `short`: makes the long form of a text. `scalar`: what may stand in its place, as it is."""

    def __init__(
        self,
        fields: Mapping[str, Shape],
        *,
        required: Iterable[str] = (),
        optional: bool = False,
        keep: bool = True,
        short: Callable[[str, Place, Path, Filling], Fields | None] | None = None,
        scalar: Shape | None = None,
        check: Callable[[Fields, Path, Filling], None] | None = None,
        merge: Callable[[Fields, Fields], Fields | None] | None = None,
    ) -> None:
        self.parts = True
        self.fields = dict(fields)
        self.required = tuple(required)
        self.keep = keep
        self._optional = optional
        self._short, self._scalar, self._check, self._merge = short, scalar, check, merge

    def form(self, value: Any, at: Place, path: Path, filling: Filling) -> Any:
        if isinstance(value, Fields):
            return self._long(value, path, filling)
        if value is None and self._optional:
            return None
        if isinstance(value, str) and self._short:
            text = filling.text(value, at, path)
            return self._short(text, at, path, filling) if not filling.broken(at) else None
        if self._scalar and not isinstance(value, list):
            return self._scalar.form(value, at, path, filling)
        return filling.wrong(value, at, path, f"{TEXT} or {MAPPING}" if self._short else MAPPING)

    def _long(self, value: Fields, path: Path, filling: Filling) -> Fields:
        long = Fields()
        long.reset, long.override = value.reset, value.override
        for name, content in value.items():
            shape = self.fields.get(name)
            if shape is not None:
                at = value.place(name)
                long.put(
                    name, shape.form(content, at, (*path, name), filling), value.names[name], value.values_at[name]
                )
            elif not name.startswith("x-"):
                inside = next((part for part in reversed(path) if isinstance(part, str)), "")
                where = f" in {inside}" if inside else " at the top of a Compose file"
                message = f'unknown field "{name}"{where}{nearest(name, self.fields)}'
                filling.fail(value.names[name], (*path, name), message)
        if self._check:
            self._check(long, path, filling)
        return long

    def merge(self, base: Any, other: Any) -> Any:
        if not isinstance(base, Fields) or not isinstance(other, Fields):
            return base if other is None else other
        if self._merge and (merged := self._merge(base, other)) is not None:
            return merged
        return merge_fields(base, other, self.fields.__getitem__)

    def finish(self, value: Any, at: Place, path: Path, report: Report) -> Any:
        if not isinstance(value, Fields):
            return value
        for name in self.required:
            if value.get(name) is None:
                report.fail(at, path, f'cannot do without "{name}": add it')
        return _finished(value, self.fields.__getitem__, path, report)


class Named(Shape):
    """A mapping whose names people choose. `listed`: a list of names stands for it; `split`: a list of `name=value`."""

    def __init__(
        self,
        shape: Shape,
        *,
        names: str = "",
        listed: Callable[[], Any] | None = None,
        split: str = "",
        alone: Any = None,
        keep: bool = False,
    ) -> None:
        self.shape = shape
        self.parts = shape.parts
        self.keep = keep
        self._names = re.compile(names) if names else None
        self._listed, self._split, self._alone = listed, split, alone

    def form(self, value: Any, at: Place, path: Path, filling: Filling) -> Any:
        if isinstance(value, Items) and (self._split or self._listed):
            return self._from_list(value, path, filling)
        if not isinstance(value, Fields):
            return filling.wrong(value, at, path, f"{MAPPING} or {LIST}" if self._split or self._listed else MAPPING)
        long = Fields()
        long.reset, long.override = value.reset, value.override
        for name, content in value.items():
            if self._names and not self._names.search(name):
                message = f'cannot use the name "{name}": use letters, digits, ".", "_" and "-"'
                filling.fail(value.names[name], (*path, name), message)
                continue
            formed = self.shape.form(content, value.place(name), (*path, name), filling)
            formed = self._alone if formed is None and self._split else formed
            long.put(name, formed, value.names[name], value.values_at[name])
        return long

    def _from_list(self, value: Items, path: Path, filling: Filling) -> Fields:
        long = Fields()
        for index, (item, at) in enumerate(zip(value, value.places, strict=True)):
            if not isinstance(item, str):
                filling.wrong(item, at, (*path, index), TEXT)
                continue
            text = filling.text(item, at, (*path, index))
            if self._listed:
                long.put(text, self._listed(), at, at)
                continue
            name, sign, content = text.partition(self._split)
            if name.rstrip() != name:
                filling.fail(
                    at, (*path, index), "cannot use a name that ends with a space: remove the space before the ="
                )
            content = self.shape.form(content.replace("$", "$$"), at, (*path, name), filling)
            long.put(name, content if sign else self._alone, at, at)
        return long

    def merge(self, base: Any, other: Any) -> Any:
        shape = _REPLACED if self._split else self.shape  # there a name without a value replaces one with a value
        return base if other is None else merge_fields(base, other, lambda name: shape)

    def finish(self, value: Any, at: Place, path: Path, report: Report) -> Any:
        return _finished(value, lambda name: self.shape, path, report, all_kept=True)


class Listed(Shape):
    """A list. `key`: of two items with one key the later replaces the other.

    `whole`: makes a list of a text; `many`: makes items of one that is no mapping; `mapping`: what joins name and value
    where a mapping stands for a list; `merges`: a later list is put behind an earlier, and does not replace it;
    `merges_items`: of two items with one key the later is merged over the other.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        whole: Callable[[str, Place, Path, Filling], Items | None] | None = None,
        optional: bool = False,
        key: Callable[[Any], Any] | None = None,
        many: Callable[[Any, Place, Path, Filling], Iterable[Any] | None] | None = None,
        merges: bool = True,
        merges_items: bool = False,
        keep: bool = False,
        mapping: str = "",
    ) -> None:
        self.shape = shape
        self.parts = shape.parts
        self.keep = keep
        self._whole, self._optional, self._key, self._many = whole, optional, key, many
        self._merges, self._merges_items, self._mapping = merges, merges_items, mapping

    def form(self, value: Any, at: Place, path: Path, filling: Filling) -> Any:
        if value is None and self._optional:
            return None
        if isinstance(value, Items):
            return self._unique(self._items(value, path, filling))
        if isinstance(value, Fields) and self._mapping:
            return self._unique(self._of_mapping(value, path, filling))
        if self._whole and isinstance(value, str):
            text = filling.text(value, at, path)
            return None if filling.broken(at) else self._whole(text, at, path, filling)
        return filling.wrong(value, at, path, f"{LIST} or {TEXT}" if self._whole else LIST)

    def _items(self, value: Items, path: Path, filling: Filling) -> Items:
        formed = Items()
        for index, (item, at) in enumerate(zip(value, value.places, strict=True)):
            self._add(formed, item, at, (*path, index), filling)
        return formed

    def _add(self, formed: Items, item: Any, at: Place, path: Path, filling: Filling) -> None:
        if self._many and not isinstance(item, dict):
            for each in self._many(item, at, path, filling) or ():
                formed.add(each, at)
        elif (value := self.shape.form(item, at, path, filling)) is not None:
            formed.add(value, at)

    def _of_mapping(self, value: Fields, path: Path, filling: Filling) -> Items:
        formed = Items()
        for name, content in value.items():
            contents = content if isinstance(content, list) else [content]
            for each in contents:
                text = Text(numbers=True, truths=True, optional=True).form(
                    each, value.place(name), (*path, name), filling
                )
                joined = name if text is None else f"{name}{self._mapping}{text}"
                self._add(formed, joined.replace("$", "$$"), value.place(name), (*path, name), filling)
        return formed

    def merge(self, base: Any, other: Any) -> Any:
        if not self._merges:
            return other
        if other is None or base is None:
            return base if other is None else other
        merged = Items()
        for items in (base, other):
            for value, at in zip(items, items.places, strict=True):
                merged.add(value, at)
        return self._unique(merged)

    def _unique(self, items: Items) -> Items:
        if self._key is None:
            return items
        found, places = Items(), dict[Any, int]()
        for value, at in zip(items, items.places, strict=True):
            key = self._key(value)
            if key in places:
                index = places[key]
                found[index] = self.shape.merge(found[index], value) if self._merges_items else value
                found.places[index] = at
            else:
                places[key] = len(found)
                found.add(value, at)
        return found

    def finish(self, value: Any, at: Place, path: Path, report: Report) -> Any:
        if value is None:
            return None
        finished = Items()
        for index, (item, place) in enumerate(zip(value, value.places, strict=True)):
            finished.add(self.shape.finish(item, place, (*path, index), report), place)
        return finished


def merge_fields(base: Fields, other: Fields, shape_of: Callable[[str], Shape]) -> Fields:
    """`other` over `base`, as its tags say; the tags stay with the result, which may itself be merged over something."""
    merged = base.copied()
    merged.reset, merged.override = other.reset, other.override
    for name in other.reset:
        merged.pop(name, None)
    for name, value in other.items():
        if name in merged and name not in other.override:
            value = shape_of(name).merge(merged[name], value)
        merged.put(name, value, other.names[name], other.values_at[name])
    return merged


def _finished(
    value: Fields, shape_of: Callable[[str], Shape], path: Path, report: Report, *, all_kept: bool = False
) -> Fields:
    finished = Fields()
    for name, written_content in value.items():
        shape = shape_of(name)
        content = written_content
        if shape.parts:
            content = shape.finish(content, value.place(name), (*path, name), report)
        if all_kept or shape.keep or content not in _NOTHING:
            finished.put(name, content, value.names[name], value.values_at[name])
    return finished


_NOTHING: tuple[Any, ...] = (None, False, 0, "", [], {})
