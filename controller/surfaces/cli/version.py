"""`p2 version`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from controller import __version__
from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Option


@dataclass(frozen=True)
class Version(Command):
    """Show the version of this program.

    Example:
      p2 version -o json
    """

    name = "version"

    output: Annotated[Literal["text", "json"], Option("-o", "--output", help="How to print it.")] = "text"

    def run(self, app: App) -> Exit:
        if self.output == "json":
            from platform import python_version

            from controller.surfaces.cli.words import as_json

            app.console.print(as_json({"version": __version__, "python": python_version()}))
        else:
            app.console.print(f"pegasus2 {__version__}")
        return Exit.OK
