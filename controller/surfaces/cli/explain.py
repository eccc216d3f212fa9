"""`p2 explain` and `p2 schema`: what can be written, for people and for editors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import complete_kinds, kind_named
from controller.surfaces.cli.words import as_json

_WIDTH = 100  # columns at which a text is still pleasant to read


@dataclass(frozen=True)
class Explain(Command):
    """Explain a kind or one of its fields.

    Examples:
      p2 explain container
      p2 explain container.spec.healthcheck
    """

    name = "explain"

    what: Annotated[
        str,
        Argument(metavar="KIND[.FIELD]", autocompletion=complete_kinds, help="A kind, with the path of a field."),
    ]

    output: Annotated[Literal["text", "json"], Option("-o", "--output", help="How to print it.")] = "text"

    def run(self, app: App) -> Exit:
        from resources.schema import describe, explain

        kind, _, path = self.what.partition(".")
        try:
            if self.output == "json":
                from controller.surfaces.cli.words import as_json

                app.console.print(as_json(asdict(describe(kind_named(kind), path))))
                return Exit.OK
            app.console.print(explain(kind_named(kind), path, min(app.console.width or _WIDTH, _WIDTH)))
        except ValueError as error:
            raise Refused(str(error)) from error
        return Exit.OK


@dataclass(frozen=True)
class Schema(Command):
    """Print a JSON Schema with which editors complete and check.

    For the YAML language server, begin a file with: # yaml-language-server: $schema=.schema
    kubectl apply -f DIRECTORY takes every .json file for a resource, so give it another ending there.

    Examples:
      p2 schema > schema.json
      p2 schema -o state/.schema
    """

    name = "schema"

    file: Annotated[
        Path | None, Option("-o", "--output", metavar="FILE", help="Write it there (default: print it).")
    ] = None

    def run(self, app: App) -> Exit:
        from resources.schema import editor_schema

        text = as_json(editor_schema())
        if self.file is None:
            app.console.print(text)
            return Exit.OK
        try:
            self.file.write_text(f"{text}\n")
        except OSError as error:
            raise Refused(f"cannot write {self.file}: {error.strerror}") from error
        app.console.note(f"wrote {self.file}")
        return Exit.OK
