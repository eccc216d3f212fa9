"""Files of desired state for the tests of the source."""

from __future__ import annotations

from pathlib import Path

from controller.engine.revision import Revision


def sheet(*names: str, content: str = "x", source: str | None = None) -> str:
    """YAML that declares a File of each name, with that content or source."""
    what = f"source: {source}" if source else f"content: {content!r}"
    return "---\n".join(
        f"apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {{name: {name}}}\nspec: {{path: /tmp/{name}, {what}}}\n"
        for name in names
    )


def write(path: Path, text: str) -> Path:
    """As most editors do: truncates and writes. Makes the directories, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(revision: Revision) -> list[str]:
    return sorted(declared.key.name for documents in revision.documents.values() for declared in documents)
