"""`p2 restart`: restarts things as they are, and waits until they are Ready."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated, Any

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.console import Style
from controller.surfaces.cli.keys import complete_keys
from controller.surfaces.cli.parameters import SourceOption, Timeout

if TYPE_CHECKING:
    from controller.engine.agent import Done, Failure, Seen
    from controller.engine.stores import Stores
    from controller.surfaces.cli.aims import Aim
    from controller.wiring.workspace import Workspace
    from resources.meta import Key

_AT_ONCE = 4  # restarts under way
_GLANCE = 0.25  # seconds between looks at what is not Ready yet


@dataclass(frozen=True)
class Restart(Command):
    """Restart containers as they are.

    The spec stays as it is, and what a running controller sees of it is no drift. What others depend on is restarted,
    and Ready, before them. One that runs once (state: completed) runs again. Waits until all are Ready.

    Exit code 0: all are Ready again. 1: some are not. 2: refused, and nothing was restarted. 130: interrupted.

    Examples:
      p2 restart container/web
      p2 restart compose/shop --no-wait          all containers of a project
    """

    name = "restart"
    changes = True

    what: Annotated[
        tuple[str, ...], Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="What to restart.")
    ] = ()
    wait: Annotated[bool, Option("--wait/--no-wait", help="Wait until all are Ready (default), or not.")] = True
    timeout: Timeout = 300.0
    path: SourceOption = Path("state")

    def run(self, app: App) -> Exit:
        from controller.engine.by_hand import Restarts
        from controller.surfaces.cli.aims import aimed
        from controller.surfaces.cli.braking import refuse_braked

        with app.open(self.path, read_only=True) as workspace:
            refuse_braked(app, workspace.stores, "restart anything")
            aims = aimed(workspace, self.what, Restarts, "restart")
            _refuse(aims, workspace.stores)
        with app.open(self.path, read_only=False, request=app.request()) as workspace, app.stoppable() as stop:
            return _Restarting(app, workspace, stop, time.monotonic() + self.timeout, self.wait).run(aims)


def _refuse(aims: Sequence[Aim], stores: Stores) -> None:
    suspended = stores.overrides.suspended()
    for aim in aims:
        if not aim.owned:
            raise Refused(f"cannot restart {aim.key.short}: it was not made yet; p2 apply makes it")
        record = stores.inventory.find(aim.key)
        by = record.owner if record and record.owner in suspended else aim.key
        if by in suspended or aim.resource.spec.suspend:
            raise Refused(f"cannot restart {aim.key.short}: it is suspended; p2 resume {by.short} ends that")


@dataclass
class _Restarting:
    app: App
    workspace: Workspace
    stop: Flag
    give_up: float  # monotonic seconds
    wait: bool

    def run(self, aims: Sequence[Aim]) -> Exit:
        left = [aim.key for aim in aims]
        for wave in waves(aims):
            differing = self._differences(wave) if self.wait else {}
            with ThreadPoolExecutor(_AT_ONCE, "restart") as pool:
                good = list(pool.map(self._restart, wave))
            left = [key for key in left if key not in {aim.key for aim in wave}]
            if not all(good) or (self.wait and not self._become_ready(wave, differing)) or self.stop.is_set():
                if left:
                    self.app.console.note(f"not restarted: {', '.join(key.short for key in left)}")
                return Exit.INTERRUPTED if self.stop.is_set() else Exit.DIFFERENT
        return Exit.OK

    def _restart(self, aim: Aim) -> bool:
        from controller.engine.agent import Done
        from controller.surfaces.cli.words import took

        if self.stop.is_set():
            return False
        begun = time.monotonic()
        outcome: Done | Failure = self.workspace.restart(aim.key, aim.resource)
        if isinstance(outcome, Done):
            self.app.console.print(f"restarted {aim.key.short} in {took(time.monotonic() - begun)}")
            return True
        self._complain(aim, outcome.message)
        return False

    def _become_ready(self, wave: Sequence[Aim], before: Mapping[Key, frozenset[str]]) -> bool:
        """Whether all do. What differed before may go on to differ: that is no matter of a restart."""
        waiting, good = list(wave), True
        while waiting and not self.stop.is_set():
            late = time.monotonic() >= self.give_up
            for aim in list(waiting):
                ready, final, why = self._look(aim, before.get(aim.key, frozenset()))
                if ready or final or late:
                    waiting.remove(aim)
                    good = good and ready
                    if not ready:
                        self._complain(aim, why if final else f"not Ready in the time given: {why}")
            if waiting:
                self.stop.wait(_GLANCE)
        return good and not waiting

    def _look(self, aim: Aim, before: frozenset[str]) -> tuple[bool, bool, str]:
        """Whether it is Ready; whether it will not become so by itself; and why not."""
        from controller.engine.agent import Seen

        seen = self._seen(aim)
        if not isinstance(seen, Seen):
            return False, False, seen.message
        plan = aim.agent.diff(aim.resource, aim.resource, seen.value)
        new = sorted({change.path for change in plan.changes} - before)
        if seen.value is None or new:
            said = seen.health.message or f"it differs in {', '.join(new) or 'whether it is there'}"
            return False, self.workspace.beside is None, said  # a controller may yet put it right
        return seen.health.ready, seen.health.stalled, seen.health.message

    def _differences(self, wave: Sequence[Aim]) -> dict[Key, frozenset[str]]:
        """What of each is not as it was applied, before anything is done; whether it runs is no part of it."""
        from controller.engine.agent import Seen

        found = {}
        for aim in wave:
            seen = self._seen(aim)
            if isinstance(seen, Seen):
                plan = aim.agent.diff(aim.resource, aim.resource, seen.value)
                found[aim.key] = frozenset(change.path for change in plan.changes) - {"state"}
        return found

    def _seen(self, aim: Aim) -> Seen[Any] | Failure:
        from controller.engine.agent import Retry, Stalled

        try:
            return aim.agent.observe([aim.resource], self.workspace.parts.context)[aim.key]
        except (Retry, Stalled) as failure:
            return failure

    def _complain(self, aim: Aim, message: str) -> None:
        self.app.console.note(f"{self.app.console.paint_err('!', Style.BOLD, Style.RED)} {aim.key.short}: {message}")


def waves(aims: Sequence[Aim]) -> Iterator[list[Aim]]:
    """Those that depend on none of the others first, then those that depend on these, and so on."""
    from controller.engine.graph import in_order

    by_key = {aim.key: aim for aim in aims}
    depth: dict[Key, int] = {}
    for key in in_order(by_key.keys(), lambda key: by_key[key].dependencies & by_key.keys() if key in by_key else ()):
        depth[key] = 1 + max((depth.get(other, 0) for other in by_key[key].dependencies & by_key.keys()), default=0)
    for level in sorted(set(depth.values())):
        yield [by_key[key] for key in depth if depth[key] == level]
