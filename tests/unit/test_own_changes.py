"""A running controller does not take for drift what is a part of its own change of something else."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event as Flag

import pytest

from controller.engine.agent import Context, Done, Step
from resources.conditions import Reason
from resources.meta import Key
from tests.unit.test_running import WatchedAgent, eventually, running
from tests.unit.world import Gadget, Loop, Thing, declare, gadget


@pytest.fixture(autouse=True)
def _gadgets_are_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.ledger.model_of", lambda kind: Gadget)


class UpsettingAgent(WatchedAgent):
    """Changing the base takes the color of what stands on it, until the change is done."""

    def __init__(self) -> None:
        super().__init__()
        self.upset = Flag()
        self.go_on = Flag()

    def update(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        if step.key.name == "base":
            self.world["app"].color = None
            self.hints.put(Key("Gadget", "default", "app"))
            self.upset.set()
            self.go_on.wait(10)
            self.world["app"].color = "red"
        return super().update(step, ctx)


def actions(log: Sequence[str], name: str) -> list[str]:
    return [line.partition(" ")[0] for line in log if line.endswith(f" {name}")]


def test_what_a_change_of_its_dependency_does_to_a_thing_is_not_healed_meanwhile() -> None:
    agent = UpsettingAgent()
    loop = Loop(agent)
    app = gadget("app", color="red", dependsOn=["Gadget/base"])
    with running(loop, gadget("base", color="red"), app) as source:
        eventually(lambda: loop.reason("app") == Reason.CONVERGED)
        source.revisions.put(declare(gadget("base", color="blue"), app))
        eventually(agent.upset.is_set)
        eventually(lambda: "Gadget/base is changed" in loop.message("app"))
        agent.go_on.set()
        eventually(lambda: agent.world["base"].color == "blue")
        eventually(lambda: loop.reason("app") == Reason.CONVERGED)
    assert actions(agent.log, "app") == ["create"]


class MeetingAgent(WatchedAgent):
    """Says whether a thing and the one it stands on were ever changed at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.changing: set[str] = set()
        self.met = False

    def update(self, step: Step[Gadget, Thing], ctx: Context) -> Done:
        self.changing.add(step.key.name)
        Flag().wait(0.05)
        self.met |= {"base", "app"} <= self.changing
        self.changing.discard(step.key.name)
        return super().update(step, ctx)


def test_a_thing_and_what_it_depends_on_are_never_changed_at_the_same_time() -> None:
    """Also when both have drifted, so that neither waits for the other to be Ready."""
    agent = MeetingAgent()
    loop = Loop(agent)
    with running(loop, gadget("base", color="red"), gadget("app", color="red", dependsOn=["Gadget/base"])):
        eventually(lambda: loop.reason("app") == Reason.CONVERGED)
        for name in ("base", "app"):
            agent.world[name].color = "pink"
        for name in ("app", "base"):
            agent.hints.put(Key("Gadget", "default", name))
        eventually(lambda: [agent.world[name].color for name in ("base", "app")] == ["red", "red"])
        eventually(lambda: loop.reason("app") == Reason.CONVERGED)
    assert not agent.met
