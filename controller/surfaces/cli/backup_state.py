"""`p2 backup-state`: all that the home keeps in one file, also while a controller runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

from controller import __version__
from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.console import Console
from controller.surfaces.cli.words import counted

if TYPE_CHECKING:
    from controller.store.manifest import Manifest


@dataclass(frozen=True)
class BackupState(Command):
    """Write all that Pegasus2 keeps into one file.

    That is the database, this installation's id, the configuration, and the old content of adopted files; the files
    of the source, which are in git, and what is in the world are not in it. A controller may run meanwhile. FILE is
    made with mode 0600, complete or not at all. `p2 restore-state` takes it back.

    Examples:
      p2 backup-state /backup/pegasus2.tar.gz
      p2 backup-state - | ssh elsewhere 'cat > pegasus2.tar.gz'
    """

    name = "backup-state"

    file: Annotated[Path, Argument(metavar="FILE", help="Where to; - is standard output.")]
    secrets: Annotated[
        bool, Option("--secrets", help="With the secrets in the home, which are left out otherwise.")
    ] = False

    def run(self, app: App) -> Exit:
        from controller.store.backup import write_backup
        from controller.store.draft import drafted

        home, now = app.home(read_only=True), app.now()
        home.prepare()
        with standard_output(app.console) if str(self.file) == "-" else drafted(self.file) as target:
            made = write_backup(home, target, secrets=self.secrets, program=__version__, at=now)
        app.console.note(self._told(made))
        return Exit.OK

    def _told(self, made: Manifest) -> list[str]:
        from controller.store.manifest import SecretsIn

        told = [f"{'written' if str(self.file) == '-' else self.file}: {contents(made)}"]
        if made.secrets is SecretsIn.LEFT_OUT:
            told.append("the secrets in the home are left out; --secrets takes them in")
        elif made.secrets is SecretsIn.INCLUDED:
            told.append("it holds secrets in plain text: keep it where nobody else can read it")
        return told


def contents(made: Manifest) -> str:
    """What is in a backup, in a few words."""
    whose = f", installation {made.installation}" if made.installation else ""
    return f"the database (schema {made.schema}) and {counted(len(made.members) - 1, 'file')}{whose}"


@contextmanager
def standard_output(console: Console) -> Iterator[BinaryIO]:
    """Where bytes go. Raises Refused where a person would see them, or nothing can be written."""
    if console.out.isatty():
        raise Refused("cannot write a backup to a terminal: name a file, or send it on with a pipe")
    try:
        yield console.out.buffer
        console.out.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused(
            f"cannot write the backup: {error.strerror or error}; it is incomplete where it arrived"
        ) from error
