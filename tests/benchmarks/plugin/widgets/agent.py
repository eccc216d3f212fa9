"""The agent of kind `Widget`: everything it does takes microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from controller.engine.agent import Context, Done, Failure, Seen, Setup, SingleAgent, Step
from resources.meta import Key
from widgets.client import World
from widgets.kind import Widget, WidgetObserved


class WidgetAgent(SingleAgent[Widget, WidgetObserved]):
    model = Widget
    system: ClassVar[str] = "widgets"

    def __init__(self, world: World, setup: Setup) -> None:
        self._world = world

    def observe(self, resources: Sequence[Widget], ctx: Context) -> Mapping[Key, Seen[WidgetObserved] | Failure]:
        widgets = self._world.widgets
        return {each.key: Seen(widgets.get(each.world_name), each.world_name) for each in resources}

    def create(self, step: Step[Widget, WidgetObserved], ctx: Context) -> Done:
        assert step.desired is not None
        spec = step.desired.spec
        self._world.put(step.desired.world_name, WidgetObserved(spec.text, spec.colour, spec.sizes))
        return Done(step.desired.world_name)

    update = create

    def delete(self, step: Step[Widget, WidgetObserved], ctx: Context) -> Done:
        self._world.put(step.seen.handle, None)
        return Done()
