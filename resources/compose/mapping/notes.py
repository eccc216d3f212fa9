"""What of a project can't be kept, and what is left out: gathered with its place in the files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from resources.compose.mapping.fields import FIELDS, WITHIN, How
from resources.meta import Problem
from resources.wording import nearest

if TYPE_CHECKING:
    from resources.compose.project import Project

Path = tuple[str | int, ...]


class Notes:
    """Problems and warnings of one project, each once: it may be the same with every instance of a service."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._problems: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(self._warnings)

    def refuse(self, path: Path, message: str) -> None:
        self._problems.setdefault(self._noted(path, message))

    def warn(self, path: Path, message: str) -> None:
        self._warnings.setdefault(self._noted(path, message))

    def _noted(self, path: Path, message: str) -> Problem:
        file, line, column = self._project.where(path)
        return Problem(str(file), message, line, column, shown(path))


def shown(path: Path) -> str:
    """A path as people write it: `services.web.ports[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def note_fields(project: Project, notes: Notes, implied: frozenset[Path]) -> None:
    """Refuses and warns as the table of fields says. `implied`: paths that nobody wrote, and nobody is to be told of."""
    for section in ("services", "networks", "volumes", "configs", "secrets", "models"):
        _look(getattr(project, section), (section,), section, notes, implied)


def _look(value: Any, path: Path, general: str, notes: Notes, implied: frozenset[Path]) -> None:
    """`general`: `path` as the table has it. What is empty needs no field to keep it in."""
    if value in (None, "", [], {}) or path in implied:
        return
    match FIELDS[general].how if general in FIELDS else None:
        case How.REFUSED:
            notes.refuse(path, f"cannot keep {path[-1]}: {FIELDS[general].text}")
            return
        case How.NOTED:
            notes.warn(path, f"{path[-1]} is left out: {FIELDS[general].text}")
            return
    if general in WITHIN:
        for part, inner in _parts(value):
            below = (
                f"{general}.{part}"
                if f"{general}.{part}" in FIELDS or f"{general}.{part}" in WITHIN
                else f"{general}.*"
            )
            _look(inner, (*path, part), below, notes, implied)
    elif general not in FIELDS:
        known = (name.rpartition(".")[2] for name in FIELDS if name.rpartition(".")[0] == general.rpartition(".")[0])
        notes.refuse(path, f"cannot keep {path[-1]}: there is no such field{nearest(str(path[-1]), known)}")


def _parts(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
