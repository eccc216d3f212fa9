"""Compares our reading of Compose files with Docker Compose's. For developers; no test runs it.

    python -m tests.compose.compare --oracle PATH/TO/docker-compose DIRECTORY [--show] [--create-env-files] [--also FILE]
    python -m tests.compose.compare --oracle PATH/TO/docker-compose --cases [--write]

The first reads every folder below DIRECTORY that has a Compose file, with all profiles enabled, and compares the long forms.
`--create-env-files` makes empty files where an `env_file` is missing, for Docker Compose reads them at once: give it a copy.
The second does so with our own cases, and with `--write` writes what is expected of those on which both agree, or which
say why they do not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.compose.nodes import Report
from resources.compose.parsing import parse
from resources.compose.project import Project, Unset, find_files
from resources.meta import Unexpandable
from tests.compose.cases import Case, all_cases
from tests.compose.environments import environment_of

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
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--cases", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--show", action="store_true", help="print what differs, file by file")
    parser.add_argument("--create-env-files", action="store_true")
    parser.add_argument("--pairs", action="store_true", help="merge other Compose files of a folder over its own")
    parser.add_argument("--fill", action="store_true", help="give every variable that is named a value")
    parser.add_argument("--also", type=Path, action="append", default=[], help="a file to merge over each project")
    arguments = parser.parse_args()
    verdicts: Counter[str] = Counter()
    if arguments.cases:
        for folder in all_cases():
            verdicts[recorded(Case.of(folder), arguments.oracle, write=arguments.write)] += 1
    else:
        for files in projects(arguments.directory.absolute(), pairs=arguments.pairs):
            variables = ENVIRONMENT | (filled(files) if arguments.fill else {})
            case = Case(files[0].parent, [*files, *arguments.also], ["*"], variables, unset=Unset.EMPTY)
            outcome = compare(case, arguments.oracle, create=arguments.create_env_files)
            verdicts[outcome.verdict] += 1
            if arguments.show and outcome.detail:
                print(f"{files[0]}: {outcome.verdict}: {outcome.detail}")
    for verdict, count in verdicts.most_common():
        print(f"{count:6}  {verdict}")


def recorded(case: Case, oracle: str, *, write: bool) -> str:
    """Compares a case of our own, and writes down what it expects where that is settled."""
    outcome = compare(case, oracle)
    agreed = outcome.verdict in ("equal", "both refuse")
    if agreed == bool(case.apart):
        print(f"{case.folder.name}: {outcome.verdict}, but apart is {case.apart!r}: {outcome.detail}")
        return "unsettled"
    name, text = case.outcome()
    if write:
        for other in ("expected.json", "problems.txt"):
            (case.folder / other).unlink(missing_ok=True)
        (case.folder / name).write_text(text)
    elif not (case.folder / name).exists() or (case.folder / name).read_text() != text:
        print(f"{case.folder.name}: {name} is not what it would be now")
        return "stale"
    return f"{outcome.verdict}{', as the case says' if case.apart else ''}"


def projects(directory: Path, *, pairs: bool = False) -> Iterator[list[Path]]:
    """Compose files as Compose would find them, and every other one by itself, or with `pairs` over those."""
    for folder, folders, names in os.walk(directory):
        folders.sort()
        found = find_files(Path(folder), lambda path: path.name in names)  # noqa: B023
        if found:
            yield found
        for name in sorted(names):
            path = Path(folder) / name
            if _FILE.fullmatch(name) and path not in found and _has_services(path):
                yield [*found, path] if pairs else [path]


def filled(files: list[Path]) -> dict[str, str]:
    """A likely value for each variable without a default: of a path where its name says so, else a number."""
    names = {name.decode() for path in files for name in re.findall(rb"\$\{?([A-Z]\w+)(?=[}:?\W])", path.read_bytes())}
    env_file = files[0].parent / ".env"
    given = re.findall(r"^(\w+)=", env_file.read_text() if env_file.exists() else "", re.MULTILINE)
    paths = re.compile(r"(DIR|PATH|LOCATION|ROOT|FOLDER|DATA|SOCK|HOME|FILE|VOLUME)")
    truths = re.compile(r"(ENABLE|READONLY|_TTY|PRIVILEGED)")
    return {
        name: "/some/where" if paths.search(name) else "true" if truths.search(name) else "8080"
        for name in names
        if not name.startswith("COMPOSE_") and name not in given
    }


def _has_services(path: Path) -> bool:
    return re.search(rb"^(services|include) *:", path.read_bytes(), re.MULTILINE) is not None


def compare(case: Case, oracle: str, *, create: bool = False) -> Outcome:
    theirs, complaint = ask(case, oracle, create=create)
    ours, problems = read(case)
    if ours is None and theirs is None:
        return Outcome("both refuse", f"\n  ours: {problems}\n  theirs: {complaint}")
    if ours is None:
        return Outcome("only we refuse", problems)
    if theirs is None:
        return Outcome("only Docker Compose refuses", complaint)
    found = list(differences(ours, theirs, ()))
    return Outcome("differ", "".join(f"\n  {line}" for line in found)) if found else Outcome("equal")


def read(case: Case) -> tuple[dict[str, Any] | None, str]:
    """Our long form, or our problems."""
    try:
        return comparable(_resolved(case.load())), ""
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


def ask(case: Case, oracle: str, *, create: bool = False) -> tuple[dict[str, Any] | None, str]:
    """What Docker Compose prints, or what it complains of."""
    command = [oracle, *(part for path in case.files for part in ("-f", str(path)))]
    command += [part for profile in case.profiles for part in ("--profile", profile)]
    command += [part for path in case.env_files or () for part in ("--env-file", str(path))]
    command += ["--project-directory", str(case.directory)] if case.directory else []
    command += ["--project-name", case.name] if case.name else []
    environment = {"HOME": ENVIRONMENT["HOME"], "PATH": ENVIRONMENT["PATH"], **case.variables}
    done = subprocess.run([*command, "config"], capture_output=True, text=True, env=environment, cwd=case.folder)
    missing = _MISSING.search(done.stderr)
    if create and missing and not Path(missing[1]).exists():
        Path(missing[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(missing[1]).touch()
        return ask(case, oracle, create=create)
    if done.returncode:
        return None, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "(nothing)"
    if case.unset is Unset.REFUSE and (unset := re.search(r"variable is not set", done.stderr)):
        return None, unset[0]
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
        return sorted(items, key=_order) if path[-1] in ("ports", "extra_hosts") else items
    return value or None if isinstance(value, dict) else value


def _order(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


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
    elif isinstance(ours, str) and isinstance(theirs, str) and ours.lstrip("\n") == theirs.lstrip("\n"):
        return  # in its YAML, not in its model, a text loses the empty lines that it begins with
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, (*path, str(index)))
    elif ours != theirs:
        yield f"{where}: ours {ours!r}, theirs {theirs!r}"


if __name__ == "__main__":
    main()
