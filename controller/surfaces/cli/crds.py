"""`p2 crds`: the kinds as CustomResourceDefinitions, for `kubectl apply`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Option, Refused
from controller.surfaces.cli.words import counted


@dataclass(frozen=True)
class Crds(Command):
    """Print the CustomResourceDefinitions of all kinds, for Kubernetes.

    They are made from what p2 itself checks by, so that an API server explains and refuses the same.

    Examples:
      p2 crds | kubectl apply --server-side -f -
      p2 crds -o crds                a file for each kind
    """

    name = "crds"

    directory: Annotated[
        Path | None, Option("-o", "--output", metavar="DIR", help="Write a file for each kind there (default: print).")
    ] = None

    def run(self, app: App) -> Exit:
        from resources.crd import as_yaml, definitions, files

        if self.directory is None:
            app.console.print(as_yaml(definitions()).rstrip())
            return Exit.OK
        written = files(definitions())
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for name, text in written.items():
                (self.directory / name).write_text(text)
        except OSError as error:
            raise Refused(f"cannot write {error.filename or self.directory}: {error.strerror}") from error
        app.console.note(f"wrote {counted(len(written), 'file')} into {self.directory}")
        return Exit.OK
