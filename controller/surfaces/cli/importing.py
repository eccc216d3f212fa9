"""`p2 import`: resources for what was made or written for other programs, as YAML to look through and keep.

Each source of them is a module of its own, which gives resources and says what it could not take over: `import_compose.py`,
`import_docker.py`.
What is printed is what `resources/writing.py` makes of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.words import counted, place

if TYPE_CHECKING:
    from resources.meta import Resource

_SOURCES = ("compose", "docker")
# Of these each resource gets a file of its own; all others of a kind share one.
_OWN_FILE = frozenset({"Container", "ContainerSet"})


def _complete(incomplete: str) -> list[str]:
    return [word for word in _SOURCES if word.startswith(incomplete)]


@dataclass(frozen=True)
class Import(Command):
    """Print resources for what other programs have: Compose files, containers.

    p2 import compose FILE… reads Compose files as docker compose -f does: later files override, and .env, profiles,
    include and extends count. A field that Pegasus2 can't keep is an error that names its line, and nothing is printed;
    with --skip-refused it is left out and named in a warning. Without FILE, or with a directory, the usual names are
    looked for. A resource of kind Compose keeps to the files instead: see docs/compose.md.

    p2 import docker [NAME…] describes containers that run, or those of these names, with the networks and volumes that
    they use, less what their images and the engine supply. Taking over what it prints (adopt: true) changes nothing.
    Values of variables that look secret are not printed: it says which files they have to be written into.

    Examples:
      p2 import docker web db -o state
      p2 import compose compose.yaml > state/shop.yaml
      p2 import compose compose.yaml compose.prod.yaml --profile metrics -o state
    """

    name = "import"

    source: Annotated[
        str, Argument(metavar="compose|docker", help="What to make resources from.", autocompletion=_complete)
    ]
    what: Annotated[
        tuple[str, ...], Argument(metavar="FILE|NAME…", help="The files to read, in this order; or containers.")
    ] = ()
    output: Annotated[
        Path | None,
        Option("-o", "--output", metavar="DIR", help="Write files there, none over another (default: print)."),
    ] = None
    project: Annotated[
        str, Option("-p", "--project", metavar="NAME", help="Name of the project, in place of the files' own.")
    ] = ""
    env_files: Annotated[
        tuple[Path, ...],
        Option("--env-file", metavar="FILE", help="Variables, in place of the .env beside the first file; repeatable."),
    ] = ()
    profiles: Annotated[
        tuple[str, ...], Option("--profile", metavar="NAME", help="Services of this profile, too; repeatable.")
    ] = ()
    own_names: Annotated[
        bool,
        Option(
            "--own-names",
            help="compose: call things as their resources, without the names and labels of Docker Compose: for overlays.",
        ),
    ] = False
    skip_refused: Annotated[
        bool, Option("--skip-refused", help="Leave out what can't be kept, with a warning for each field.")
    ] = False

    plain_env: Annotated[
        bool, Option("--plain-env", help="docker: print the values of variables that look secret, too.")
    ] = False

    def run(self, app: App) -> Exit:
        root: Path | None = None
        match self.source:
            case "compose":
                from controller.surfaces.cli.import_compose import compose_resources

                resources, root = compose_resources(app, self)
            case "docker":
                from controller.surfaces.cli.import_docker import docker_resources

                resources = docker_resources(app, self)
            case _:
                raise Refused(f'cannot import from "{self.source}": say {" or ".join(_SOURCES)}')
        return hand_over(app, resources, self.output, root)


def hand_over(app: App, resources: Iterable[Resource], directory: Path | None, root: Path | None = None) -> Exit:
    """Prints resources, or writes them into files of `directory`. Raises Refused before the first where one is there already.

    Paths below `root` are relative in files that are there, too.
    """
    from resources.writing import Beside, yaml_of

    if directory is None:
        app.console.print(yaml_of(resources).removesuffix("\n"))
        return Exit.OK
    files: dict[Path, list[Resource]] = {}
    for resource in resources:
        files.setdefault(directory / _file_of(resource), []).append(resource)
    if taken := [path for path in files if path.exists()]:
        names = ", ".join(place(str(path)) for path in taken)
        raise Refused(f"cannot write {names}: it is there already; move it away, or name another directory")
    beside = Beside(directory.resolve(), root) if root else None
    _write({path: yaml_of(some, beside) for path, some in files.items()}, directory)
    app.console.note(f"wrote {counted(len(files), 'file')} into {directory}")
    return Exit.OK


def _write(files: Mapping[Path, str], directory: Path) -> None:
    """All of them, or none: beside their places first, so that a disk that is full shows in time. Raises Refused."""
    new = not directory.exists()
    left: list[Path] = []  # what has to go again if the rest can't be written
    path = directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            left.append(_draft(path))
            with _draft(path).open("x", encoding="utf-8") as file:
                file.write(text)
        for path in files:
            path.touch(exist_ok=False)  # nobody's file is written over
            left.append(path)
            _draft(path).replace(path)
    except BaseException as error:
        for each in left:
            with suppress(OSError):
                each.unlink(missing_ok=True)
        if new:
            with suppress(OSError):
                directory.rmdir()
        if not isinstance(error, OSError):
            raise
        raise Refused(f"cannot write {path}: {error.strerror}; nothing was written") from error


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.draft")


def _file_of(resource: Resource) -> str:
    name = resource.metadata.name if resource.kind in _OWN_FILE else resource.about.plural
    return f"{name}.yaml"
