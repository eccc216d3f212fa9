"""Where in its file a field stands. `load.py` asks when there is a mistake to report; in order, nothing here ever runs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from resources.documents import LOADER, chunks
from resources.scalars import resolve
from resources.values import name_of

Path = Sequence[str | int]


class Places:
    """Positions in one file, which `documents.read` has read before: what nests too deep never gets here."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._composed: dict[int, tuple[int, Node | None]] = {}

    @cached_property
    def _chunks(self) -> list[tuple[int, bytes]]:
        return list(chunks(self._text))

    def find(self, document: int, path: Path, *, name: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`, or of its name, in the document that begins on line `document`.

        Of what is not there: the nearest field around it. Of a value with parts: its name, which stands above them.
        """
        before, node = self._compose(document)
        best = node
        for part in path:
            found = next(_below(node, part), None) if node else None
            if found is None:
                break
            best, node = found
        else:
            best = node if isinstance(node, ScalarNode) and not name else best
        if best is None:
            return document, 1
        return before + best.start_mark.line + 1, best.start_mark.column + 1

    def _compose(self, document: int) -> tuple[int, Node | None]:
        if document not in self._composed:
            before, chunk = self._chunks[bisect_left(self._chunks, document, key=itemgetter(0)) - 1]
            try:
                node = yaml.compose(chunk, Loader=LOADER)
            except yaml.YAMLError:  # of aliases, which PyYAML wants used in its own way
                node = None
            self._composed[document] = before, node
        return self._composed[document]


def _below(node: Node, part: str | int) -> Iterator[tuple[Node, Node]]:
    """The node of the name (in a list: of the item), and that of the value."""
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        yield node.value[part], node.value[part]
    elif isinstance(node, MappingNode):
        merged: list[Node] = []
        for key, value in node.value:
            if _name(key) == part:
                yield key, value
            elif _name(key) == "<<":
                merged += value.value if isinstance(value, SequenceNode) else [value]
        for value in merged:
            yield from _below(value, part)


def _name(node: Any) -> str | None:
    if not isinstance(node, ScalarNode):
        return None
    return name_of(resolve(node.value) if node.style is None else node.value)
