"""The environment of a service: what its env files give, under what `environment` says. For comparing with Docker Compose,
which prints no env files but what is in them.
"""

from __future__ import annotations

from pathlib import Path

from resources.compose.dotenv import read_env
from resources.compose.nodes import Report, Stop
from resources.compose.project import Project
from resources.meta import Read, Unexpandable


def environment_of(project: Project, service: str, *, read: Read) -> dict[str, str | None]:
    """Variables of the container; None: named without a value, and set nowhere. Raises Unexpandable.

    Env files may hold secrets: a problem names the file and the line, and repeats nothing of it.
    """
    return {**from_files(project, service, read=read), **project.services[service].get("environment", {})}


def from_files(project: Project, service: str, *, read: Read) -> dict[str, str]:
    """Variables that the env files of a service give, later files before earlier. Raises Unexpandable."""
    report = Report()
    found: dict[str, str] = {}
    for index, entry in enumerate(project.services[service].get("env_file", ())):
        path, field = Path(entry["path"]), ("services", service, "env_file", index)
        try:
            variables = {**project.variables, **found}
            found |= read_env(path, read=read, variables=variables, report=report, raw=entry.get("format") == "raw")
        except Stop:
            continue
        except OSError as error:
            if not isinstance(error, FileNotFoundError) or entry["required"]:
                reason = error.strerror or str(error)
                message = f"cannot read the env file {path}: {reason}; add it, or write required: false"
                report.fail(project.where(field), field, message)
    if report.problems:
        raise Unexpandable(tuple(report.problems))
    return found
