"""What is shown while an apply works: every thing once, and nothing that stops the work."""

from __future__ import annotations

import io

from controller.surfaces.cli.console import Console
from controller.surfaces.cli.progress import LiveProgress, PlainProgress, progress_on, waiting
from resources.conditions import Reason
from resources.plan import Action
from tests.cli.small_world import CREATE, UPDATE, key, plan, status


def console(*, live: bool = False) -> Console:
    return Console(io.StringIO(), io.StringIO(), live=live)


def said(shown: Console) -> list[str]:
    assert isinstance(shown.err, io.StringIO)
    return shown.err.getvalue().splitlines()


def test_in_a_pipe_each_thing_done_is_a_line_on_stderr() -> None:
    shown = console()
    progress = progress_on(shown)
    assert isinstance(progress, PlainProgress)
    progress.begin(2)
    for each in (CREATE, UPDATE):
        progress.started(each)
        progress.finished(each, "done", 0.44)
    progress.end()
    assert said(shown) == ["+ created Container/db in 0.4 s", "~ updated Container/web in 0.4 s"]
    assert isinstance(shown.out, io.StringIO)
    assert shown.out.getvalue() == ""


def test_what_takes_long_is_told_now_and_then() -> None:
    now = [0.0]
    shown = console()
    progress = PlainProgress(shown, lambda: now[0])
    for second in range(13):
        now[0] = second
        progress.progressed(key("web"), second / 20, "pulling nginx")
    assert said(shown) == ["  Container/web: 25% pulling nginx", "  Container/web: 50% pulling nginx"]


def test_the_same_trouble_is_told_once_and_waiting_is_none() -> None:
    shown = console()
    progress = PlainProgress(shown)
    for name in ("a", "b"):
        progress.settled(key(name), status(Reason.AGENT_UNAVAILABLE, "cannot reach the engine"))
    progress.settled(key("c"), status(Reason.DEPENDENCY_NOT_READY, "waits for a"))
    progress.settled(key("d"), status())
    assert said(shown) == ["! Container/a: AgentUnavailable: cannot reach the engine"]


def test_a_reader_who_is_gone_does_not_stop_the_work() -> None:
    shown = console()
    shown.err.close()
    PlainProgress(shown).finished(CREATE, "done", 0.1)


class Terminal(io.StringIO):
    """Gone as soon as it is said to be."""

    gone = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.gone:
            raise BrokenPipeError
        return super().write(text)


def test_a_person_who_is_gone_does_not_stop_the_work() -> None:
    terminal = Terminal()
    progress = LiveProgress(Console(io.StringIO(), terminal, live=True))
    progress.begin(2)
    progress.started(CREATE)
    terminal.gone = True
    progress.finished(CREATE, "done", 0.1)
    progress.settled(key("a"), status(Reason.AGENT_UNAVAILABLE, "cannot reach the engine"))
    progress.end()


def test_on_a_terminal_what_was_done_stays_above_what_moves() -> None:
    shown = console(live=True)
    progress = progress_on(shown)
    assert isinstance(progress, LiveProgress)
    progress.begin(1)
    progress.started(CREATE)
    progress.progressed(CREATE.key, 0.5, "pulling")
    progress.finished(CREATE, "done", 1.0)
    progress.finished(plan("x", Action.UPDATE), "retry", 1.0)
    progress.end()
    progress.end()
    assert any("created Container/db in 1.0 s" in line for line in said(shown))


def test_waiting_in_a_pipe_shows_nothing() -> None:
    shown = console()
    with waiting(shown, "looking"):
        pass
    assert said(shown) == []
