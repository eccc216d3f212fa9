"""`${NAME}` and `${NAME:-default}` in resources that say so: what Flux calls substitution after the build. `loading.py` calls it.

A resource says so by the annotation `pegasus2.dev/substitute`, whose value is the name of the file with the values; the outermost
kustomization does it for all of its resources by the same annotation in its own metadata. The file lies in the directory of
that kustomization. Nothing else is ever replaced, so that `$`, `${…}` of a shell and all the rest mean themselves elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from resources.kustomize.items import Item
from resources.kustomize.scripts import dotted
from resources.meta import Problem

Path = tuple[str | int, ...]

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)(\}?)")
_MEANT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


class BadFile(Exception):
    """A file of values that can't be read; `problems` say where."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


def values_of(text: bytes, file: str) -> dict[str, str]:
    """`NAME=value`, one a line, in quotes or without; `#` begins a line that is none. Raises BadFile."""
    values: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if not found:
            problems.append(Problem(file, "cannot read this line: write NAME=value", number, 1))
            continue
        value = found[2].strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[found[1]] = value
    if problems:
        raise BadFile(problems)
    return values


def substitute(item: Item, values: Mapping[str, str], file: str) -> Iterator[Problem]:
    """Fills in what the item refers to; yields what is wrong. Values that are one reference and nothing else are noted."""
    for top in ("metadata", "spec"):
        if top in item.content:
            item.content[top] = yield from _filled(item, item.content[top], (top,), values, file)


def _filled(item: Item, value: Any, path: Path, values: Mapping[str, str], file: str) -> Any:
    if isinstance(value, dict):
        filled = {}
        for name, part in value.items():
            filled[name] = yield from _filled(item, part, (*path, name), values, file)
        return filled
    if isinstance(value, list):
        parts = []
        for number, part in enumerate(value):
            parts.append((yield from _filled(item, part, (*path, number), values, file)))
        return parts
    if not isinstance(value, str) or "${" not in value:
        return value
    mistakes: list[str] = []
    if (whole := _REFERENCE.fullmatch(value)) and not whole[1]:
        item.variables.add(path)
    text = _REFERENCE.sub(_replacer(values, file, mistakes.append), value)
    for mistake in mistakes:
        yield item.problem(mistake, path, dotted(path))
    return text


def _replacer(values: Mapping[str, str], file: str, note: Callable[[str], None]) -> Callable[[re.Match[str]], str]:
    def replaced(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        meant = _MEANT.fullmatch(found[2]) if found[3] else None
        if meant is None:
            note(f'cannot read "{found[0]}": write ${{NAME}} or ${{NAME:-default}}, and $${{ for a ${{ that is to stay')
            return found[0]
        name, default = meant[1], meant[2]
        if default is not None:
            return values.get(name) or default
        if name not in values:
            note(
                f"cannot fill in {name}: {file} does not set it; set it there, or give a default: ${{{name}:-default}}"
            )
        return values.get(name, "")

    return replaced
