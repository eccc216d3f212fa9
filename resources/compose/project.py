"""Compose files -> `Project`, or problems with file, line, column and field. Kind `Compose` and `p2 import compose` call it.

The rules are those of the Compose Specification (https://github.com/compose-spec/compose-spec), the long form is the one
that `docker compose config` prints. Nothing is read but through `read`, and no variable but those handed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from resources.compose import schema
from resources.compose.checking import check
from resources.compose.files import Files, Why
from resources.compose.filling import Filling
from resources.compose.nodes import NOWHERE, Fields, Items, Place, Report, Stop
from resources.compose.nodes import Path as FieldPath
from resources.compose.whole import completed, enabled, named, used
from resources.meta import Problem, Read, Unexpandable

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Unset(StrEnum):
    """What becomes of a variable that is not set and has no default."""

    REFUSE = "refuse"  # an error: what is declared must not depend on who reads it
    EMPTY = "empty"  # a warning, and empty text: as Docker Compose does


@dataclass(frozen=True, slots=True)
class Project:
    """All that the files say, in long form: JSON values, paths absolute, only what enabled services use."""

    name: str
    directory: Path
    files: tuple[Path, ...]  # all that were read, `.env` and the env files of includes among them
    services: dict[str, Any]
    networks: dict[str, Any]
    volumes: dict[str, Any]
    configs: dict[str, Any]
    secrets: dict[str, Any]
    models: dict[str, Any] = field(default_factory=dict)
    disabled: dict[str, Any] = field(default_factory=dict)  # services whose profiles are not enabled
    warnings: tuple[Problem, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # with those of the env files; may be secret
    filled: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)  # names and values that went into texts

    def where(self, path: FieldPath) -> Place:
        """File, line and column of a field (`("services", "web", "ports", 0)`), or of the nearest one around it."""
        best: Place = (str(self.files[0]), 1, 1) if self.files else NOWHERE
        here: Any = getattr(self, str(path[0]), None) if path else None
        for part in path[1:]:
            if isinstance(here, Fields) and part in here:
                at = here.place(str(part))
            elif isinstance(here, Items) and isinstance(part, int) and part < len(here):
                at = here.places[part]
            else:
                break
            best = at if at != NOWHERE else best
            here = here[part]
        return best


def load_project(
    files: Sequence[Path],
    *,
    read: Read,
    variables: Mapping[str, str],
    env_files: Sequence[Path] | None = None,
    profiles: Sequence[str] = (),
    directory: Path | None = None,
    name: str | None = None,
    unset: Unset = Unset.REFUSE,
) -> Project:
    """The project that `files` describe, later ones merged over earlier. Raises Unexpandable with all problems found.

    Those of no file are about what was asked for: their fields are `files[0]`, `envFiles[0]` and the like.

    `env_files`: None is `.env` in the project's directory, where there is one. `directory`: where relative paths start;
    None is that of the first file.
    """
    report = Report()
    try:
        loading = _Loading(files, read, report, directory or (files[0].parent if files else Path()), unset)
        project = loading.project(variables, env_files, profiles, name)
    except Stop:
        project = None
    if project is None or report.problems:
        raise Unexpandable(tuple(sorted(report.problems, key=lambda each: (each.file, each.line, each.column))))
    return project


def find_files(directory: Path, exists: Callable[[Path], bool]) -> list[Path]:
    """The files that Compose takes in a directory when none is named: the Compose file, and an override beside it."""
    candidates = ([directory / name for name in names] for names in (NAMES, OVERRIDES))
    found = [next(filter(exists, group), None) for group in candidates]
    return [path for path in found if path is not None] if found[0] is not None else []


class _Loading:
    def __init__(self, files: Sequence[Path], read: Read, report: Report, directory: Path, unset: Unset) -> None:
        self._paths = [path.absolute() for path in files]
        self._report = report
        self._read = read
        self._directory = directory.absolute()
        self._files = Files(read, report, refuse_unset=unset is Unset.REFUSE)

    def project(
        self,
        variables: Mapping[str, str],
        env_files: Sequence[Path] | None,
        profiles: Sequence[str],
        name: str | None,
    ) -> Project:
        if not self._paths:
            self._report.stop(NOWHERE, (), "cannot load a project without Compose files: name at least one")
        for index, path in enumerate(self._paths):
            self._files.parsed(path, (NOWHERE, ("files", index)))
        known = self._variables(variables, env_files)
        called = self._called(name, known)
        known["COMPOSE_PROJECT_NAME"] = called
        merged = self._files.model(self._paths, self._directory, known)
        project = completed(merged)
        disabled = enabled(project, profiles or _listed(known.get("COMPOSE_PROFILES", "")))
        whole = schema.FILE.finish(project, (str(self._paths[0]), 1, 1), (), self._report)
        for section in project:  # one that is empty says something here
            if section not in whole:
                whole.put(section, Fields(), NOWHERE, NOWHERE)
        if not self._report.problems:
            named(whole, called)
            check(whole, disabled, self._report)
        if self._report.problems:
            raise Stop
        used(whole)
        return Project(
            name=called,
            directory=self._directory,
            files=tuple(self._files.read_files),
            **{
                section: whole[section]
                for section in ("services", "networks", "volumes", "configs", "secrets", "models")
            },
            disabled=disabled,
            warnings=tuple(self._report.warnings),
            variables=known,
            filled=frozenset(self._report.filled),
        )

    def _variables(self, variables: Mapping[str, str], env_files: Sequence[Path] | None) -> dict[str, str]:
        """Those handed in, before those of the env files, of which later ones win."""
        known = dict(variables)
        for index, path in enumerate([self._directory / ".env"] if env_files is None else env_files):
            why: Why = (NOWHERE, () if env_files is None else ("envFiles", index))
            found = self._files.environment(path.absolute(), known, why, needed=env_files is not None)
            known = {**known, **found, **variables}
        return known

    def _called(self, name: str | None, variables: Mapping[str, str]) -> str:
        """The project's name: as given, by COMPOSE_PROJECT_NAME, in a file, or that of the directory."""
        given = name or variables.get("COMPOSE_PROJECT_NAME")
        if given:
            if not _NAME.fullmatch(given):
                advice = "use lower-case letters, digits, hyphens and underscores, a letter or digit first"
                self._report.stop(NOWHERE, ("project",), f'cannot name a project "{given}": {advice}')
            return given
        written = ""
        filling = Filling(self._report, variables, str(self._directory), refuse_unset=False)
        for path in self._paths:
            for document in self._files.parsed(path):
                if isinstance(document, Fields) and isinstance(document.get("name"), str):
                    written = filling.text(document["name"], document.place("name"), ("name",)) or written
        called = _normal(written) or _normal(self._directory.name)
        if not called:
            message = (
                "cannot make a project's name of the directory's: give one with name at the top of the Compose file"
            )
            self._report.stop((str(self._paths[0]), 1, 1), ("name",), message)
        return called


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
