"""Writes an image, or a patch, into a kustomization and leaves all else as it is, byte for byte. `p2 deploy` calls it.

The text is edited where the parser says that things stand; then it is read again, and refused unless it says exactly what was
meant: what this can't edit is never damaged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from resources.documents import LOADER, read
from resources.scalars import resolve

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]*(?::[A-Za-z0-9][A-Za-z0-9._/@-]*)*")  # needs no quotes
_OF_VERSION = ("digest", "newTag")  # of which one holds

Edit = tuple[int, int, str]  # from, to, and what stands there then


class CannotEdit(Exception):
    """The text can't be edited as it is written; the message says what to do."""


def set_image(
    text: str, name: str, *, new_name: str | None = None, new_tag: str | None = None, digest: str | None = None
) -> str:
    """`text`, a kustomization, with these fields in the entry of `images:` for `name`; the entry is added if there is none.

    A digest takes the place of a tag and the other way round. What is None stays as it is. Raises CannotEdit.
    """
    if digest is not None and new_tag is not None:
        raise ValueError("give either a tag or a digest")
    wanted = {"newName": new_name, "newTag": new_tag, "digest": digest}
    fields = {field: value for field, value in wanted.items() if value is not None}
    content = _content(text)
    edited = _edited(text, "images", {"name": name, **fields})
    if _content(edited) != _expected(content, name, fields):
        raise CannotEdit(f"cannot set the image {name}: {_PLAINLY}")
    return edited


_PLAINLY = "write images: as a plain list, one entry for each name, without anchors and aliases"


def add_patch(text: str, path: str) -> str:
    """`text`, a kustomization, with the file `path` as its last patch, unless it is one already. Raises CannotEdit."""
    content = _content(text)
    patches = content.get("patches") or []
    if not isinstance(patches, list):
        raise CannotEdit(f"cannot add the patch {path}: write patches: as a list")
    if {"path": path} in patches:
        return text
    edited = _edited(text, "patches", {"path": path})
    if _content(edited) != {**content, "patches": [*patches, {"path": path}]}:
        raise CannotEdit(f"cannot add the patch {path}: write patches: as a plain list, without anchors and aliases")
    return edited


def _content(text: str) -> dict[str, Any]:
    reading = read(text.encode(), "kustomization.yaml")
    if reading.problems:
        raise CannotEdit(f"cannot edit {reading.problems[0]}")
    if not reading.documents:
        return {}
    if len(reading.documents) > 1 or not isinstance(reading.documents[0].content, dict):
        raise CannotEdit("cannot edit kustomization.yaml: it must be one document, with fields such as resources:")
    return reading.documents[0].content


def _expected(content: dict[str, Any], name: str, fields: Mapping[str, str]) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads(json.dumps(content))  # without what aliases share
    images = expected.get("images") or []
    if not isinstance(images, list) or not all(isinstance(each, dict) for each in images):
        raise CannotEdit(f"cannot set the image {name}: {_PLAINLY}")
    expected["images"] = images
    entry: dict[str, Any] | None = next((each for each in images if each.get("name") == name), None)
    if entry is None:
        images.append(entry := {"name": name})
    if any(field in fields for field in _OF_VERSION):
        for field in _OF_VERSION:
            entry.pop(field, None)
    entry.update(fields)
    return expected


def _edited(text: str, section: str, fields: Mapping[str, str]) -> str:
    """With these fields in the entry of the list `section` that has the first of them, or in a new one."""
    root = yaml.compose(text, Loader=LOADER)
    if root is None:
        return _with_line(text, len(text), _list(section, fields, text))
    assert isinstance(root, MappingNode)
    entries = next((value for key, value in root.value if key.value == section), None)
    if entries is None:
        if root.flow_style:
            reason = "to a kustomization in braces; write its fields on lines of their own"
            raise CannotEdit(f"cannot add {section}: {reason}")
        return _with_line(text, _end_of_line(text, _end(root)), _list(section, fields, text))
    if not isinstance(entries, SequenceNode) or not entries.value:
        return _filled(text, section, entries, fields)
    (first, wanted), *rest = fields.items()
    entry = next((each for each in entries.value if _field(each, first) == wanted), None)
    if isinstance(entry, MappingNode) and rest:
        return _applied(text, _changes(text, entry, dict(rest)))
    return _appended(text, entries, fields)


# -- a new entry ---------------------------------------------------------------------------------------------------


def _list(section: str, fields: Mapping[str, str], text: str) -> str:
    return f"{section}:{_newline(text)}{_entry(fields, '', text)}"


