"""Every resource that somebody may copy out of the project: from the pages, the examples and the shipped `state/`.

On a page it is a fenced block of YAML that begins as a resource. A comment in the line before says that one is not for every
world: `<!-- files mode only -->`, or `<!-- wrong on purpose -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.sources.tree import is_wanted

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILES_MODE_ONLY = "files mode only"
_BEGINS = "apiVersion: pegasus2.dev/"
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^>]*) -->\n)?^```(?P<tongue>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Document:
    """One file, or one block of a page, with as many resources as it has."""

    place: str
    text: str
    mark: str = ""  # why it is not for every world

    def __str__(self) -> str:
        return self.place


def documents() -> Iterator[Document]:
    """All of them, marked or not."""
    for directory in ("state", "docs/examples"):
        for path in sorted((ROOT / directory).rglob("*.yaml")):
            if is_wanted(path.name):  # no Compose file, and none of Kustomize's
                yield Document(str(path.relative_to(ROOT)), path.read_text())
    for page in PAGES:
        yield from _blocks(page)


def unfenced(page: Path) -> list[str]:
    """Lines where a resource begins outside of any fenced block: there it would not be found."""
    rest = _BLOCK.sub("", page.read_text())
    return [line for line in rest.splitlines() if line.strip().startswith(_BEGINS)]


def _blocks(page: Path) -> Iterator[Document]:
    text = page.read_text()
    for block in _BLOCK.finditer(text):
        if block["text"].lstrip().startswith(_BEGINS) or f"\n{_BEGINS}" in block["text"]:
            line = text.count("\n", 0, block.start("text")) + 1
            yield Document(f"{page.relative_to(ROOT)}:{line}", block["text"], block["mark"] or "")
