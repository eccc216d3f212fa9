"""A text with documents, and where things stand in it: a file, or a patch that is written within a kustomization.

`resolving.py` keeps one for each text that it reads; whatever is wrong is placed by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import yaml
from yaml.nodes import ScalarNode

from resources.documents import LOADER, read
from resources.meta import Problem
from resources.positions import Places
from resources.values import Document

Path = Sequence[str | int]


class Unresolvable(Exception):
    """A kustomization does not come out; `problems` say why."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, eq=False)
class Script:
    """`text` stands in `file` after so many lines and columns. Not `exact`: all of it is taken to be where it begins."""

    file: str
    text: bytes
    lines: int = 0
    columns: int = 0
    exact: bool = True

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """Raises Unresolvable."""
        reading = read(self.text, self.file)
        if reading.problems:
            raise Unresolvable(*(self._moved(problem) for problem in reading.problems))
        return reading.documents

    def problem(self, message: str, document: int, path: Path, field: str = "", *, name: bool = False) -> Problem:
        """What is wrong at `path` in the document that begins on a line of this text, or with its name."""
        line, column = self._places.find(document, path, name=name)
        return self._moved(Problem(self.file, message, line, column, field))

    def within(self, path: Path) -> Script:
        """The text at `path` of the first document."""
        node = _node(self._composed, path)
        text = str(node.value)
        start = node.start_mark
        if node.style != "|":
            return Script(self.file, text.encode(), self.lines + start.line, self.columns + start.column, exact=False)
        rest = self.text.decode().split("\n")[start.line + 1 :]
        indent = next((len(line) - len(line.lstrip(" ")) for line in rest if line.strip()), 0)
        return Script(self.file, text.encode(), self.lines + start.line + 1, self.columns + indent)

    @cached_property
    def _composed(self) -> yaml.Node | None:
        return yaml.compose(self.text.decode(), Loader=LOADER)

    @cached_property
    def _places(self) -> Places:
        return Places(self.text)

    def _moved(self, problem: Problem) -> Problem:
        line = self.lines + (problem.line if self.exact else 1)
        column = self.columns + (problem.column if self.exact else 1)
        return Problem(self.file, problem.message, line, column, problem.field)


def _node(node: yaml.Node | None, path: Path) -> ScalarNode:
    for part in path:
        assert node is not None
        pairs = node.value if isinstance(node, yaml.MappingNode) else enumerate(node.value)
        node = next(value for key, value in pairs if (key.value if isinstance(key, yaml.Node) else key) == part)
    assert isinstance(node, ScalarNode)
    return node


def dotted(path: Path) -> str:
    """The path as people write it: `spec.ports[0].host`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
