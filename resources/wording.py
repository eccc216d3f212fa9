"""Mistakes in plain words: what the YAML parser and pydantic complain of, as the person who wrote the file would say it.

`documents.py` calls `syntax_problem`, `load.py` calls `spec_mistakes`. Messages say what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from resources.meta import DNS_LABEL, Problem
from resources.scalars import resolve


def syntax_problem(error: yaml.YAMLError, text: bytes, file: str, line: int) -> Problem:
    """Why `text`, which begins after `line` lines of `file`, is not YAML."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        here, column = before.count(b"\n"), error.position - before.rfind(b"\n")
        what = f"cannot read the control character {error.character:#04x}: this is not a text file, or is damaged"
        return Problem(file, what, line + here + 1, column)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(file, f"cannot read this as YAML: {error}", line + 1)
    mark, message = error.problem_mark, _syntax(error, text)
    if message.startswith("cannot find the end") and error.context_mark is not None:
        mark = error.context_mark  # where it begins says more than where the file ends
    return Problem(file, message, line + mark.line + 1, mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, text: bytes) -> str:
    problem, context = str(error.problem), str(error.context or "")
    offending = _character(error, text)
    if "tab" in problem or offending == "\t":
        return "cannot indent with a tab: use spaces"
    if "cannot start any token" in problem:
        return f'cannot begin a value with "{offending}": put the value in quotes'
    if "mapping values are not allowed" in problem:
        return 'cannot have ": " here: check the indentation, or put the value in quotes'
    if "quoted scalar" in context and "unexpected" in problem:
        return "cannot find the end of the text in quotes that begins here: close the quotes"
    if "expected node content" in problem:
        return "cannot find a value here: complete the list or mapping in brackets above, or close it"
    if "flow" in context and "expected" in problem:
        bracket = "]" if "sequence" in context else "}"
        return f'cannot find the end of what begins here: add "," between its parts, or close it with "{bracket}"'
    if "expected key" in problem or "'-' indicator" in problem:
        return "cannot tell what this line belongs to: indent it like its neighbours, and check the quotes above it"
    return f"cannot read this as YAML: {problem} {context}".rstrip() + "; check indentation, quotes and brackets"


def _character(error: yaml.MarkedYAMLError, text: bytes) -> str:
    assert error.problem_mark is not None
    lines = text.decode().split("\n")
    line = lines[error.problem_mark.line] if error.problem_mark.line < len(lines) else ""
    return line[error.problem_mark.column : error.problem_mark.column + 1]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one field. `name`: with its name, not its value."""

    path: tuple[str | int, ...]
    message: str
    name: bool = False

    @property
    def field(self) -> str:
        """The path as people write it: `spec.ports[0].host`."""
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return "".join(parts).removeprefix(".")


def spec_mistakes(error: ValidationError, model: type[BaseModel], content: Any) -> list[Mistake]:
    """What pydantic found wrong with `content` (plain values), one mistake a field."""
    found: dict[tuple[tuple[str | int, ...], bool], list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        path = _path(detail, content)
        is_name = detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",)
        found.setdefault((path, is_name), []).append(detail)
    return [
        Mistake(path, _message(details, path, model), is_name)
        for (path, is_name), details in found.items()
        if not (_all_of_type(details) and _told_below(path, found))
    ]


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "ports"?`, or a short list of what is known when nothing is near, or nothing."""
    names = sorted(known)
    by_folded = {name.lower(): name for name in names}
    if close := _close(word, by_folded):
        return f'; did you mean "{by_folded[close[0]]}"?'
    return f"; known here: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def _close(word: str, known: Iterable[str]) -> list[str]:
    """The one of `known`, in small letters, that is meant by `word`, if any is."""
    import difflib  # only for a mistake

    return difflib.get_close_matches(word.lower(), list(known), 1)


def _path(detail: ErrorDetails, content: Any) -> tuple[str | int, ...]:
    """The path in the document: pydantic's own also names members of unions, which no document has."""
    path: list[str | int] = []
    here = content
    for at, part in enumerate(detail["loc"]):
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int)):
            here = here[part]  # type: ignore[index]
            path.append(part)
        elif detail["type"] == "missing" and at == len(detail["loc"]) - 1:
            path.append(part)
    return tuple(path)


def _all_of_type(details: Sequence[ErrorDetails]) -> bool:
    return all(detail["type"] in _NEEDED for detail in details)


