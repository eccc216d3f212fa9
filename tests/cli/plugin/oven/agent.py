"""The agent of `Oven`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.engine.agent import Context, Done, Retry, Seen, Setup, SingleAgent, Stalled, Step
from oven.kind import Oven
from resources.meta import Key

_LONGEST = 30.0  # seconds until a forgotten oven gives up
_LOOK = 0.01


@dataclass(frozen=True)
class Loaf:
    directory: str


class OvenAgent(SingleAgent[Oven, Loaf]):
    """Bakes one loaf at a time. `<loaf>.begun` says that it began; it ends when `<loaf>.door` is there.

    With `<loaf>.knob` there, it can be cancelled. Whoever looks while there is a `<loaf>.fire` does not survive it, and
    nobody sees anything while there is a `<loaf>.fog`.
    """

    model = Oven
    system = "oven"
    marks = False
    workers = 1

    def __init__(self, client: None, setup: Setup) -> None: ...

    def observe(self, resources: Sequence[Oven], ctx: Context) -> Mapping[Key, Seen[Loaf] | Stalled]:
        if any(Path(f"{each.loaf}.fire").exists() for each in resources):
            raise SystemExit
        while any(Path(f"{each.loaf}.fog").exists() for each in resources):
            time.sleep(_LOOK)
        return {
            each.key: Seen(Loaf(each.spec.directory) if Path(each.loaf).exists() else None, each.loaf)
            for each in resources
        }

    def create(self, step: Step[Oven, Loaf], ctx: Context) -> Done:
        assert step.desired is not None
        loaf = step.desired.loaf
        Path(f"{loaf}.begun").touch()
        ctx.progress(step.key, 0.5, "baking")
        give_up = time.monotonic() + _LONGEST
        while not Path(f"{loaf}.door").exists() and time.monotonic() < give_up:
            if ctx.cancelled.is_set() and Path(f"{loaf}.knob").exists():
                raise Retry("Cancelled", "cannot go on baking: cancelled")
            time.sleep(_LOOK)
        Path(loaf).write_text("bread")
        return Done(loaf)

    def update(self, step: Step[Oven, Loaf], ctx: Context) -> Done:
        raise Stalled("Baked", "cannot bake a loaf again: declare another one")

    def delete(self, step: Step[Oven, Loaf], ctx: Context) -> Done:
        Path(step.seen.handle).unlink()
        return Done()
