"""Files with variables and labels of a service. All is read by `read`, so that a change of them is noticed.

The containers read env files themselves, in their own, simpler way; a file that Docker Compose would read otherwise is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from resources.compose.dotenv import read_env
from resources.compose.mapping.notes import Path
from resources.compose.mapping.scene import Scene
from resources.compose.nodes import Report, Stop
from resources.docker.env_file import Unreadable, variables_in

Json = Mapping[str, Any]


def env_files(scene: Scene, service: Json, path: Path) -> list[str]:
    """Those that are there, and those that have to be."""
    found = []
    for at, file in enumerate(service.get("env_file") or ()):
        where = (*path, "env_file", at)
        try:
            meant = _variables(scene, file["path"], where, raw=file.get("format") == "raw")
            ours = variables_in(scene.read(FilePath(file["path"])).decode("utf-8-sig", errors="replace"))
        except OSError:
            if file.get("required", True):
                scene.notes.warn(where, f"{file['path']} is not there, and the container is not made without it")
                found.append(file["path"])
            continue
        except Unreadable as error:
            scene.notes.refuse(where, f"{error} of {file['path']}: write NAME=value")
            continue
        if different := sorted(name for name in {*meant, *ours} if meant.get(name) != ours.get(name)):
            message = (
                f"cannot keep {file['path']} as it is: write {', '.join(different)} without variables, escapes and "
            )
            scene.notes.refuse(where, f"{message}comments behind the value, which a container's envFile takes as text")
            continue
        found.append(file["path"])
    return found


def labels_of_files(scene: Scene, service: Json, path: Path) -> dict[str, str]:
    """What label_file adds to the labels."""
    found: dict[str, str] = {}
    for at, file in enumerate(service.get("label_file") or ()):
        where = (*path, "label_file", at)
        try:
            found |= _variables(scene, file, where)
        except OSError as error:
            scene.notes.refuse(where, f"cannot read {file}: {error.strerror}")
    return found


def _variables(scene: Scene, file: str, where: Path, *, raw: bool = False) -> dict[str, str]:
    """As Docker Compose reads them. Raises OSError."""
    report = Report()
    try:
        return read_env(FilePath(file), read=scene.read, variables=scene.project.variables, report=report, raw=raw)
    except Stop:
        for problem in report.problems:
            scene.notes.refuse(where, f"{problem.message} ({problem.file}:{problem.line})")
        return {}
