"""Compares our reading of Compose files with Docker Compose's. For developers; no test runs it.

    python -m tests.compose.compare DIRECTORY --oracle PATH/TO/docker-compose [--show] [--create-env-files] [--also FILE]

Every folder below DIRECTORY that has a Compose file is read by both, with all profiles enabled, and the long forms are
compared. `--create-env-files` makes empty files where an `env_file` is missing, for Docker Compose reads them at once: give
it a copy.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.compose.environment import environment_of
from resources.compose.nodes import Report
from resources.compose.parsing import parse
from resources.compose.project import Project, Unset, find_files, load_project
from resources.meta import Unexpandable

ENVIRONMENT = {name: os.environ.get(name, "") for name in ("HOME", "PATH")}
SECTIONS = ("services", "networks", "volumes", "configs", "secrets")
_FILE = re.compile(r".*compose.*\.ya?ml", re.IGNORECASE)
_MISSING = re.compile(r"env file (\S+) not found")


@dataclass(frozen=True)
class Outcome:
    verdict: str
    detail: str = ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--show", action="store_true", help="print what differs, file by file")
    parser.add_argument("--create-env-files", action="store_true")
    parser.add_argument("--also", type=Path, action="append", default=[], help="a file to merge over each project")
    arguments = parser.parse_args()
    verdicts: Counter[str] = Counter()
    for files in projects(arguments.directory.absolute()):
        outcome = compare([*files, *arguments.also], arguments.oracle, create=arguments.create_env_files)
        verdicts[outcome.verdict] += 1
        if arguments.show and outcome.detail:
            print(f"{files[0]}: {outcome.verdict}: {outcome.detail}")
    for verdict, count in verdicts.most_common():
        print(f"{count:6}  {verdict}")


def projects(directory: Path) -> Iterator[list[Path]]:
    """Compose files as Compose would find them, and every other one by itself."""
    for folder, folders, names in os.walk(directory):
        folders.sort()
        found = find_files(Path(folder), lambda path: path.name in names)  # noqa: B023
        if found:
            yield found
        for name in sorted(names):
            path = Path(folder) / name
            if _FILE.fullmatch(name) and path not in found and _has_services(path):
                yield [path]


def _has_services(path: Path) -> bool:
    return re.search(rb"^(services|include) *:", path.read_bytes(), re.MULTILINE) is not None


def compare(files: list[Path], oracle: str, *, create: bool = False) -> Outcome:
    theirs, complaint = ask(files, oracle, create=create)
    ours, problems = read(files)
    if ours is None and theirs is None:
        return Outcome("both refuse", f"\n  ours: {problems}\n  theirs: {complaint}")
    if ours is None:
        return Outcome("only we refuse", problems)
    if theirs is None:
        return Outcome("only Docker Compose refuses", complaint)
    found = list(differences(ours, theirs, ()))
    return Outcome("differ", "".join(f"\n  {line}" for line in found)) if found else Outcome("equal")


def read(files: list[Path]) -> tuple[dict[str, Any] | None, str]:
    """Our long form, or our problems."""
    try:
        project = load_project(files, read=Path.read_bytes, variables=ENVIRONMENT, profiles=["*"], unset=Unset.EMPTY)
        return comparable(_resolved(project)), ""
    except Unexpandable as error:
        return None, str(error)


def _resolved(project: Project) -> dict[str, Any]:
    """The sections of a project, env files read into `environment` as Docker Compose does."""
    services = {}
    for name, service in project.services.items():
        environment = environment_of(project, name, read=Path.read_bytes)
        services[name] = {**service, **({"environment": environment} if environment else {})}
        services[name].pop("env_file", None)
    return {**{section: getattr(project, section) for section in SECTIONS}, "services": services, "name": project.name}


def ask(files: list[Path], oracle: str, *, create: bool = False) -> tuple[dict[str, Any] | None, str]:
    """What Docker Compose prints, or what it complains of."""
    command = [oracle, *(part for path in files for part in ("-f", str(path))), "--profile", "*", "config"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=files[0].parent)
    missing = _MISSING.search(done.stderr)
    if create and missing and not Path(missing[1]).exists():
        Path(missing[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(missing[1]).touch()
        return ask(files, oracle, create=create)
    if done.returncode:
        return None, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "(nothing)"
    (document,) = parse(done.stdout.encode(), "oracle", Report())
    return comparable(_unescaped(document)), ""


def _unescaped(value: Any) -> Any:
    """Its output is a Compose file again, in which a $ is written $$."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {name.replace("$$", "$"): _unescaped(content) for name, content in value.items()}
    return [_unescaped(item) for item in value] if isinstance(value, list) else value


def comparable(project: dict[str, Any]) -> dict[str, Any]:
    """Sections and name; less what one side says and the other leaves unsaid, and the order of what has none."""
    found = {section: dict(project.get(section) or {}) for section in SECTIONS} | {"name": project["name"]}
    for name, service in found["services"].items():
        found["services"][name] = _plain(service, ("services", name))
    for section in SECTIONS[1:]:
        found[section] = {name: _plain(thing, (section, name)) for name, thing in found[section].items()}
    return found


def _plain(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        kept = path[-1] in ("environment", "labels", "networks", "options", "args", "driver_opts")
        plain = {name: _plain(content, (*path, name)) for name, content in value.items() if not name.startswith("x-")}
        return {name: content for name, content in plain.items() if kept or content or content == []}
    if isinstance(value, list):
        items = [_plain(item, (*path, "[]")) for item in value]
        return sorted(items, key=str) if path[-1] in ("ports", "extra_hosts") else items
    return value or None if isinstance(value, dict) else value


def differences(ours: Any, theirs: Any, path: tuple[str, ...]) -> Iterator[str]:
    where = ".".join(path)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours, *theirs}):
            if name not in ours:
                yield f"{where}.{name}: only theirs: {theirs[name]!r}"
            elif name not in theirs:
                yield f"{where}.{name}: only ours: {ours[name]!r}"
            else:
                yield from differences(ours[name], theirs[name], (*path, name))
    elif ours != theirs:
        yield f"{where}: ours {ours!r}, theirs {theirs!r}"


if __name__ == "__main__":
    main()
