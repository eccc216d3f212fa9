"""The corpus: a folder of `tests/compose/cases` is a case. `test_cases.py` runs them all, `compare.py` asks Docker Compose.

A folder holds Compose files, and what is expected of them:

    case.yaml       how they are loaded, where that is not as `docker compose` finds them: files, profiles, variables,
                    env_files, name, directory, unset (refuse | empty); and `apart`: why Docker Compose 2.26 is of another
                    mind, where it is
    expected.json   the project in long form, `{here}` standing for the folder; the environment of services that have env
                    files; what is warned of
    problems.txt    instead of it, what the files are refused for
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from resources.compose.project import Project, Unset, find_files, load_project
from resources.meta import Unexpandable
from tests.compose.environments import environment_of

CASES = Path(__file__).parent / "cases"
SECTIONS = ("services", "networks", "volumes", "configs", "secrets", "models")


@dataclass(frozen=True)
class Case:
    folder: Path
    files: list[Path]
    profiles: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    env_files: list[Path] | None = None
    name: str | None = None
    directory: Path | None = None
    unset: Unset = Unset.REFUSE
    apart: str = ""

    @classmethod
    def of(cls, folder: Path) -> Case:
        file = folder / "case.yaml"
        told = (yaml.safe_load(file.read_text()) if file.exists() else None) or {}
        named = [folder / each for each in told.pop("files", ())]
        env_files = told.pop("env_files", None)
        directory = told.pop("directory", None)
        return cls(
            folder,
            named or find_files(folder, Path.exists),
            env_files=None if env_files is None else [folder / each for each in env_files],
            directory=None if directory is None else folder / directory,
            unset=Unset(told.pop("unset", Unset.REFUSE)),
            **told,
        )

    def load(self) -> Project:
        return load_project(
            self.files,
            read=Path.read_bytes,
            variables=self.variables,
            env_files=self.env_files,
            profiles=self.profiles,
            directory=self.directory,
            name=self.name,
            unset=self.unset,
        )

    def outcome(self) -> tuple[str, str]:
        """The name of the file that tells what is expected, and what it would have to say."""
        try:
            told = _told(self.load())
        except Unexpandable as error:
            return "problems.txt", self._placeless("".join(f"{problem}\n" for problem in error.problems))
        return "expected.json", self._placeless(json.dumps(told, indent=2, sort_keys=True) + "\n")

    def _placeless(self, text: str) -> str:
        return text.replace(str(self.folder), "{here}").replace(str(self.folder.parent), "{above}")


def all_cases() -> list[Path]:
    return sorted(path for path in CASES.iterdir() if path.is_dir())


def _told(project: Project) -> dict[str, Any]:
    told: dict[str, Any] = {"name": project.name} | {section: getattr(project, section) for section in SECTIONS}
    with_files = [name for name, service in project.services.items() if service.get("env_file")]
    told["environments"] = {name: environment_of(project, name, read=Path.read_bytes) for name in with_files}
    told["disabled"] = sorted(project.disabled)
    told["warnings"] = [str(warning) for warning in project.warnings]
    return {name: content for name, content in told.items() if content}
