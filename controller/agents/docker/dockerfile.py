"""What a Dockerfile builds on: the images that its stages are from. Pure; `recipe.py` asks.

Only as much of the language is read as this needs (https://docs.docker.com/reference/dockerfile/); whether a Dockerfile is in
order, BuildKit says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_INSTRUCTION = re.compile(r"(?P<name>[A-Za-z]+)\s+(?P<rest>.*)", re.DOTALL)
_HEREDOC = re.compile(r"<<(-?)\s*(?:\"([^\"]+)\"|'([^']+)'|([A-Za-z0-9_.-]+))")
_FLAG = re.compile(r"--[a-z-]+(?:=\S+)?\s+")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")
_MOUNTED_FROM = re.compile(r"--mount=\S*?\bfrom=([^,\s]+)")
_COPIED_FROM = re.compile(r"--from=(\S+)")


@dataclass
class _Stage:
    name: str
    base: str
    needs: list[str] = field(default_factory=list)  # what COPY and RUN --mount take from


def bases(text: str, args: Mapping[str, str], target: str | None) -> tuple[str, ...]:
    """References of the images that building `target` (None: the last stage) needs, sorted. `args` are the build's own."""
    stages = list(_stages(text, args))
    if not stages:
        return ()
    names = {stage.name.lower(): at for at, stage in enumerate(stages) if stage.name}
    wanted = names.get((target or "").lower(), int(target) if target and target.isdigit() else len(stages) - 1)
    found, seen, pending = set[str](), set[int](), [wanted]
    while pending:
        at = pending.pop()
        if at in seen or not 0 <= at < len(stages):
            continue
        seen.add(at)
        for need in (stages[at].base, *stages[at].needs):
            if need.lower() in names:
                pending.append(names[need.lower()])
            elif need.isdigit():
                pending.append(int(need))
            elif need and need != "scratch" and "$" not in need:
                found.add(need)
    return tuple(sorted(found))


def _stages(text: str, args: Mapping[str, str]) -> Iterator[_Stage]:
    known: dict[str, str] = {}
    stage: _Stage | None = None
    for name, rest in _instructions(text):
        if name == "ARG" and stage is None:
            for word in rest.split():
                variable, given, default = word.partition("=")
                if variable in args or given:
                    known[variable] = args.get(variable, _expanded(default.strip("\"'"), known))
        elif name == "FROM":
            if stage:
                yield stage
            words = _FLAG.sub("", rest + " ").split()
            alias = words[2] if len(words) > 2 and words[1].upper() == "AS" else ""
            stage = _Stage(alias, _expanded(words[0], known) if words else "")
        elif stage and name in ("COPY", "ADD"):
            stage.needs += _COPIED_FROM.findall(rest)
        elif stage and name == "RUN":
            stage.needs += _MOUNTED_FROM.findall(rest)
    if stage:
        yield stage


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Names in upper case, with the rest of the line; continued lines are one, comments and here-documents are left out."""
    escape, lines = "\\", iter(text.splitlines())
    if directive := re.match(r"(?:#[^\n]*\n)*#\s*escape\s*=\s*(\S)", text, re.IGNORECASE):
        escape = directive[1]
    for line in lines:
        logical = line.strip()
        if not logical or logical.startswith("#"):
            continue
        while logical.endswith(escape):
            logical = (
                logical[:-1] + " " + next((each.strip() for each in lines if not each.lstrip().startswith("#")), "")
            )
        for _, *ends in _HEREDOC.findall(logical):
            end = next(filter(None, ends))
            while (inner := next(lines, None)) is not None and inner.strip() != end:
                pass
        if found := _INSTRUCTION.match(logical):
            yield found["name"].upper(), found["rest"]


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """With the values of variables; one that is not known stays as it is written."""

    def value(found: re.Match[str]) -> str:
        name, operator, word = found[1] or found[2], found[3], found[4]
        there = known.get(name)
        if operator in ("-", ":-"):
            return there if there else word
        if operator in ("+", ":+"):
            return word if there else ""
        return there if there is not None else found[0]

    return _VARIABLE.sub(value, text)
