"""`p2 pause` and `p2 unpause`: observe only, the whole machine, until it is lifted. Outlives restarts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Option, Refused

if TYPE_CHECKING:
    from controller.store.errors import HomeError
    from controller.surfaces.cli.app import Kept


@dataclass(frozen=True)
class Pause(Command):
    """Change nothing on this machine until `p2 unpause`.

    Everything is still looked at, and differences are shown; nobody changes anything: not the controller, not p2 apply,
    not p2 delete. It holds all sources and outlives restarts. To leave a single resource alone: p2 suspend.

    Example:
      p2 pause --reason "moving the disks"
    """

    name = "pause"
    changes = True

    reason: Annotated[str, Option("-r", "--reason", metavar="TEXT", help="Why; shown to whoever is refused.")] = ""

    def run(self, app: App) -> Exit:
        from controller.engine.brakes import put_on
        from controller.engine.stores import Brake
        from controller.store.errors import HomeError
        from controller.surfaces.cli.braking import told
        from resources.conditions import Reason

        brake = Brake(Reason.PAUSED, app.user, " ".join(self.reason.split()), app.now())
        with app.kept(read_only=False) as kept:
            try:
                new = kept.stores.brakes.put_on(brake)
            except HomeError as error:
                raise Refused(_for_now(error, kept)) from error
            if new:
                kept.stores.events.record(put_on(brake))
                kept.home.poke()
            before = next(each for each in kept.stores.brakes.all() if each.reason == Reason.PAUSED)
        if new:
            app.console.print("paused: nothing is changed on this machine from now on; p2 unpause ends that")
        else:
            app.console.print(f"nothing to do: {told(before, app.now())}")
        return Exit.OK


def _for_now(error: HomeError, kept: Kept) -> str:
    """A brake that can't be written holds the process that it was put on in: where that is the controller, it is paused."""
    holder = kept.home.holder()
    if holder is None or holder.pid != os.getpid():
        return str(error)
    kept.home.poke()
    return f"cannot keep the pause: {error}. Until it ends, {holder} changes nothing all the same; p2 unpause ends that"


@dataclass(frozen=True)
class Unpause(Command):
    """Let changes be made again: ends p2 pause, safe mode, and p2 stop.

    Everything is looked at again at once. Crashes of the controller that were counted are forgotten. After p2 stop,
    start the controller again yourself.

    Example:
      p2 unpause
    """

    name = "unpause"
    changes = True

    def run(self, app: App) -> Exit:
        from controller.engine.brakes import released
        from controller.surfaces.cli.braking import names_of

        with app.kept(read_only=False) as kept:
            holder = kept.home.holder()
            was_on = kept.stores.brakes.release()
            crashes = kept.stores.starts.forget(but=holder.pid if holder else 0)
            if was_on:
                kept.stores.events.record(released(was_on, app.user, app.now()))
                kept.home.poke()
        if not was_on and crashes:
            app.console.print("not paused; crashes of the controller that were counted are forgotten")
        elif not was_on:
            app.console.print("nothing to do: this machine was neither paused, stopped nor in safe mode")
        elif holder:
            app.console.print(f"it was {names_of(was_on)}: changes are made again from now on")
        else:
            app.console.print(f"it was {names_of(was_on)}: changes are made again by the next p2 apply or p2 run")
        return Exit.OK
