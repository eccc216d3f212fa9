"""A JSON patch (https://www.rfc-editor.org/rfc/rfc6902), as kubectl applies it: `patching.py` calls it.

Beyond the standard, as there: an index may be negative, `replace` adds what is not there, and a `test` for null holds for
what is missing. Unlike there, an operation that lacks its value is refused.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from resources.kustomize.strategic import CannotPatch

OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_FIELDS = {
    "add": {"value"},
    "replace": {"value"},
    "test": {"value"},
    "move": {"from"},
    "copy": {"from"},
    "remove": set(),
}
_INDEX = re.compile(r"-?[0-9]+")
Path = tuple[str | int, ...]


def applied(content: dict[str, Any], operations: list[Any]) -> tuple[dict[str, Any], list[tuple[Path, int]]]:
    """The object after all operations, and which paths were written by which. Raises CannotPatch with the path in the patch."""
    result, written = deepcopy(content), []
    for number, operation in enumerate(operations):
        _refuse_malformed(operation, number)
        try:
            path = _apply(result, operation)
        except LookupError as error:
            field = "from" if error.args[1:] == ("from",) else "path"
            raise CannotPatch(str(error.args[0]), (number, field)) from None
        if path is not None:
            written.append((path, number))
    return result, written


def _refuse_malformed(operation: Any, number: int) -> None:
    if not isinstance(operation, dict):
        raise CannotPatch("cannot use this operation: write a mapping with op and path", (number,))
    op = operation.get("op")
    if op not in OPERATIONS:
        raise CannotPatch(f'cannot use the operation "{op}": write one of {", ".join(OPERATIONS)}', (number, "op"))
    for field in sorted({"path"} | _FIELDS[op]):
        if field not in operation:
            raise CannotPatch(f'cannot do without "{field}": add it', (number,))
    for field in ("path", "from"):
        pointer = operation.get(field, "/")
        if not isinstance(pointer, str) or not pointer.startswith("/"):
            raise CannotPatch(f"cannot use this {field}: write it like /spec/env/TZ", (number, field))


def _apply(document: dict[str, Any], operation: dict[str, Any]) -> Path | None:
    """Changes `document`. Returns the path that was written, if one was. Raises LookupError."""
    op, pointer = operation["op"], operation["path"]
    match op:
        case "add":
            return _added(document, pointer, deepcopy(operation["value"]))
        case "replace":
            return _replaced(document, pointer, deepcopy(operation["value"]))
        case "remove":
            _removed(document, pointer, "path")
        case "move":
            return _added(document, pointer, _removed(document, operation["from"], "from"))
        case "copy":
            return _added(document, pointer, deepcopy(_found(document, operation["from"])))
        case "test":
            _test(document, pointer, operation["value"])
    return None


def _added(document: Any, pointer: str, value: Any) -> Path:
    path, holder, name = _holder(document, pointer, "path")
    if isinstance(holder, dict):
        holder[name] = value
        return (*path, name)
    at = len(holder) if name == "-" else _index(name, len(holder) + 1, pointer, "path")
    holder.insert(at, value)
    return path  # of a list all positions behind it move


def _replaced(document: Any, pointer: str, value: Any) -> Path:
    path, holder, name = _holder(document, pointer, "path")
    if isinstance(holder, dict):
        holder[name] = value
        return (*path, name)
    at = _index(name, len(holder), pointer, "path")
    holder[at] = value
    return (*path, at)


def _removed(document: Any, pointer: str, field: str) -> Any:
    _, holder, name = _holder(document, pointer, field)
    if isinstance(holder, list):
        return holder.pop(_index(name, len(holder), pointer, field))
    if name not in holder:
        raise LookupError(f"cannot {'remove' if field == 'path' else 'move'} {pointer}: it is not there", field)
    return holder.pop(name)


def _found(document: Any, pointer: str) -> Any:
    _, holder, name = _holder(document, pointer, "from")
    if isinstance(holder, list):
        return holder[_index(name, len(holder), pointer, "from")]
    if name not in holder:
        raise LookupError(f"cannot copy {pointer}: it is not there", "from")
    return holder[name]


def _test(document: Any, pointer: str, value: Any) -> None:
    _, holder, name = _holder(document, pointer, "path")
    found = holder.get(name) if isinstance(holder, dict) else holder[_index(name, len(holder), pointer, "path")]
    if not equal(found, value):
        raise LookupError(f"cannot apply the patch: {pointer} is not what its test expects", "path")


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(isinstance(one, bool) == isinstance(other, bool) and one == other)


def _holder(document: Any, pointer: str, field: str) -> tuple[Path, dict[str, Any] | list[Any], str]:
    """The path and value of what holds the thing at `pointer`, and its name in there."""
    *parts, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    path: list[str | int] = []
    for part in parts:
        if isinstance(document, list):
            at = _index(part, len(document), pointer, field)
            path.append(at)
            document = document[at]
        elif isinstance(document, dict) and part in document:
            path.append(part)
            document = document[part]
        else:
            document = None
        if not isinstance(document, dict | list):
            raise LookupError(f"cannot reach {pointer}: there is nothing at {part} that has parts", field)
    return tuple(path), document, last


def _index(name: str, size: int, pointer: str, field: str) -> int:
    """A position among `size`; negative ones count from the end."""
    at = int(name) if _INDEX.fullmatch(name) else None
    if at is None or not -size <= at < size:
        raise LookupError(f"cannot reach {pointer}: {name} is no position in that list", field)
    return at % size
