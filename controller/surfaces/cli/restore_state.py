"""`p2 restore-state`: takes what `p2 backup-state` wrote into the home."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

from controller.surfaces.cli.app import App
from controller.surfaces.cli.backup_state import contents
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.words import moment

if TYPE_CHECKING:
    from controller.store.home import Home
    from controller.store.restore import Restored


@dataclass(frozen=True)
class RestoreState(Command):
    """Take a backup of `p2 backup-state` into the home.

    All of it is verified before anything is changed. The home keeps the installation's id of the backup, by which
    things in the world are recognised: the machine it was made on must not go on with it. A home that is in use is
    refused; with --force what it has is kept aside in it.

    Examples:
      p2 restore-state /backup/pegasus2.tar.gz
      ssh elsewhere p2 backup-state - | p2 restore-state -
    """

    name = "restore-state"
    changes = True

    file: Annotated[Path, Argument(metavar="FILE", help="The backup; - is standard input.")]
    force: Annotated[bool, Option("--force", help="Replace what the home has; it is kept aside.")] = False

    def run(self, app: App) -> Exit:
        from controller.store.restore import restore

        home = app.home(read_only=False)
        with opened(self.file) as archive:
            restored = restore(home, archive, str(self.file), force=self.force, at=app.now())
        app.console.note(told(home, restored))
        return Exit.OK


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """The bytes of a backup. Raises Refused."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        archive = file.open("rb")
    except OSError as error:
        raise Refused(f"cannot read {file}: {error.strerror}; name a file that p2 backup-state wrote") from error
    with archive:
        yield archive


def told(home: Home, restored: Restored) -> list[str]:
    """What a person has to know now."""
    from controller.store.manifest import SecretsIn

    made = restored.manifest
    lines = [f"{home.path}: restored as of {moment(made.at)}: {contents(made)}"]
    if restored.aside:
        lines.append(f"what it had before is in {restored.aside}")
    if made.installation and made.installation != restored.before:
        lines.append(
            f"from now on this is the installation {made.installation}: it owns what that one has made. If another machine "
            "is that installation, stop Pegasus2 there for good, or the two will fight over what they can both reach"
        )
    if made.secrets is SecretsIn.LEFT_OUT:
        there = "those in {} stay" if home.secrets.exists() else "put them into {}"
        lines.append(f"the secrets are not in the backup: {there.format(home.secrets)}")
    if home.agents != home.path / "agents" and any(each.name.startswith("agents/") for each in made.members):
        lines.append(
            f"the agents' configuration is in {home.path / 'agents'}; PEGASUS2_AGENTS_CONFIG names another place"
        )
    lines.append("p2 diff shows what would be changed now")
    return lines
