"""`p2 suspend` and `p2 resume`: an override beside the files that outlives restarts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App, Kept
from controller.surfaces.cli.command import Argument, Command, Exit, Refused
from controller.surfaces.cli.keys import complete_keys, key_named, known
from controller.surfaces.cli.parameters import SourceOption

if TYPE_CHECKING:
    from resources.meta import Key


@dataclass(frozen=True)
class Suspend(Command):
    """Leave a resource alone until `p2 resume`.

    It is still looked at and reported on. Outlives restarts. To keep it in git instead, write `suspend: true` in the spec.

    Example:
      p2 suspend container/web
    """

    name = "suspend"

    keys: Annotated[
        tuple[str, ...], Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="What to leave alone.")
    ] = ()
    path: SourceOption = Path("state")

    def run(self, app: App) -> Exit:
        keys = named(self.keys)
        with app.kept(read_only=False) as kept:
            unknown = [key for key in keys if not kept.stores.inventory.find(key)]
            if unknown:
                known(unknown, declared_in(app, self.path), str(self.path))
            before = kept.stores.overrides.suspended()
            kept.stores.overrides.suspend(keys)
            kept.home.poke()
            when = effect(kept)
        for key in keys:
            app.console.print(f"{key.short} {'was suspended already' if key in before else f'is suspended {when}'}")
        return Exit.OK


@dataclass(frozen=True)
class Resume(Command):
    """Take up a suspended resource again.

    Example:
      p2 resume container/web
    """

    name = "resume"

    keys: Annotated[
        tuple[str, ...],
        Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="What to take up again."),
    ] = ()

    def run(self, app: App) -> Exit:
        keys = named(self.keys)
        with app.kept(read_only=False) as kept:
            before = kept.stores.overrides.suspended()
            kept.stores.overrides.resume(keys)
            kept.home.poke()
            when = effect(kept)
        for key in keys:
            app.console.print(f"{key.short} {f'is resumed {when}' if key in before else 'was not suspended'}")
        return Exit.OK


def named(texts: Iterable[str]) -> list[Key]:
    """The keys of a command that needs at least one. Raises Refused."""
    keys = [key_named(text) for text in texts]
    if not keys:
        raise Refused("cannot tell what is meant: name at least one KIND/NAME; p2 get lists them")
    return keys


def effect(kept: Kept) -> str:
    """When what was just written counts."""
    return "from now on" if kept.home.holder() else "from the next p2 apply or p2 run on"


def declared_in(app: App, path: Path) -> frozenset[Key]:
    """What a source declares, whether it was ever applied or not."""
    with app.open(path, read_only=True) as workspace:
        workspace.load()
        return frozenset(workspace.declared())
