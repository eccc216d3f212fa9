"""Runs a hypothesis state machine for a given number of steps: the same ones each time, so that a failure is seen again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

from tests.chaos.size import sized

STEPS = sized(1500, 10_000)
LENGTH = 50  # steps of one run, at most

Endure = Callable[[type["Machine"]], None]


class Machine(RuleBasedStateMachine):
    """Counts its steps, over all runs."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).steps -= 1  # invariants are checked before the first step, too

    @invariant()
    def a_step_was_made(self) -> None:
        type(self).steps += 1


def endure(machine: type[Machine], capsys: pytest.CaptureFixture[str]) -> None:
    """Fails with the shortest way to break an invariant; otherwise prints how many steps were made."""
    machine.steps = 0
    options = settings(
        max_examples=math.ceil(STEPS / LENGTH * 1.4),
        stateful_step_count=LENGTH,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=options)  # type: ignore[no-untyped-call]
    with capsys.disabled():
        print(f"\n  {machine.__name__}: {machine.steps} steps")
    assert machine.steps >= STEPS
