"""Kind `Compose`: a project of Compose files. It has no agent: it stands for the resources that its files come to.

Read by `resources/compose/project.py`, mapped by `resources/compose/mapping/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from resources.docker.engines import EngineSpec
from resources.docker.values import ENV_NAMES, EnvNames, Image
from resources.meta import About, LocalPath, Problem, Read, Resource, Unexpandable, inherited
from resources.rules import MANY, WORD_MAX, Rule

if TYPE_CHECKING:
    from resources.compose.mapping.mapping import Mapped
    from resources.compose.project import Project

EXAMPLE = """\
apiVersion: pegasus2.dev/v1
kind: Compose
metadata:
  name: shop
spec:
  files: [/srv/shop/compose.yaml, /srv/shop/compose.prod.yaml]
  profiles: [metrics]
  variables:
    TAG: "1.4"
  scale:
    worker: 2
"""

_NO_FILES = "cannot tell which files are meant: give files, or the directory that they are in"

ServiceName = Annotated[str, Field(min_length=1, max_length=WORD_MAX)]


class ComposeSpec(EngineSpec):
    """A project of Compose files. The common fields that are written here hold for all that it stands for."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("(has(self.files) && size(self.files) > 0) || has(self.directory)", _NO_FILES),
    )

    files: Annotated[tuple[LocalPath, ...], Field(max_length=MANY)] | None = Field(
        default=None,
        description="Compose files, later ones merged over earlier, as with docker compose -f. Relative paths start at the "
        "directory of the manifest. Unset: compose.yaml, compose.yml, docker-compose.yaml or docker-compose.yml in "
        "directory, with its override file.",
    )
    directory: LocalPath | None = Field(
        default=None,
        description="Directory of the project, where relative paths in its files start. Unset: that of the first file.",
    )
    envFiles: Annotated[tuple[LocalPath, ...], Field(max_length=MANY)] | None = Field(
        default=None,
        description="Files with the values of ${NAME} in the Compose files. Unset: .env in directory, if there is one.",
    )
    variables: Annotated[dict[str, str], Field(max_length=MANY), EnvNames, ENV_NAMES] | None = Field(
        default=None,
        description="Values of ${NAME} in the Compose files; they win over those of envFiles. The environment of the "
        "controller counts for nothing, and a variable without value and default is an error.",
    )
    profiles: Annotated[tuple[ServiceName, ...], Field(max_length=MANY)] | None = Field(
        default=None, description="Profiles whose services are wanted, too."
    )
    project: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=WORD_MAX)] | None = Field(
        default=None,
        description="Name of the project, in front of the names of all that belongs to it. Unset: name in the files, else "
        "that of the directory.",
    )
    scale: Annotated[dict[str, Annotated[int, Field(ge=0, le=1000)]], Field(max_length=MANY)] | None = Field(
        default=None, description="How many containers a service has, in place of what the files say: {worker: 3}."
    )
    images: Annotated[dict[str, Image], Field(max_length=MANY)] | None = Field(
        default=None,
        description="The image that a service runs, in place of what the files say: {web: shop/web:1.4}. What the files say "
        "is to be built goes on being built. p2 deploy writes this into an environment.",
    )
    completed: Annotated[tuple[ServiceName, ...], Field(max_length=MANY)] | None = Field(
        default=None,
        description="Services that do their work and end: each runs once, is Ready when it has ended with exit code 0, and runs "
        "again when it is edited. Those that others wait for to complete are so anyway.",
    )
    compatibility: bool = Field(
        default=False,
        description="Name containers and built images with underscores (shop_web_1), as version 1 of Docker Compose and "
        "docker compose --compatibility do.",
    )

    @model_validator(mode="after")
    def _says_which_files(self) -> Self:
        if not self.files and self.directory is None:
            raise ValueError(_NO_FILES)
        return self


class Compose(Resource):
    """A project of Compose files."""

    about: ClassVar[About] = About(
        plural="composes",
        columns=(("Project", "spec.project"), ("Files", "spec.files"), ("Directory", "spec.directory")),
    )
    expands: ClassVar[bool] = True

    kind: Literal["Compose"]
    spec: ComposeSpec

    def expand(self, read: Read) -> Iterable[Resource]:
        mapped = self.mapped(read)
        if mapped.problems:
            raise Unexpandable(mapped.problems)
        return mapped.resources

    def warnings(self, read: Read) -> Iterable[Problem]:
        return self.mapped(read).warnings

    def mapped(self, read: Read) -> Mapped:
        """What the files come to, with what can't be kept of them, and what is left out. Raises Unexpandable."""
        try:
            return self._mapped(read)
        except Unexpandable as error:  # what no file is at fault for stands in the spec
            raise Unexpandable(tuple(each if each.file else _in_spec(each) for each in error.problems)) from None

    def _mapped(self, read: Read) -> Mapped:
        from resources.compose.mapping.mapping import resources_of

        spec = self.spec
        return resources_of(
            self._project(read),
            read=read,
            namespace=self.metadata.namespace,
            scale=spec.scale,
            images=spec.images,
            completed=spec.completed or (),
            underscores=spec.compatibility,
            common=inherited(spec),
        )

    def services(self, read: Read) -> dict[str, str]:
        """The image of each service as the files have it, whatever `images` says. Raises Unexpandable."""
        from resources.compose.mapping.names import Names

        project = self._project(read)
        names = Names(project.name, underscores=self.spec.compatibility)
        return {name: str(service.get("image") or names.image(name)) for name, service in project.services.items()}

    def _project(self, read: Read) -> Project:
        from resources.compose.project import load_project

        spec = self.spec
        return load_project(
            _files(spec, read),
            read=read,
            variables=spec.variables or {},
            env_files=None if spec.envFiles is None else [Path(path) for path in spec.envFiles],
            profiles=spec.profiles or (),
            directory=Path(normpath(spec.directory)) if spec.directory else None,
            name=spec.project,
        )

    def confidential(self) -> Iterable[Path]:
        """The files that variables come from."""
        if self.spec.envFiles is not None:
            return [Path(path) for path in self.spec.envFiles]
        directories = [self.spec.directory, *(str(Path(file).parent) for file in self.spec.files or ())]
        return [Path(normpath(directory), ".env") for directory in directories if directory]


def _in_spec(problem: Problem) -> Problem:
    return replace(problem, field=f"spec.{problem.field}" if problem.field else "spec")


def _files(spec: ComposeSpec, read: Read) -> list[Path]:
    """Those that are named, or those that are found in the directory. Raises Unexpandable where there are none."""
    if spec.files:
        return [Path(normpath(file)) for file in spec.files]
    assert spec.directory is not None
    return found_files(Path(normpath(spec.directory)), read)


def found_files(directory: Path, read: Read) -> list[Path]:
    """The Compose file in `directory`, and its override. Raises Unexpandable where there is none."""
    from resources.compose.project import NAMES, find_files

    found = find_files(directory, lambda path: _is_there(path, read))
    if not found:
        message = f"cannot find a Compose file in {directory}: there is none of {', '.join(NAMES)}; add one, or name it"
        raise Unexpandable((Problem("", message, field="directory"),))
    return found


def _is_there(path: Path, read: Read) -> bool:
    try:
        read(path)
    except OSError:
        return False
    return True
