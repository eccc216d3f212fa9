"""`p2 build`: the resources that come out of a kustomization, as `kubectl kustomize` prints them, with variables filled in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.words import as_json, as_yaml, counted, problem_line

if TYPE_CHECKING:
    from resources.kustomize.loading import Loaded
    from resources.meta import Problem


@dataclass(frozen=True)
class Build(Command):
    """Print what an overlay resolves to, for kubectl and for reading.

    Patches, names, labels and images are applied, variables are filled in. Nothing is looked at but the files.

    Examples:
      p2 build state/overlays/staging
      p2 build state/overlays/staging | kubectl apply -f -
      p2 build --configuration > p2.yaml        what kubectl apply -k has to be told of images and names
    """

    name = "build"

    path: Annotated[Path, Argument(metavar="PATH", help="Directory with a kustomization (default: ./state).")] = Path(
        "state"
    )
    output: Annotated[Literal["yaml", "json"], Option("-o", "--output", help="How to print it.")] = "yaml"
    configuration: Annotated[
        bool, Option("--configuration", help="Print a file for configurations: in a kustomization instead.")
    ] = False

    def run(self, app: App) -> Exit:
        if self.configuration:
            from resources.kustomize.configuration import CONFIGURATION

            app.console.print(CONFIGURATION.rstrip())
            return Exit.OK
        loaded, problems = self._built()
        if problems:
            app.console.note(problem_line(problem) for problem in problems)
            raise Refused(
                f"cannot build {self.path}: it has {counted(len(problems), 'problem')}; correct what is named above"
            )
        contents = [each.content for each in loaded]
        app.console.print(as_json(contents) if self.output == "json" else as_yaml(contents))
        return Exit.OK

    def _built(self) -> tuple[list[Loaded], list[Problem]]:
        from controller.sources.overlay import built
        from controller.sources.tree import KUSTOMIZATIONS, is_overlay
        from resources.kustomize.scripts import Unresolvable

        path = self.path.resolve()
        directory = path.parent if path.name in KUSTOMIZATIONS else path
        if not is_overlay(str(directory)):
            raise Refused(
                f"cannot build {self.path}: there is no kustomization.yaml; name a directory that has one, "
                "or use its files as they are"
            )
        try:
            loaded = built(directory)
        except Unresolvable as error:
            return [], list(error.problems)
        return loaded, [problem for each in loaded for problem in each.problems]
