"""`p2 validate`: everything that is wrong with the files, without a look at the machine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.words import counted, place, problem_line

if TYPE_CHECKING:
    from controller.wiring.workspace import Workspace
    from resources.meta import Problem


@dataclass(frozen=True)
class Validate(Command):
    """Check the files of a source, without a look at the machine.

    Prints a line for each problem: file:line:column: field: message. Exit code 0: none. 2: some. What is left out of the
    Compose files that resources refer to is told on stderr.

    Examples:
      p2 validate                    ./state
      p2 validate -o json state/web.yaml
    """

    name = "validate"

    path: Annotated[Path, Argument(metavar="PATH", help="Directory or file with resources (default: ./state).")] = Path(
        "state"
    )
    output: Annotated[Literal["text", "json"], Option("-o", "--output", help="How to print it.")] = "text"

    def run(self, app: App) -> Exit:
        with app.open(self.path, read_only=True) as workspace:
            problems = workspace.load(partly=True)
            if (trouble := workspace.source_trouble()) and not problems:
                raise Refused(f"cannot validate {self.path}: {trouble}")
            resources, elsewhere = len(workspace.declared()), len(workspace.elsewhere())
            warnings = _warnings(workspace)
        if self.output == "json":
            from controller.surfaces.cli.plan_file import problem_document
            from controller.surfaces.cli.words import as_json

            app.console.print(as_json([problem_document(problem) for problem in problems]))
        else:
            app.console.print(problem_line(problem) for problem in problems)
        for warning in warnings:
            tell(app, problem_line(warning))
        if problems:
            app.console.note(f"{counted(len(problems), 'problem')} in {self.path}")
            return Exit.REFUSED
        self._tell_left_out(app)
        others = f" ({elsewhere} for other machines)" if elsewhere else ""
        app.console.note(f"{counted(resources + elsewhere, 'resource')} in {self.path}{others}, nothing wrong")
        return Exit.OK

    def _tell_left_out(self, app: App) -> None:
        """Directories with a kustomization of their own are none of a plain source's."""
        from controller.sources.tree import is_overlay, walk

        if not is_overlay(str(self.path)) and (there := sorted(walk(str(self.path.resolve())).overlays)):
            tell(app, f"not checked, for they are sources of their own: {', '.join(map(place, there))}")


def _warnings(workspace: Workspace) -> list[Problem]:
    """What is left out of the files that resources stand for; of those that can't be read the problems tell."""
    from resources.meta import Unexpandable

    found: list[Problem] = []
    for declared in workspace.declared().values():
        with suppress(Unexpandable, OSError):
            found += declared.resource.warnings(Path.read_bytes) if declared.resource.expands else ()
    return found
