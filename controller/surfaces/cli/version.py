"""`p2 version`."""

from __future__ import annotations

from dataclasses import dataclass

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, option


@dataclass(frozen=True)
class Version(Command):
    """Show the version of this program.

    Example:
      p2 version -o json
    """

    name = "version"

    output: str = option("-o", "--output", default="text", choices=("text", "json"), help="How to print it.")

    def run(self, app: App) -> Exit:
        import platform
        from importlib.metadata import version

        from controller.surfaces.cli.words import as_json

        program = version("pegasus2")
        if self.output == "json":
            app.console.print(as_json({"version": program, "python": platform.python_version()}))
        else:
            app.console.print(f"pegasus2 {program}")
        return Exit.OK