def _told_below(path: tuple[str | int, ...], found: Iterable[tuple[tuple[str | int, ...], bool]]) -> bool:
    """Whether a part of the value is named as wrong: then the value is of the right type, in another member of a union."""
    return any(len(other) > len(path) and other[: len(path)] == path for other, _ in found)


def _message(details: Sequence[ErrorDetails], path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    detail = next((each for each in details if each["type"] not in _NEEDED), details[0])
    if detail["type"] in _NEEDED:
        return _wrong_type(details, required=_is_required(model, path))
    value, context = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            known = known_fields(model, path[:-1])
            return f'unknown field "{path[-1]}"{nearest(str(path[-1]), known)}'
        case "missing":
            return f'cannot do without "{path[-1]}": add it'
        case "literal_error" | "enum":
            expected = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"cannot be {_shown(value)}: write {_either(expected)}{_meant(value, expected)}"
        case "value_error" | "assertion_error":
            return _own_words(str(context["error"]), value)
        case "string_pattern_mismatch" if context["pattern"] == DNS_LABEL:
            return (
                f"cannot be {_shown(value)}: use lower-case letters, digits and hyphens, a letter or digit at both ends"
            )
        case "string_pattern_mismatch":
            return f"cannot be {_shown(value)}: it must have the form {context['pattern']}"
        case "string_too_short" | "too_short":
            return "cannot be empty: give a value, or leave the field out"
        case "string_too_long":
            return f"cannot be longer than {context['max_length']} characters: shorten it"
        case "too_long":
            return f"cannot have more than {context['max_length']} entries: remove some"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than" | "multiple_of":
            ((bound, limit),) = ((k, v) for k, v in context.items() if k in _BOUNDS)
            return f"cannot be {_shown(value)}: it must be {_BOUNDS[bound]} {limit}"
    return f"cannot be {_shown(value)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "multiple_of": "a multiple of"}

# What a field of a type wants, by the error that says it did not get it.
_NEEDED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "none_required": "nothing",
    "dict_type": "a mapping (name: value)",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
}


def _wrong_type(details: Sequence[ErrorDetails], *, required: bool) -> str:
    value = details[0]["input"]
    needed = list(dict.fromkeys(_NEEDED[detail["type"]] for detail in details))
    if value is None:
        return f"cannot be empty: give {_either(needed)}{'' if required else ', or leave the field out'}"
    hint = ""
    if "text" in needed and isinstance(value, bool | int | float):
        hint = "; put it in quotes"
        if isinstance(value, bool):
            hint += " (YAML takes y, n, yes, no, on and off for true and false)"
    elif isinstance(value, str) and not isinstance(resolve(value), str):
        hint = "; write it without quotes"
    # Text in place of a mapping may be a secret that belongs behind a reference: it is not repeated.
    shown = "text" if isinstance(value, str) and needed == ["a mapping"] else _shown(value)
    return f"cannot be {shown}: it takes {_either(needed)}{hint}"


def _own_words(text: str, value: Any) -> str:
    """What a kind's own check says; what comes from a library may not say what it is about."""
    if text.startswith("cannot"):
        return text
    return f"cannot use this: {text}" if isinstance(value, dict | list) else f"cannot be {_shown(value)}: {text}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
        case list():
            return "a list"
    return "a mapping"


def _either(choices: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))


def _meant(value: Any, expected: Sequence[str]) -> str:
    close = _close(str(value), [each.lower() for each in expected])
    meant = next((each for each in expected if close and each.lower() == close[0]), None)
    return f'; did you mean "{meant}"?' if meant and len(expected) > 1 else ""


def known_fields(model: type[BaseModel], path: Sequence[str | int]) -> set[str]:
    """Names of the fields that may stand at `path` below `model`."""
    return {name for each in _models_at(model, path) for name in each.model_fields}


def _is_required(model: type[BaseModel], path: Sequence[str | int]) -> bool:
    fields = [each.model_fields.get(str(path[-1])) for each in _models_at(model, path[:-1])] if path else []
    return any(field is None or field.is_required() for field in fields)


def _models_at(model: type[BaseModel], path: Sequence[str | int]) -> list[type[BaseModel]]:
    models = [model]
    for part in path:
        fields = [each.model_fields[part] for each in models if part in each.model_fields]
        if fields:  # else an index of a list or a name in a map, which leads to the same models
            models = [inner for field in fields for inner in _models_in(field.annotation)]
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
