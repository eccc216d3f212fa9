"""What a brake means for a command: those that change something refuse, those that show something say so in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.words import age, moment

if TYPE_CHECKING:
    from controller.engine.stores import Brake, Stores
    from controller.surfaces.cli.app import App


def refuse_braked(app: App, stores: Stores, verb: str) -> None:
    """Raises Refused, with who put the brake on, when and why, while one is on. `verb`: what is not done."""
    if brakes := stores.brakes.all():
        raise Refused(f"cannot {verb}: {told(brakes[0], app.now())}; 'p2 unpause' ends that")


def note_braked(app: App, stores: Stores) -> None:
    """One line beside what is shown."""
    for brake in stores.brakes.all()[:1]:
        app.console.note(f"nothing is changed now: {told(brake, app.now())}; 'p2 unpause' ends that")


def told(brake: Brake, now: float) -> str:
    """`this machine is paused by ada since 2026-11-25T10:00:00Z (5m ago): moving the disks`."""
    from controller.engine.brakes import because, state

    return f"this machine is {state(brake)} since {moment(brake.at)} ({age(brake.at, now)} ago){because(brake)}"


def names_of(brakes: Sequence[Brake]) -> str:
    from controller.engine.brakes import state

    return " and ".join(state(brake) for brake in brakes)
