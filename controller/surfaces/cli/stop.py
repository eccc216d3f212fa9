"""`p2 stop`: the emergency brake. Begins nothing new, leaves the world as it is, and ends whoever is changing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Option
from controller.surfaces.cli.parameters import duration

if TYPE_CHECKING:
    from controller.surfaces.cli.app import Kept


@dataclass(frozen=True)
class Stop(Command):
    """Stop all changes now, and leave the machine as it is.

    For emergencies. First it is written down that nothing may be changed any more; then whoever is at work, the
    controller or p2 apply, is told to end: it finishes the request that is under way and begins nothing new. A
    controller that is started before p2 unpause only observes.

    Exit code 0: nothing is at work any more. 1: somebody still is, and the last line says how to end that.

    Example:
      p2 stop --reason "wrong branch"
    """

    name = "stop"
    changes = True

    reason: Annotated[str, Option("-r", "--reason", metavar="TEXT", help="Why; shown to whoever is refused.")] = ""
    timeout: Annotated[
        float,
        Option("--timeout", metavar="TIME", parser=duration, help="How long to wait for it to end (default 10s)."),
    ] = 10.0

    def run(self, app: App) -> Exit:
        from controller.store.errors import HomeError

        try:
            with app.kept(read_only=False) as kept:
                self._put_on(app, kept)
            durable = True
        except HomeError as error:
            # What is at work is ended all the same: that is what an emergency needs first.
            app.console.note(f"not written down that nothing may be changed any more: {error}")
            durable = False
        with app.kept(read_only=True) as kept:
            ended = self._end_holder(app, kept)
        return Exit.OK if durable and ended else Exit.DIFFERENT

    def _put_on(self, app: App, kept: Kept) -> None:
        from controller.engine.brakes import put_on
        from controller.engine.stores import Brake
        from controller.surfaces.cli.braking import told
        from resources.conditions import Reason

        brake = Brake(Reason.STOPPED, app.user, " ".join(self.reason.split()), app.now())
        new = kept.stores.brakes.put_on(brake)
        if new:
            kept.stores.events.record(put_on(brake))
        kept.home.poke()
        if new:
            app.console.print("stopped: nothing new is begun on this machine; p2 unpause ends that")
        else:
            before = next(each for each in kept.stores.brakes.all() if each.reason == Reason.STOPPED)
            app.console.print(f"stopped already: {told(before, app.now())}")

    def _end_holder(self, app: App, kept: Kept) -> bool:
        """Whether nobody is at work any more."""
        from controller.surfaces.cli.ending import Ended, end

        holder = kept.home.holder()
        if holder is None:
            app.console.print("nothing was at work; a controller that is started now only observes")
            return True
        match end(kept.home, holder, self.timeout):
            case Ended.YES:
                app.console.print(f"{holder} has ended")
                return True
            case Ended.NOT_ALLOWED:
                app.console.print(
                    f"{holder} belongs to another user, so it goes on observing; it changes nothing any more"
                )
            case Ended.UNKNOWN:
                app.console.print("another process is at work and does not say which; see: p2 health")
            case Ended.NOT_YET:
                app.console.print(
                    f"{holder} has not ended within {self.timeout:.0f} s: it finishes what is under way and begins "
                    f"nothing new. To end it by force: kill -9 {holder.pid}. That is safe: what it is doing is written "
                    "down, and the next start finds out how far it got"
                )
        return False
