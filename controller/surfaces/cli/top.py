"""`p2 top`: what the machine and its containers use, again and again; with those of the other engines that there are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Argument, Command, Exit, Option
from controller.surfaces.cli.keys import complete_keys
from controller.surfaces.cli.parameters import SourceOption, duration

if TYPE_CHECKING:
    from controller.engine.by_hand import Measures, Usage
    from controller.surfaces.cli.places import Answers
    from controller.surfaces.cli.top_view import Look
    from controller.wiring.workspace import Workspace
    from resources.meta import Key

_FIRST = 0.5  # seconds between the two looks that the first figures need
_CLEAR, _HOME, _REST = "\033[2J", "\033[H", "\033[J"


@dataclass(frozen=True)
class Top(Command):
    """Show what the machine and all containers use, live.

    Containers that are nobody's resource are shown by their names. Those of the engines in agents/docker.yaml are shown,
    too, with the name of their ENGINE; one that does not answer is left out, and named. CPU is in percent of one
    processor; memory is without what the kernel can take back; IN, OUT, READ and WRITTEN are bytes a second. Ctrl-C ends
    it. In a pipe, or with -o json, it shows one look unless -n says more.

    Examples:
      p2 top
      p2 top compose/shop                  only the containers of a project
      p2 top -n 1 -o json                  once, for programs
    """

    name = "top"

    what: Annotated[
        tuple[str, ...], Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="Only these (default: all).")
    ] = ()
    looks: Annotated[int | None, Option("-n", "--looks", metavar="N", min=1, help="End after N looks.")] = None
    once: Annotated[bool, Option("--once", help="As -n 1.")] = False
    interval: Annotated[
        float, Option("-d", "--interval", metavar="TIME", parser=duration, help="Between two looks (default: 2s).")
    ] = 2.0
    output: Annotated[Literal["table", "json"], Option("-o", "--output", help="How to print it.")] = "table"
    path: SourceOption = Path("state")

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.places import left_out
        from controller.surfaces.cli.top_view import document, lines

        moves = app.console.width is not None and self.output == "table" and not self.once and self.looks is None
        left = None if moves else 1 if self.once else self.looks or 1
        with app.open(self.path, read_only=True) as workspace, suppress(KeyboardInterrupt):
            first = moves
            told: set[str] = set()
            for look in _looks(workspace, self.what, self.interval, left):
                if not moves:
                    for reason in sorted({*left_out(look.away)} - told):
                        told.add(reason)
                        tell(app, reason)
                if self.output == "json":
                    app.console.print(document(look, app.now()))
                    continue
                shown = lines(look, app.console.paint, app.console.width)
                if moves:
                    shown = _fitting([*left_out(look.away), *shown])
                    shown[0] = f"{_CLEAR if first else ''}{_HOME}{shown[0]}"
                    shown = [f"{line}\033[K" for line in shown]
                    shown[-1] += _REST
                    first = False
                app.console.print(shown)
        return Exit.OK


def _fitting(shown: Sequence[str]) -> list[str]:
    """What a terminal can show without moving."""
    import shutil

    return list(shown[: max(1, shutil.get_terminal_size().lines - 1)])


def _looks(workspace: Workspace, what: Sequence[str], interval: float, left: int | None) -> Iterator[Look]:
    """A system that does not answer is not asked again: it would hold up each look."""
    from controller.engine.by_hand import Measures
    from controller.surfaces.cli import machine
    from controller.surfaces.cli.places import agents_of, ask_all
    from controller.surfaces.cli.top_view import Look, using

    agents = agents_of(workspace, Measures)
    several = len({place for places in agents for place in places}) > 1
    wanted = _wanted(workspace, what)
    home = workspace.home.path
    machine.look(home)
    measured = ask_all(agents, _measured, {})
    before = _by_handle(measured)
    pause = min(_FIRST, interval)
    while True:
        time.sleep(pause)
        pause = interval
        measured = ask_all(agents, _measured, measured.away)
        now = _by_handle(measured)
        places = {usage.handle: place for place, usages in measured.found.items() for usage in usages}
        found = using(before, now, _keys(workspace, now), wanted, places)
        yield Look(machine.look(home), found, measured.away, several)
        before = now
        if left is not None and (left := left - 1) == 0:
            return


def _measured(agent: Measures, place: str) -> list[Usage]:
    return list(agent.measure())


def _by_handle(measured: Answers[Usage]) -> dict[str, Usage]:
    return {usage.handle: usage for usages in measured.found.values() for usage in usages}


def _wanted(workspace: Workspace, what: Sequence[str]) -> frozenset[Key] | None:
    if not what:
        return None
    from controller.engine.by_hand import Measures
    from controller.surfaces.cli.aims import aimed

    return frozenset(aim.key for aim in aimed(workspace, what, Measures, "measure"))


def _keys(workspace: Workspace, now: Mapping[str, Usage]) -> dict[str, Key]:
    """Whose each thing is: by the mark on it, or by the inventory where it carries none."""
    inventory, installation = workspace.stores.inventory, workspace.home.installation
    by_handle = {
        record.handle: key for source in inventory.sources() for key, record in inventory.records(source).items()
    }
    found = {handle: by_handle[handle] for handle in now if handle in by_handle}
    for handle, usage in now.items():
        if usage.mark and usage.mark.installation == installation:
            found.setdefault(handle, usage.mark.key)
    return found
