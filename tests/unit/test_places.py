"""All engines are asked at once, within one time for all of them, and none takes anything from what the others have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event as Flag
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from controller.engine.agent import Retry
from controller.surfaces.cli import places
from controller.surfaces.cli.command import Refused


@pytest.fixture
def hanging() -> Iterator[Flag]:
    """Is set when the test is over."""
    flag = Flag()
    yield flag
    flag.set()


def ask(agent: Any, place: str) -> list[str]:
    """What an agent has: itself, unless it hangs or fails."""
    if isinstance(agent, Flag):
        agent.wait()
    if isinstance(agent, Exception):
        raise agent
    return [f"{agent} of {place}"]


def test_all_that_hang_are_waited_for_together(hanging: Flag, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Clocked(Thread):
        def join(self, timeout: float | None = None) -> None:
            assert timeout is not None
            waited.append(timeout)

    monkeypatch.setattr(places, "Thread", Clocked)
    monkeypatch.setattr(places, "time", SimpleNamespace(monotonic=lambda: sum(waited)))
    answers = places.ask_all([{"": "own", "a": hanging, "b": hanging, "c": hanging}], ask, {})
    assert (answers.found, sum(waited)) == ({"": ["own of "]}, places.PATIENCE)
    assert answers.away == dict.fromkeys("abc", "cannot wait for its answer: there was none within 10 s")


def test_answer_that_comes_late_changes_nothing_that_was_told(hanging: Flag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PATIENCE", 0.01)
    begun: list[Any] = []

    class Kept(Thread):
        def start(self) -> None:
            begun.append(self)
            super().start()

    monkeypatch.setattr(places, "Thread", Kept)
    answers = places.ask_all([{"": "own", "a": hanging}], ask, {})
    hanging.set()
    begun[0].join()
    assert (list(answers.found), list(answers.away)) == ([""], ["a"])


def test_whatever_fails_of_another_system_is_said_of_that_alone() -> None:
    agents: list[Mapping[str, Any]] = [
        {"": "own", "a": KeyError("Id"), "b": Retry("AgentUnavailable", "cannot reach b"), "c": "one"},
        {"c": "two"},
    ]
    answers = places.ask_all(agents, ask, {"d": "cannot find d"})
    assert answers.found == {"": ["own of "], "c": ["one of c", "two of c"]}
    assert answers.away == {
        "a": "cannot make sense of its answer: KeyError('Id')",
        "b": "cannot reach b",
        "d": "cannot find d",
    }


def test_the_own_system_must_answer() -> None:
    with pytest.raises(Refused, match="cannot reach it"):
        places.ask_all([{"": Retry("AgentUnavailable", "cannot reach it"), "a": "one"}], ask, {})
