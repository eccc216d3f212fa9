"""`p2 import compose`: Compose files -> resources, as docker compose would read them here. `importing.py` calls it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.words import counted, problem_line

if TYPE_CHECKING:
    from controller.surfaces.cli.importing import Import
    from resources.compose.mapping.mapping import Mapped
    from resources.compose.project import Project
    from resources.meta import Problem, Resource


def compose_resources(app: App, asked: Import) -> tuple[Iterable[Resource], Path]:
    """What the Compose files come to, and the directory of the project. Raises Refused."""
    from resources.compose.mapping.own_names import with_own_names
    from resources.meta import Unexpandable

    try:
        mapped, project = _mapped(asked)
    except Unexpandable as error:
        raise _refused(app, error.problems) from error
    for warning in mapped.warnings:  # of a variable that is not set, perhaps, which is why the rest is refused
        tell(app, problem_line(warning))
    if mapped.problems and not asked.skip_refused:
        raise _refused(app, mapped.problems, "; --skip-refused leaves them out")
    for left_out in mapped.problems:
        tell(app, problem_line(left_out))
    resources = with_own_names(mapped.resources) if asked.own_names else mapped.resources
    _tell_values(app, project, resources)
    return resources, project.directory


def _mapped(asked: Import) -> tuple[Mapped, Project]:
    """Variables come from the environment of the person who asks, as docker compose has it."""
    from resources.compose.mapping.mapping import resources_of
    from resources.compose.project import Unset, load_project
    from resources.kinds.compose import found_files

    files = [Path(file).absolute() for file in asked.what]
    if len(files) == 1 and files[0].is_dir():
        files = found_files(files[0], Path.read_bytes)
    elif not files:
        files = found_files(Path.cwd(), Path.read_bytes)
    project = load_project(
        files,
        read=Path.read_bytes,
        variables=os.environ,
        env_files=[file.absolute() for file in asked.env_files] or None,
        profiles=asked.profiles,
        name=asked.project or None,
        unset=Unset.EMPTY,
    )
    return resources_of(project, read=Path.read_bytes), project


def _tell_values(app: App, project: Project, resources: Iterable[Resource]) -> None:
    """Says whose values stand in the resources, for the Compose files had the names alone, and may be in git for that."""
    from resources.docker.confidence import looks_secret
    from resources.writing import document

    taken = sorted((name, value) for name, value in project.filled if value and name != "COMPOSE_PROJECT_NAME")
    texts = list(_texts([document(resource) for resource in resources])) if taken else []
    held = [(name, value) for name, value in taken if any(value in text for text in texts)]
    if names := sorted({name for name, _ in held}):
        tell(app, f"values from the environment or from env files stand in the resources now: {', '.join(names)}")
    if secret := sorted({name for name, value in held if looks_secret(name, value)}):
        verb, place = ("looks", "its place") if len(secret) == 1 else ("look", "their places")
        tell(
            app,
            f"{', '.join(secret)} {verb} secret: put references in {place} (secretEnv, see docs/containers.md) before others "
            "can read the resources",
        )


def _texts(value: Any) -> Iterator[str]:
    """All values within `value`, as text."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    else:
        yield str(value)


def _refused(app: App, problems: Sequence[Problem], advice: str = "") -> Refused:
    # Those of no file are about what was typed, which has no fields.
    app.console.note(problem_line(each if each.file else replace(each, field="")) for each in problems)
    return Refused(f"cannot take over the files: they have {counted(len(problems), 'problem')}{advice}")