def _entry(fields: Mapping[str, str], indent: str, text: str) -> str:
    lines = [f"{field}: {_scalar(value)}" for field, value in fields.items()]
    return f"{indent}- " + f"{_newline(text)}{indent}  ".join(lines)


def _in_braces(fields: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{field}: {_scalar(value)}" for field, value in fields.items()) + "}"


def _filled(text: str, section: str, entries: Node, fields: Mapping[str, str]) -> str:
    """In place of a list that is empty."""
    start, end = entries.start_mark.index, entries.end_mark.index
    if isinstance(entries, ScalarNode) and entries.value in ("", "~", "null"):
        at = text.rfind(section, 0, start + 1) if start == end else start
        start = end = text.index(":", at) + 1 if start == end else end
        if not entries.value:
            return _with_line(text, _end_of_line(text, end), _entry(fields, "", text))
        start = entries.start_mark.index
    return text[:start] + f"[{_in_braces(fields)}]" + text[end:]


def _appended(text: str, entries: SequenceNode, fields: Mapping[str, str]) -> str:
    last = entries.value[-1]
    if entries.flow_style:
        end = last.end_mark.index
        return f"{text[:end]}, {_in_braces(fields)}{text[end:]}"
    indent = " " * entries.start_mark.column
    return _with_line(text, _end_of_line(text, _end(last)), _entry(fields, indent, text))


def _with_line(text: str, at: int, line: str) -> str:
    """`line` after the line that ends at `at`."""
    newline = _newline(text)
    before = text[:at]
    if before and not before.endswith("\n"):
        before += newline
    return before + line + newline + text[at:]


# -- an entry that is there ----------------------------------------------------------------------------------------


def _changes(text: str, entry: MappingNode, fields: Mapping[str, str]) -> Iterator[Edit]:
    there = {key.value: (key, value) for key, value in entry.value}
    left = dict(fields)
    versions = [key for key, _ in entry.value if key.value in _OF_VERSION]
    old = [key.value for key in versions] if left.keys() & set(_OF_VERSION) else []
    for place, field in enumerate(old):  # the one that is set takes the place of the first that is there
        key, value = there.pop(field)
        if place:
            yield _removal(text, entry, key, value)
            continue
        new = next(each for each in _OF_VERSION if each in left)
        yield key.start_mark.index, _end_of_value(text, value), f"{new}: {_scalar(left.pop(new))}"
    for field in [each for each in left if each in there]:
        node = there[field][1]
        yield node.start_mark.index, _end_of_value(text, node), _scalar(left.pop(field))
    if left:
        yield _addition(text, entry, left)


def _removal(text: str, entry: MappingNode, key: Node, value: Node) -> Edit:
    start, end = key.start_mark.index, value.end_mark.index
    if entry.flow_style:
        comma = text.rfind(",", 0, start)
        return comma, end, ""
    return text.rfind("\n", 0, start) + 1, _end_of_line(text, end), ""


def _addition(text: str, entry: MappingNode, fields: Mapping[str, str]) -> Edit:
    lines = [f"{field}: {_scalar(value)}" for field, value in fields.items()]
    if entry.flow_style:
        end = entry.value[-1][1].end_mark.index
        return end, end, "".join(f", {line}" for line in lines)
    at, newline = _end_of_line(text, _end(entry)), _newline(text)
    added = newline.join(" " * entry.start_mark.column + line for line in lines)
    return at, at, added + newline if text[:at].endswith("\n") else newline + added


def _applied(text: str, edits: Iterator[Edit]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


# -- the text ------------------------------------------------------------------------------------------------------


def _field(entry: Node, name: str) -> str | None:
    pairs = entry.value if isinstance(entry, MappingNode) else ()
    return next((value.value for key, value in pairs if key.value == name and isinstance(value, ScalarNode)), None)


def _end(node: Node) -> int:
    """Where the last thing that is written in a node ends; the parser has lists and mappings end before what follows."""
    if not isinstance(node, MappingNode | SequenceNode) or not node.value or node.flow_style:
        return int(node.end_mark.index)
    last = node.value[-1]
    return max(_end(part) for part in (last if isinstance(last, tuple) else (last,)))


def _end_of_value(text: str, value: Node) -> int:
    """As its mark says, but for the newlines behind a text in a block of its own."""
    return len(text[: value.end_mark.index].rstrip("\r\n"))


def _end_of_line(text: str, at: int) -> int:
    """Behind the newline of the line that `at` is on."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _scalar(value: str) -> str:
    """A text as YAML; in quotes where it would be taken for something else."""
    if _PLAIN.fullmatch(value) and isinstance(resolve(value), str):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
